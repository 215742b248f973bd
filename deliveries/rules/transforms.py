"""Subscription transforms: rename, remove, add or set top-level fields of a copy of the event.

They move whole fields, so that the text of a field they leave alone is delivered as it was sent.
"""

from functools import lru_cache

from hookline import jsontext
from hookline.jsontext import parse

Fields = dict[str, bytes]


def apply(text: str | None, fields: Fields) -> Fields:
    """A new set of fields, changed by a stored transform; without one the same set."""
    if text is None:
        return fields
    changed = dict(fields)
    for operation in _operations(text):
        _apply_one(operation, changed)
    return changed


def fault_of(transform: object) -> str | None:
    """Why this cannot be a transform, as a sentence; None if it can."""
    operations = transform if isinstance(transform, list) else [transform]
    if not all(isinstance(operation, dict) for operation in operations):
        return 'must be an operation or a list of operations such as {"op": "remove_field", "field": "x"}'
    return None


@lru_cache(maxsize=10_000)
def _operations(text: str) -> list[Fields]:
    raw = text.strip().encode()
    return [jsontext.fields(item) for item in (jsontext.items(raw) if raw[:1] == b"[" else [raw])]


def _apply_one(operation: Fields, fields: Fields) -> None:
    """Operations that are unknown or lack a field are ignored, as clients expect."""
    field = _name(operation, "field") or _name(operation, "path")
    match _name(operation, "op"):
        case "rename_field":
            source, target = _name(operation, "from"), _name(operation, "to")
            if source in fields and target is not None:
                fields[target] = fields.pop(source)
        case "remove_field" if field is not None:
            fields.pop(field, None)
        case "add_field" if field is not None and "value" in operation:
            fields.setdefault(field, operation["value"])
        case "set_field" if field is not None and "value" in operation:
            fields[field] = operation["value"]


def _name(operation: Fields, key: str) -> str | None:
    value = parse(operation[key]) if key in operation else None
    return value if isinstance(value, str) else None
