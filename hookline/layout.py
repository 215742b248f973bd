"""JSON for people to read: its lines broken and indented, and otherwise every character as it was.
Reading it and writing it anew would change long numbers and leave out repeated keys."""

import re
from collections.abc import Iterator

from hookline import jsontext

LONGEST = 65_536
DEEPEST = 30
INDENT = "  "

_parts = re.compile(r'"(?:[^"\\]++|\\.)*+"|([\[{])\s*+([\]}])|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)


def laid_out(text: str, most: int = LONGEST) -> str:
    """Cut after so many characters. What is no JSON comes out as it is."""
    return "".join(_first(_lines(text), most))[:most] if _is_json(text) else text[:most]


def _first(parts: Iterator[str], most: int) -> Iterator[str]:
    size = 0
    for part in parts:
        yield part
        size += len(part)
        if size >= most:
            return


def _lines(text: str) -> Iterator[str]:
    depth = 0
    for match in _parts.finditer(text):
        part = match[1] + match[2] if match[1] else match[0]
        if part in ("}", "]"):
            depth -= 1
            yield _line(depth)
        yield part
        if part in ("{", "["):
            depth += 1
            yield _line(depth)
        elif part == ",":
            yield _line(depth)
        elif part == ":":
            yield " "


def _line(depth: int) -> str:
    return "\n" + INDENT * min(depth, DEEPEST)


def _is_json(text: str) -> bool:
    try:
        jsontext.parse(text.encode())
    except (jsontext.BadJson, UnicodeEncodeError):
        return False
    return True
