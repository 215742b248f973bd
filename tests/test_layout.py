"""JSON laid out for people: only the space between its parts is touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hookline.layout import laid_out

pytestmark = pytest.mark.embedded

values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9),
    lambda inside: some.lists(inside, max_size=4) | some.dictionaries(some.text(max_size=4), inside),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("not JSON: {", "not JSON: {"),
        ("", ""),
        ('{"a":1,"a":12345678901234567890.0}', '{\n  "a": 1,\n  "a": 12345678901234567890.0\n}'),
        ("[ ] ", "[]"),
        (
            '{"a, \\"b\\": {": [null,true, -0]}',
            '{\n  "a, \\"b\\": {": [\n    null,\n    true,\n    -0\n  ]\n}',
        ),
        ('"\\u0000\\ud800"', '"\\u0000\\ud800"'),
        ('{"a":{ }}', '{\n  "a": {}\n}'),
        ("1e400", "1e400"),
        ("\ud800", "\ud800"),
    ],
)
def test_json_is_laid_out_and_otherwise_as_it_was(text: str, shown: str) -> None:
    assert laid_out(text) == shown


@given(values)
def test_what_is_laid_out_says_the_same(value: object) -> None:
    text = json.dumps(value)
    assert json.dumps(json.loads(laid_out(text))) == text


def test_what_is_long_or_deep_is_cut() -> None:
    assert laid_out(json.dumps(["x"] * 100_000), 1000).startswith('[\n  "x",\n  "x"')
    assert len(laid_out(json.dumps(["x"] * 100_000), 1000)) == 1000
    assert max(map(len, laid_out("[" * 128 + "]" * 128).splitlines())) == 30 * 2 + len("[]")
    assert laid_out("x" * 2000, 1000) == "x" * 1000
