"""The parts of a JSON text are found where they were put, and not a byte of them changes."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from hookline import jsontext
from hookline.jsontext import BadJson, OtherKind

pytestmark = pytest.mark.embedded

# Escapes, quotes, brackets and half pairs, where a careless reader stumbles.
PIECES = [*"ab é😀[]{},: ", r"\"", r"\\", r"\/", r"\n", r"\u0000", r"\ud83d", r"\uDE00", r"\\ud83d"]

strings = some.lists(some.sampled_from(PIECES)).map(lambda pieces: f'"{"".join(pieces)}"')
numbers = some.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
words = some.sampled_from(["null", "true", "false"])
blanks = some.text(" \t\r\n", max_size=2)


def spaced(inner: some.SearchStrategy[str]) -> some.SearchStrategy[tuple[str, str]]:
    """A text and the same with blanks around it."""
    return some.builds(lambda text, before, after: (text, before + text + after), inner, blanks, blanks)


def arrays(inner: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
    return some.lists(spaced(inner), max_size=4).map(lambda parts: f"[{','.join(wide for _, wide in parts)}]")


def objects(inner: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
    members = some.builds(lambda name, value: f"{name[1]}:{value[1]}", spaced(strings), spaced(inner))
    return some.lists(members, max_size=4).map(lambda parts: f"{{{','.join(parts)}}}")


values = some.recursive(strings | numbers | words, lambda inner: arrays(inner) | objects(inner))


@given(some.lists(some.tuples(spaced(strings), spaced(values))))
def test_the_members_of_an_object_are_those_it_was_made_of(
    members: list[tuple[tuple[str, str], ...]],
) -> None:
    text = "{" + ",".join(f"{name}:{value}" for (_, name), (_, value) in members) + "}"

    assert jsontext.fields(text.encode()) == {
        json.loads(name): value.encode() for (name, _), (value, _) in members
    }


@given(some.lists(spaced(values)))
def test_the_elements_of_an_array_are_those_it_was_made_of(elements: list[tuple[str, str]]) -> None:
    array = f"[{','.join(wide for _, wide in elements)}]".encode()
    expected = [text.encode() for text, _ in elements]

    assert jsontext.items(array) == expected
    assert jsontext.elements(b'{"other":[0], "events" : %b }' % array, "events") == expected


@given(
    values,
    some.sampled_from(['"', "[", "]", "{", "}", ",", ":", "\\", "\x01", "0", "x", "\ufeff"]),
    some.data(),
)
def test_json_with_a_character_too_many_is_what_the_standard_library_says(
    value: str, intruder: str, data: some.DataObject
) -> None:
    at = data.draw(some.integers(0, len(value)))
    text = value[:at] + intruder + value[at:]
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(BadJson, match=r"\(byte \d+\)"):
            jsontext.parse(text.encode())
    else:
        jsontext.parse(text.encode())


@given(values)
@example("[1e400,-1e400]")
@example('{"a":"\\ud800"}')
def test_values_are_what_the_standard_library_reads(value: str) -> None:
    # By way of text, since some numbers are equal without being the same.
    assert repr(jsontext.parse(value.encode())) == repr(json.loads(value))


def test_a_number_of_any_length_is_read() -> None:
    digits = b"9" * 100_000

    assert jsontext.parse(digits) == math.inf
    assert jsontext.parse(b"-" + digits) == -math.inf
    assert jsontext.parse(b"0." + digits) == 1.0
    assert jsontext.items(b"[" + digits + b"]") == [digits]


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity", rb'[NaN,"\ud800"]'])
def test_what_only_python_takes_for_a_number_is_refused(constant: bytes) -> None:
    with pytest.raises(BadJson):
        jsontext.parse(constant)


def test_no_kind_is_taken_for_another() -> None:
    for text in (b"[]", rb'["\ud800"]', b"1", b"1e400", b'"{}"'):
        with pytest.raises(OtherKind):
            jsontext.fields(text)
    for text in (b"{}", rb'{"\ud800":1}', b"1", b"1e400", b'"[]"'):
        with pytest.raises(OtherKind):
            jsontext.items(text)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"event":[]}', b'{"events":null}', b'{"events":{}}', b'{"events":"[]"}']
)
def test_a_member_that_is_absent_or_no_array_has_no_elements(body: bytes) -> None:
    assert jsontext.elements(body, "events") is None


DEEPER = (b"[" * 129, b'{"a":' * 129)
SPOILT = [
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'"\xff"',
    rb'"\ud800"',
    rb'{"\udc00":"]}"}',
    b'"[[[["',
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda text: text[:12])
def test_one_bad_element_spoils_no_other(spoilt: bytes) -> None:
    body = b'{"events":[{"n":1}, ' + spoilt + b' ,{"n":[2]}],"more":' + spoilt + b"}"
    found = jsontext.elements(body, "events")

    assert found
    assert (len(found), found[0], found[2]) == (3, b'{"n":1}', b'{"n":[2]}')
    if spoilt.startswith(DEEPER):
        with pytest.raises(BadJson, match="deeper than 128 levels"):
            jsontext.check(found[1])
    else:
        assert found[1] == spoilt


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda text: text[:12])
@pytest.mark.parametrize("end", [b"", b"]", b"]}x", b"]]}", b",]}", b"}]", b'"]}'])
def test_a_body_that_is_no_json_gives_no_elements_whatever_it_holds(spoilt: bytes, end: bytes) -> None:
    with pytest.raises(BadJson):
        jsontext.elements(b'{"events":[{"n":1},' + spoilt + end, "events")


def test_128_levels_are_read_and_129_are_not() -> None:
    def nested(levels: int) -> bytes:
        inmost = b"[]" if levels % 2 else b"1"
        return b'[{"a":' * (levels // 2) + inmost + b"}]" * (levels // 2)

    jsontext.check(nested(128))
    jsontext.parse(nested(128))
    with pytest.raises(BadJson, match="deeper than 128 levels"):
        jsontext.check(nested(129))


def test_brackets_within_strings_are_no_levels() -> None:
    text = b'["' + b"[{" * 10_000 + rb"\"" + b"[" * 10_000 + b'"]'

    assert jsontext.items(text) == [text[1:-1]]


def test_many_levels_side_by_side_are_not_deep() -> None:
    text = b"[" + b",".join([b'{"a":[[]]}'] * 10_000) + b"]"

    assert len(jsontext.items(text)) == 10_000


HOSTILE = [
    b'"' * 4_000_000,
    b'"\\' * 2_000_000,
    b"[" * 4_000_000,
    b'{"a":[' * 700_000,
    b"[{" * 500 + b'"' * 4_000_000,
    b"[" * 129 + b'"' + b"x" * 8_000_000 + b'"',
    rb'["\ud800"' + b',"\\u0000"' * 400_000,
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda text: text[:12])
def test_text_made_to_be_slow_is_refused_in_one_reading(body: bytes) -> None:
    # Read again for each quote or bracket, any of these would take hours.
    with pytest.raises(BadJson):
        jsontext.fields(body)
    with pytest.raises(BadJson):
        jsontext.elements(body, "events")
