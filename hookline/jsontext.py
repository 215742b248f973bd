"""JSON as text: where the parts of a document begin and end, without changing a byte of them.

msgspec judges the text and finds its parts. What it leaves unchecked is checked here: UTF-8 and
depth. What it refuses though it is JSON, half of a surrogate pair, is read by a slower way.
"""

import json
import re
from typing import Any

import msgspec

MAX_DEPTH = 128
# Deeper than anybody may send, and not too deep for msgspec.
DEEPEST_READ = 200

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(msgspec.Raw)

# A string without an end reaches to the end of the text, and nothing is tried twice: else whoever
# sends many quotes would have us read the rest of the text once for each.
STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_string = re.compile(STRING, re.DOTALL)
_brackets = re.compile(STRING + rb"|([\[{]++)|([\]}]++)", re.DOTALL)
_to_bracket = re.compile(rb'(?:[^"\[\]{}]++|' + STRING + rb")*+[\[\]{}]", re.DOTALL)
_to_mark = re.compile(rb'(?:[^"\[\]{},:]++|' + STRING + rb")*+[\[\]{},:]", re.DOTALL)
# Text that stands for itself, as most does, and needs no parser.
_plain = re.compile(rb'"[ !#-\[\]-~]*+"')
_surrogate = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

ONE_KIND = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BadJson(ValueError):
    """Not JSON; the text says what is wrong and where."""


class OtherKind(BadJson):
    """JSON, but not an object, or not an array, where one was asked for."""


def fields(text: bytes) -> dict[str, bytes]:
    """The members of a JSON object, each value as it was written. Raises BadJson."""
    check(text)
    try:
        return {name: bytes(raw) for name, raw in _object.decode(text).items()}
    except msgspec.DecodeError:
        return _members(text)


def items(text: bytes) -> list[bytes]:
    """The elements of a JSON array, each as it was written. Raises BadJson."""
    check(text)
    try:
        return [bytes(raw) for raw in _array.decode(text)]
    except msgspec.DecodeError:
        return _parts(text, b"[")


def elements(text: bytes, name: str) -> list[bytes] | None:
    """The elements of the array in member `name`; None if there is no such array. Raises BadJson.

    For readers that go on to check each element by itself. Only the outline is read here, so
    that one element that is no UTF-8 or is nested too deep spoils no other.
    """
    try:
        return _elements(text, name)
    except RecursionError:
        return _elements(_flattened(text), name)


def _elements(text: bytes, name: str) -> list[bytes] | None:
    try:
        array = bytes(_object.decode(text).get(name, b""))
        return [bytes(raw) for raw in _array.decode(array)] if array[:1] == b"[" else None
    except msgspec.DecodeError:
        array = _members(text).get(name, b"")
        return _split(array) if array[:1] == b"[" else None


def check(text: bytes) -> None:
    """UTF-8 and no deeper than 128 levels, so that no reader further on can stumble."""
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        raise BadJson(f"the body is not UTF-8 (byte {fault.start})") from None
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _is_deep(text):
        raise BadJson(f"the body is nested deeper than {MAX_DEPTH} levels")


def parse(text: bytes) -> Any:
    """Any valid JSON as Python values. Raises BadJson.

    Numbers beyond a float become infinite and integers too long to convert become floats:
    neither is an error, since what was sent is kept as text.
    """
    if _plain.fullmatch(text):
        return text[1:-1].decode()
    check(text)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        _judge(text)
        return json.loads(text.decode(), parse_int=_integer)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 1000 else float(digits)


def _is_deep(text: bytes) -> bool:
    """Takes the innermost pairs of brackets away, level by level, and looks whether some are left."""
    brackets = _string.sub(b"", text).translate(ONE_KIND, delete=NO_BRACKETS)
    for _ in range(MAX_DEPTH + 1):
        if b"[" * (MAX_DEPTH + 1) in brackets:
            return True
        if b"[]" not in brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return True


def _flattened(text: bytes) -> bytes:
    """The text, as long as it was, with a number for what lies very deep. It is too deep still."""
    flat, depth, start = bytearray(text), 0, 0
    for match in _brackets.finditer(text):
        if match[1]:
            depth += len(match[1])
            if depth > DEEPEST_READ and not start:
                start = match.end() - (depth - DEEPEST_READ)
        elif match[2]:
            end = match.start() + depth - DEEPEST_READ
            depth -= len(match[2])
            if start and depth <= DEEPEST_READ:
                flat[start:end] = b"0".ljust(end - start)
                start = 0
    return bytes(flat[:start] if start else flat)


def _members(text: bytes) -> dict[str, bytes]:
    """`fields` for what msgspec refused."""
    parts = _parts(text, b"{")
    names = (json.loads(name.decode(errors="replace")) for name in parts[::2])
    return dict(zip(names, parts[1::2], strict=True))


def _parts(text: bytes, bracket: bytes) -> list[bytes]:
    """Names and values of an object, or the elements of an array. Raises BadJson."""
    _judge(text)
    if text.lstrip()[:1] != bracket:
        raise OtherKind("")
    return _split(text)


def _judge(text: bytes) -> None:
    """Raises BadJson for what is no JSON. Half a surrogate pair is JSON; msgspec is shown something
    else in its place. Escaped backslashes go first: what follows them is no escape."""
    try:
        _value.decode(_surrogate.sub(rb"\\ufffd", text.replace(rb"\\", b"--")))
    except msgspec.DecodeError as fault:
        where = "" if "(byte " in str(fault) else f" (byte {len(text)})"
        raise BadJson(f"{fault}{where}") from None


def _split(text: bytes) -> list[bytes]:
    """The parts between the outermost brackets of valid JSON."""
    at = start = len(text) - len(text.lstrip()) + 1
    parts, depth = [], 1
    while depth:
        match = (_to_mark if depth == 1 else _to_bracket).match(text, at)
        assert match
        at = match.end()
        mark = text[at - 1]
        depth += (mark in b"[{") - (mark in b"]}")
        if depth == 0 or mark in b",:":  # one of the outermost; no others are stopped at
            parts.append(text[start : at - 1].strip())
            start = at
    return [part for part in parts if part]
