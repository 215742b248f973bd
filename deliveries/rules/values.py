"""Values inside an event, as a filter sees them."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from hookline.jsontext import parse


class Missing:
    """What stands at a path that leads nowhere. Equal to nothing, not even to null."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


MISSING = Missing()


class Document:
    """An event's fields as JSON text, each parsed when a path first asks for it.

    Most events meet no filter, so even the fields are only made when one asks.
    """

    def __init__(self, make_fields: Callable[[], Mapping[str, bytes]]) -> None:
        self.make_fields = make_fields
        self._parsed: dict[str, Any] = {}

    @cached_property
    def fields(self) -> Mapping[str, bytes]:
        return self.make_fields()

    def at(self, path: str) -> Any:
        """The value at a dotted path through objects, or MISSING."""
        first, *rest = path.split(".")
        value = self._field(first)
        for key in rest:
            value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
        return value

    def _field(self, name: str) -> Any:
        if name not in self._parsed:
            raw = self.fields.get(name) or self.fields.get(_stand_in(self.fields, name))
            self._parsed[name] = MISSING if raw is None else parse(raw)
        return self._parsed[name]


def _stand_in(fields: Mapping[str, bytes], name: str) -> str:
    """`data` and `payload` stand for each other where only one was sent."""
    return {"data": "payload", "payload": "data"}.get(name, name)


def equal(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1, while 1 and 1.0 are the same number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_encoder = json.JSONEncoder(ensure_ascii=False)


def shown(value: Any, most: int = 200) -> str:
    """The value as JSON for people, cut short; nothing where it is missing. However big it is, little
    more is read than shown."""
    text = ""
    for part in () if value is MISSING else _encoder.iterencode(_cut(value, most)):
        text += part[: most + 1]
        if len(text) > most:
            break
    text = text if len(text) <= most else f"{text[:most]}…"
    return text.encode(errors="replace").decode()


def _cut(value: Any, most: int) -> Any:
    return value[:most] if isinstance(value, str) else value
