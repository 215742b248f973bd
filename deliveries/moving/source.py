"""What is taken in: a file that `tenant export` wrote, or a directory of lists of the REST API.

A list is what one GET answered, as in `curl …/v1/endpoints > endpoints.json`; pages of one kind are files
such as `events-1.json` and `events-2.json`.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deliveries.documents import Fields
from deliveries.moving.items import Item
from deliveries.moving.write_out import FORMAT, VERSION
from hookline import jsontext
from hookline.jsontext import BadJson, OtherKind

# In the order in which they are taken in. The lists hold no jobs.
KINDS = ("apikeys", "endpoints", "subscriptions", "events", "jobs", "deliveries", "dlq")
LISTS = tuple(kind for kind in KINDS if kind != "jobs")
LIST_NAME = re.compile(rf"({'|'.join(LISTS)})[-_.]?(\d*)\.json")
EXPLAINED = f"lists are named {', '.join(LISTS)}, with a number where there are several, and end in .json"


class BadSource(Exception):
    """Nothing can be taken in from there; the text says why."""


class Lists:
    """A directory of lists."""

    tenant_id = ""
    salt: bytes | None = None
    has_jobs = False

    def __init__(self, directory: Path) -> None:
        named = {file: LIST_NAME.fullmatch(file.name) for file in sorted(directory.iterdir())}
        if strange := [file.name for file, match in named.items() if match is None]:
            raise BadSource(f"{strange[0]} cannot be taken in: {EXPLAINED}.")
        if not named:
            raise BadSource(f"{directory} is empty: {EXPLAINED}.")
        places = [(KINDS.index(match[1]), int(match[2] or 0), file) for file, match in named.items() if match]
        self.files = [(KINDS[kind], file) for kind, _, file in sorted(places)]

    def items(self) -> Iterator[Item]:
        for kind, file in self.files:
            for number, text in enumerate(self._elements(file)):
                place = f"{file.name}, item {number}"
                yield Item(kind, place, _fields(text, place))

    @staticmethod
    def _elements(file: Path) -> list[bytes]:
        try:
            found = jsontext.elements(file.read_bytes(), "items")
        except OtherKind:
            found = None
        except BadJson as fault:
            raise BadSource(f"{file.name} is not JSON: {fault}.") from None
        if found is None:
            raise BadSource(f'{file.name} is no list of the API, which begins {{"items":[.')
        return found


class Export:
    """A file of one tenant."""

    has_jobs = True

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("rb") as lines:
            head = _parsed(_fields(lines.readline(), file.name))
        if head.get("format") != FORMAT:
            raise BadSource(f"{file.name} was not written by `tenant export`.")
        if head.get("version") != VERSION:
            raise BadSource(f"{file.name} is of another version of HookLine: take it in with that one.")
        self.tenant_id = str(head["tenant_id"])
        self.salt = bytes.fromhex(head["salt"]) if head["salt"] else None

    def items(self) -> Iterator[Item]:
        """Raises BadSource at the end of a file of which a part is missing."""
        counts: Counter[str] = Counter()
        with self.file.open("rb") as lines:
            next(lines)
            for number, line in enumerate(lines, 2):
                place = f"{self.file.name}, line {number}"
                fields = _fields(line, place)
                if "end" in fields:
                    self._compare(counts, _parsed(fields)["counts"])
                    return
                kind = jsontext.parse(fields.get("kind", b"null"))
                counts[kind] += 1
                yield Item(kind, place, _fields(fields.get("document", b""), place))
        raise BadSource(f"{self.file.name} was not written to its end.")

    def _compare(self, found: Counter[str], told: dict[str, int]) -> None:
        if found != Counter(told):
            raise BadSource(f"{self.file.name} is damaged: lines are missing.")


Source = Lists | Export


def source_of(path: Path) -> Source:
    """Raises BadSource."""
    return Lists(path) if path.is_dir() else Export(path)


def _fields(text: bytes, place: str) -> Fields:
    try:
        return jsontext.fields(text)
    except BadJson as fault:
        raise BadSource(f"{place} is no JSON object: {str(fault) or 'it is something else'}.") from None


def _parsed(fields: Fields) -> dict[str, Any]:
    return {name: jsontext.parse(raw) for name, raw in fields.items()}
