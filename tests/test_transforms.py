"""Transforms: what the operations do, and that they leave every other byte as it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deliveries.documents import read
from deliveries.rules import transforms

pytestmark = pytest.mark.embedded

BODY = (
    rb'{"topic":"a.b","payload":{"n":1.50,"big":123456789012345678901,"x":1,"x":2,"e":"\u00e9\/"},'
    rb'"src": [1 , 2],"half":"\ud83d"}'
)
FIELDS = read(BODY)


def applied(transform: Any, body: bytes = BODY) -> dict[str, bytes]:
    return transforms.apply(json.dumps(transform), read(body))


def changes(transform: Any) -> dict[str, Any]:
    """The fields that a transform changed, added or, as None, removed."""
    after = applied(transform)
    gone = {name: None for name in FIELDS if name not in after}
    return gone | {name: json.loads(raw) for name, raw in after.items() if FIELDS.get(name) != raw}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "rename_field", "from": "src", "to": "source"}, {"src": None, "source": [1, 2]}),
        ({"op": "rename_field", "from": "src", "to": "topic"}, {"src": None, "topic": [1, 2]}),
        ({"op": "rename_field", "from": "src", "to": "src"}, {}),
        ({"op": "rename_field", "from": "missing", "to": "topic"}, {}),
        ({"op": "remove_field", "field": "src"}, {"src": None}),
        ({"op": "remove_field", "field": "missing"}, {}),
        ({"op": "remove_field", "field": "payload.n"}, {}),
        ({"op": "add_field", "field": "src", "value": 1}, {}),
        ({"op": "add_field", "field": "new", "value": {"a": [None]}}, {"new": {"a": [None]}}),
        ({"op": "add_field", "field": "payload.src", "value": 1}, {"payload.src": 1}),
        ({"op": "set_field", "field": "src", "value": "web"}, {"src": "web"}),
        ({"op": "set_field", "field": "new", "value": False}, {"new": False}),
        ({"op": "set_field", "path": "new", "value": 1}, {"new": 1}),
        ({"op": "remove_field", "path": "src"}, {"src": None}),
        ({"op": "add_field", "path": "src", "value": 1}, {}),
        ({"op": "remove_field", "field": "src", "path": "topic"}, {"src": None}),
    ],
)
def test_an_operation_changes_this_and_nothing_else(operation: Any, expected: dict[str, Any]) -> None:
    assert changes(operation) == expected
    assert changes([operation]) == expected


@pytest.mark.parametrize(
    "transform",
    [
        [],
        {},
        {"op": "uppercase", "field": "topic"},
        {"op": None, "field": "topic"},
        {"op": ["remove_field"], "field": "topic"},
        {"op": {"remove_field": 1}, "field": "topic"},
        {"field": "topic"},
        {"op": "REMOVE_FIELD", "field": "topic"},
        {"op": "remove_field"},
        {"op": "remove_field", "field": None},
        {"op": "remove_field", "field": 5},
        {"op": "remove_field", "field": ["topic"]},
        {"op": "remove_field", "field": {"topic": 1}},
        {"op": "set_field", "field": "topic"},
        {"op": "set_field", "value": 1},
        {"op": "add_field", "field": "new"},
        {"op": "rename_field", "from": "topic"},
        {"op": "rename_field", "to": "topic"},
        {"op": "rename_field", "from": ["topic"], "to": "x"},
        {"op": "rename_field", "from": "topic", "to": None},
        {"op": "rename_field", "from": "topic", "to": {"x": 1}},
        [{"op": "no"}, {}],
    ],
)
def test_an_operation_that_is_unknown_or_incomplete_is_ignored(transform: Any) -> None:
    assert transforms.fault_of(transform) is None
    assert changes(transform) == {}


def test_operations_are_applied_in_their_order() -> None:
    swap = [
        {"op": "rename_field", "from": "topic", "to": "kept"},
        {"op": "rename_field", "from": "src", "to": "topic"},
        {"op": "rename_field", "from": "kept", "to": "src"},
        {"op": "add_field", "field": "topic", "value": "too late"},
        {"op": "set_field", "field": "half", "value": "whole"},
        {"op": "remove_field", "field": "payload"},
    ]

    assert changes(swap) == {"topic": [1, 2], "src": "a.b", "half": "whole", "payload": None}


def test_without_a_transform_the_fields_are_the_same() -> None:
    assert transforms.apply(None, FIELDS) is FIELDS


def test_the_event_itself_is_not_changed() -> None:
    before = dict(FIELDS)
    transforms.apply('{"op": "remove_field", "field": "payload"}', FIELDS)
    assert before == FIELDS


@pytest.mark.parametrize(
    "spelling", [rb"1.50", rb"1E2", rb"1e999", rb'"\u00e9\/"', rb'{"a" : 1, "a":2 }', rb"[ ]"]
)
def test_a_value_is_delivered_as_the_transform_spells_it(spelling: bytes) -> None:
    for operation in ("set_field", "add_field"):
        text = f'[ {{"op":"{operation}","field":"new","value": {spelling.decode()} }} ]'
        assert transforms.apply(text, FIELDS) == FIELDS | {"new": spelling}


@pytest.mark.parametrize(
    "text", ['  [{"op":"remove_field","field":"src"}]', '\n{"op":"remove_field","field":"src"} ']
)
def test_space_around_a_transform_means_nothing(text: str) -> None:
    assert transforms.apply(text, FIELDS).keys() == FIELDS.keys() - {"src"}


@pytest.mark.parametrize("value", [5, "x", True, None, [5], [{}, "x"], [[]]])
def test_a_transform_is_an_object_or_a_list_of_objects(value: Any) -> None:
    assert str(transforms.fault_of(value)).startswith("must be an operation or a list of operations")


names = some.sampled_from(["topic", "payload", "src", "half", "new", "", "é", "\ud83d"])
operations = some.fixed_dictionaries(
    {"op": some.sampled_from(["rename_field", "remove_field", "add_field", "set_field", "x"])},
    optional={"field": names, "path": names, "from": names, "to": names, "value": some.integers() | names},
)


@given(some.lists(operations, max_size=6))
def test_every_value_in_the_result_stood_in_the_event_or_in_the_transform(transform: list[Any]) -> None:
    given = [*FIELDS.values(), *(json.dumps(step["value"]).encode() for step in transform if "value" in step)]

    assert all(raw in given for raw in applied(transform).values())


@given(some.lists(operations, max_size=6))
def test_a_field_that_no_operation_names_keeps_its_place_and_its_bytes(transform: list[Any]) -> None:
    named = {step.get(key) for step in transform for key in ("field", "path", "from", "to")}
    kept = [(name, raw) for name, raw in FIELDS.items() if name not in named]

    assert [item for item in applied(transform).items() if item[0] not in named] == kept
