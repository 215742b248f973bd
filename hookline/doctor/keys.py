"""Whether HL_MASTER_KEY opens what is sealed in the store."""

from collections import Counter
from uuid import UUID

from django.conf import settings

from hookline import keyring
from hookline.doctor.findings import Ask, Findings, error, many, ok, warning

# Columns of endpoints, and what their values are bound to.
BOXES = {"secret_box": "secret", "old_secret_box": "secret", "headers_box": "headers"}
# Of each key and column.
TRIED = 10
COUNT = "SELECT substr({0}, 2, 2), count(*) FROM endpoints WHERE {0} IS NOT NULL GROUP BY 1"
SAMPLE = "SELECT id, {0} FROM endpoints WHERE substr({0}, 2, 2) = %s ORDER BY id DESC LIMIT %s"
BOTH = "HL_MASTER_KEY=2:<new key>,1:<old key>"


def keys(ask: Ask) -> Findings:
    sealed, shut = Counter[int](), set[int]()
    for column in BOXES:
        for number, count in ask(COUNT.format(column)):
            key = int.from_bytes(number, "big")
            sealed[key] += count
            if not all(_opens(column, *row) for row in ask(SAMPLE.format(column), [bytes(number), TRIED])):
                shut.add(key)
    for key, count in sorted(sealed.items()):
        yield from of_key(key, count, opens=key not in shut)
    if not sealed:
        yield ok("No secret is stored yet.")


def of_key(key: int, count: int, *, opens: bool) -> Findings:
    if key not in settings.HL_MASTER_KEY:
        yield error(
            f"{many(count, 'secret is', 'secrets are')} sealed with key {key}, which HL_MASTER_KEY lacks.",
            f"Add that key with its number: {BOTH}",
        )
    elif not opens:
        yield error(
            f"Key {key} of HL_MASTER_KEY does not open what bears its number: {many(count, 'secret')}.",
            "Set the key that sealed them. If `serve` made it, it is in HL_DATA_DIR/secrets.",
        )
    elif key != next(iter(settings.HL_MASTER_KEY)):
        yield warning(
            f"{many(count, 'secret is', 'secrets are')} still sealed with key {key}.",
            "`manage.py rekey` seals them with the first key of HL_MASTER_KEY.",
        )
    else:
        yield ok(f"Key {key} opens what it sealed: {many(count, 'secret')}.")


def _opens(column: str, id: object, box: bytes) -> bool:
    context = f"endpoints/{UUID(str(id))}/{BOXES[column]}"
    try:
        keyring.unseal(bytes(box), context, settings.HL_MASTER_KEY)
    except keyring.CannotOpen:
        return False
    return True
