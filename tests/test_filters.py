"""Filters: the contract's table, its edges, and what hostile tenants write."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from deliveries.documents import read
from deliveries.rules import filters
from deliveries.rules.filters import Clause
from deliveries.rules.values import MISSING, Document, equal, shown

pytestmark = pytest.mark.embedded

EVENT = b"""{
  "topic": "orders.paid", "tenant_id": "acme", "occurred_at": 1700000000000, "colour": "red",
  "payload": {
    "amount": 100, "price": 99.5, "whole": 1.0, "one": 1, "zero": 0, "minus": -0.0,
    "paid": true, "void": false, "note": null, "name": "M\\u00fcller & S\\u00f6hne", "empty": "",
    "digits": "100", "tags": ["a", "b"], "address": {"city": "Bern", "lines": [1, {"x": [2.0]}]},
    "items": [{"sku": "A1"}], "nothing": {}, "a.b": "dotted", "": "nameless", "half": "\\ud83d",
    "huge": 123456789012345678901234567890, "endless": 1e400, "many": %b
  }
}""" % (b"9" * 5000)


def event(body: bytes = EVENT) -> Document:
    return Document(lambda: read(body))


def as_json(value: Any) -> str:
    return json.dumps(value).replace("Infinity", "1e999")


def passes(expression: Any) -> bool:
    return filters.passes(as_json(expression), event())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("topic", "orders.paid"),
        ("tenant_id", "acme"),
        ("occurred_at", 1700000000000),
        ("colour", "red"),
        ("payload.amount", 100),
        ("payload.amount", 100.0),
        ("payload.whole", 1),
        ("payload.one", 1.0),
        ("payload.minus", 0),
        ("payload.paid", True),
        ("payload.void", False),
        ("payload.note", None),
        ("payload.empty", ""),
        ("payload.name", "Müller & Söhne"),
        ("payload.half", "\ud83d"),
        ("payload.tags", ["a", "b"]),
        ("payload.address", {"lines": [1.0, {"x": [2]}], "city": "Bern"}),
        ("payload.address.city", "Bern"),
        ("payload.nothing", {}),
        ("payload.", "nameless"),
        ("payload.huge", 123456789012345678901234567890),
    ],
)
def test_a_value_equals_itself(path: str, value: Any) -> None:
    assert passes({"eq": path, "value": value})
    assert not passes({"neq": path, "value": value})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("payload.amount", "100"),
        ("payload.digits", 100),
        ("payload.one", True),
        ("payload.paid", 1),
        ("payload.paid", "true"),
        ("payload.void", 0),
        ("payload.zero", False),
        ("payload.void", None),
        ("payload.note", False),
        ("payload.note", "null"),
        ("payload.empty", None),
        ("payload.nothing", []),
        ("payload.nothing", None),
        ("payload.tags", ["b", "a"]),
        ("payload.tags", ["a", "b", "c"]),
        ("payload.tags", "a"),
        ("payload.address", {"city": "Bern"}),
        ("payload.address", {"city": "Bern", "lines": [True, {"x": [2]}]}),
        ("payload.name", "müller & söhne"),
        ("payload.huge", 123456789012345678901234567891),
        ("payload.tags", {"0": "a", "1": "b"}),
    ],
)
def test_another_value_or_type_is_not_equal(path: str, value: Any) -> None:
    assert not passes({"eq": path, "value": value})
    assert passes({"neq": path, "value": value})


@pytest.mark.parametrize(
    "path",
    [
        "payload.missing",
        "missing",
        "missing.below",
        "payload.amount.below",
        "payload.note.below",
        "payload.tags.0",
        "payload.items.0.sku",
        "payload.items.sku",
        "payload.a.b",
        "payload.address.city.",
        "payload..amount",
        ".payload.amount",
        "Payload.amount",
        " payload.amount",
        "payload['amount']",
        "$.payload.amount",
        "",
    ],
)
def test_a_path_that_leads_nowhere_equals_nothing_not_even_null(path: str) -> None:
    assert event().at(path) is MISSING
    assert not passes({"eq": path, "value": None})
    assert not passes({"contains": path, "value": ""})
    assert not passes({"gte": path, "value": 0})
    assert passes({"neq": path, "value": None})


@pytest.mark.parametrize(
    ("path", "value", "fulfilled"),
    [
        ("payload.amount", 99, "gt gte"),
        ("payload.amount", 100, "gte lte"),
        ("payload.amount", 100.0, "gte lte"),
        ("payload.amount", 101, "lt lte"),
        ("payload.price", 99.4, "gt gte"),
        ("payload.zero", -0.0, "gte lte"),
        ("payload.huge", 123456789012345678901234567889, "gt gte"),
        ("payload.huge", 1e29, "gt gte"),
        ("payload.endless", 10**300, "gt gte"),
        ("payload.many", 10**300, "gt gte"),
        ("payload.amount", 10**400, "lt lte"),
        ("payload.amount", -math.inf, "gt gte"),
        ("payload.paid", 0, ""),
        ("payload.amount", True, ""),
        ("payload.digits", 99, ""),
        ("payload.amount", "99", ""),
        ("payload.name", "A", ""),
        ("payload.note", 0, ""),
        ("payload.tags", 0, ""),
        ("payload.amount", None, ""),
        ("payload.amount", [99], ""),
        ("payload.missing", 0, ""),
    ],
)
def test_only_numbers_are_more_or_less_than_another(path: str, value: Any, fulfilled: str) -> None:
    found = [name for name in ("gt", "gte", "lt", "lte") if passes({name: path, "value": value})]

    assert found == fulfilled.split()


@pytest.mark.parametrize(
    ("path", "value", "result"),
    [
        ("payload.name", "Söhne", True),
        ("payload.name", "M\u00fcller", True),
        ("payload.name", "", True),
        ("payload.name", "söhne", False),
        ("payload.name", "Müller & Söhne & more", False),
        ("payload.half", "\ud83d", True),
        ("payload.tags", "a", False),
        ("payload.address", "city", False),
        ("payload.amount", 1, False),
        ("payload.digits", 1, False),
        ("payload.digits", "1", True),
        ("payload.note", None, False),
        ("payload.missing", "", False),
    ],
)
def test_contains_looks_for_a_text_in_a_text(path: str, value: Any, result: bool) -> None:
    assert passes({"contains": path, "value": value}) == result


RED = {"eq": "colour", "value": "red"}
BLUE = {"eq": "colour", "value": "blue"}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ({"and": []}, True),
        ({"and": [RED]}, True),
        ({"and": [RED, BLUE]}, False),
        ({"and": [RED, {}]}, True),
        ({"or": []}, False),
        ({"or": [BLUE, RED]}, True),
        ({"or": [BLUE, BLUE]}, False),
        ({"or": [BLUE, {}]}, True),
        ({"not": RED}, False),
        ({"not": BLUE}, True),
        ({"not": {"not": RED}}, True),
        ({"not": {}}, False),
        ({"and": [{"or": [BLUE, {"not": BLUE}]}, RED]}, True),
    ],
)
def test_tests_are_joined_by_and_or_not(expression: Any, result: bool) -> None:
    assert passes(expression) == result


@pytest.mark.parametrize(
    "expression",
    [
        {},
        {"equals": "colour", "value": "blue"},
        {"EQ": "colour", "value": "blue"},
        {"regex": ".*"},
        {"value": "blue"},
        {"eq": "colour"},
        {"eq": None, "value": "blue"},
        {"eq": ["colour"], "value": "blue"},
        {"eq": {"path": "colour"}, "value": "blue"},
        {"gt": 5, "value": 1},
        {"and": BLUE},
        {"and": None},
        {"or": "blue"},
        {"or": {}},
        {"not": None},
        {"not": [RED]},
        {"not": "red"},
        {"and": [7, "x", None, [BLUE]]},
        {"or": [7]},
        {"op": "regex", "path": "colour", "value": "blue"},
        {"op": None},
        {"op": ["eq"], "path": "colour", "value": "blue"},
        {"op": {"eq": 1}, "path": "colour", "value": "blue"},
        {"op": "eq", "path": "colour"},
        {"op": "eq", "value": "blue"},
        {"op": "and"},
        {"op": "or", "conditions": BLUE},
        {"op": "not"},
        {"op": "not", "condition": "red"},
        {"op": "op", "path": "op"},
    ],
)
def test_what_is_no_operator_passes_everything(expression: Any) -> None:
    assert filters.fault_of(expression) is None
    assert passes(expression)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ({"eq": "colour", "neq": "colour", "value": "red"}, True),
        ({"neq": "colour", "eq": "colour", "value": "red"}, True),
        ({"neq": "colour", "contains": "colour", "value": "red"}, False),
        ({"gt": "payload.amount", "gte": "payload.amount", "value": 100}, False),
        ({"gte": "payload.amount", "lt": "payload.amount", "value": 100}, True),
        ({"lt": "payload.amount", "lte": "payload.amount", "value": 100}, False),
        ({"lte": "payload.amount", "contains": "colour", "value": 100}, True),
        ({"contains": "colour", "value": "e", "and": [BLUE]}, True),
        ({"eq": "colour", "and": [BLUE]}, True),  # eq comes first, and without a value knows nothing
        ({"and": [BLUE], "or": [RED]}, False),
        ({"and": None, "or": [BLUE]}, True),
        ({"or": [RED], "not": RED}, True),
        ({"not": RED, "op": "eq", "path": "colour", "value": "red"}, False),
        ({"not": 5, "op": "eq", "path": "colour", "value": "blue"}, True),
    ],
)
def test_the_first_operator_in_the_contracts_order_decides(expression: Any, result: bool) -> None:
    assert passes(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ({"op": "eq", "path": "colour", "value": "red"}, True),
        ({"op": "neq", "path": "colour", "value": "red"}, False),
        ({"op": "gt", "path": "data.amount", "value": 99}, True),
        ({"op": "contains", "path": "colour", "value": "blue"}, False),
        ({"op": "eq", "path": "payload.note", "value": None}, True),
        ({"op": "and", "conditions": [RED, {"op": "eq", "path": "colour", "value": "blue"}]}, False),
        ({"op": "or", "conditions": [{"op": "eq", "path": "colour", "value": "red"}, BLUE]}, True),
        ({"op": "and", "conditions": []}, True),
        ({"op": "or", "conditions": []}, False),
        ({"op": "not", "condition": RED}, False),
        ({"op": "not", "condition": {"op": "eq", "path": "colour", "value": "blue"}}, True),
        ({"op": "not", "conditions": [RED]}, False),
        ({"op": "not", "conditions": [BLUE]}, True),
        ({"op": "eq", "eq": "colour", "path": "topic", "value": "red"}, True),
    ],
)
def test_the_spelled_out_form_means_the_same(expression: Any, result: bool) -> None:
    assert passes(expression) == result


@pytest.mark.parametrize(
    ("body", "path", "found"),
    [
        (b'{"data": {"x": 1}}', "payload.x", 1),
        (b'{"payload": {"x": 1}}', "data.x", 1),
        (b'{"data": {"x": 1}, "payload": {"x": 2}}', "data.x", 1),
        (b'{"data": {"x": 1}, "payload": {"x": 2}}', "payload.x", 2),
        (b'{"data": {"x": 1}, "payload": {}}', "payload.x", MISSING),
        (b'{"data": {"x": 1}, "payload": null}', "payload.x", MISSING),
        (b'{"data": 5}', "payload", 5),
        (b"{}", "payload", MISSING),
        (b"{}", "data.x", MISSING),
        (b'{"other": {"x": 1}}', "payload.x", MISSING),
    ],
)
def test_data_and_payload_stand_for_each_other_where_one_was_sent(body: bytes, path: str, found: Any) -> None:
    assert event(body).at(path) is found or event(body).at(path) == found


def test_no_filter_lets_everything_pass() -> None:
    assert filters.passes(None, event())


def test_fields_are_neither_made_nor_parsed_until_a_path_asks_for_them() -> None:
    asked = []

    def fields() -> dict[str, bytes]:
        asked.append(1)
        return {"topic": b'"a"', "payload": b"this would not parse"}

    document = Document(fields)
    assert filters.passes(None, document)
    assert asked == []
    assert filters.passes('{"eq": "topic", "value": "a"}', document)
    assert asked == [1]


def nested(depth: int, kind: str) -> Any:
    """A filter that comes down to RED when the number of its `not`s is even."""
    expression: Any = RED
    for _ in range(depth):
        if kind == "condition":
            expression = {"op": "not", "condition": expression}
        elif kind == "conditions":
            expression = {"op": "and", "conditions": [expression]}
        elif kind == "not":
            expression = {"not": expression}
        else:
            expression = {kind: [expression]}
    return expression


@pytest.mark.parametrize(
    ("kind", "most"), [("not", 31), ("condition", 31), ("and", 15), ("or", 15), ("conditions", 15)]
)
def test_nesting_ends_at_32_levels_and_counts_to_the_last(kind: str, most: int) -> None:
    deepest = nested(most, kind)

    assert filters.fault_of(deepest) is None
    assert passes(deepest) == (kind not in ("not", "condition") or most % 2 == 0)
    assert passes(nested(most - 1, kind))
    assert filters.fault_of(nested(most + 1, kind)) == "must not be nested deeper than 32 levels"


def test_a_value_may_not_be_nested_deeper_either() -> None:
    value: Any = 1
    for _ in range(32):
        value = [value]

    assert filters.fault_of({"eq": "payload", "value": value}) == "must not be nested deeper than 32 levels"
    assert filters.fault_of({"eq": "payload", "value": value[0]}) is None


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "payload.amount > 5", [], [RED]])
def test_a_filter_is_an_object(value: Any) -> None:
    assert filters.fault_of(value) == 'must be an object such as {"eq": "payload.type", "value": "paid"}'


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=4),
    lambda inside: (
        some.lists(inside, max_size=3) | some.dictionaries(some.text(max_size=2), inside, max_size=3)
    ),
    max_leaves=12,
)
names = some.sampled_from(
    [
        "eq",
        "neq",
        "gt",
        "gte",
        "lt",
        "lte",
        "contains",
        "and",
        "or",
        "not",
        "op",
        "path",
        "value",
        "condition",
        "conditions",
        "x",
    ]
)
expressions = some.recursive(
    json_values | some.sampled_from(["payload.a", "topic", "data", "eq", "not"]),
    lambda inside: some.dictionaries(names, inside | some.lists(inside, max_size=3), max_size=4),
    max_leaves=20,
)


@given(some.dictionaries(names, expressions, max_size=5), json_values)
def test_no_filter_that_is_accepted_fails_on_any_event(expression: Any, payload: Any) -> None:
    body = as_json({"topic": "a", "payload": payload}).encode()

    if filters.fault_of(expression) is None:
        assert filters.passes(as_json(expression), event(body)) in (True, False)


@given(json_values)
def test_every_value_is_equal_to_itself_read_again(value: Any) -> None:
    assert equal(value, json.loads(json.dumps(value)))


@given(json_values, json_values)
def test_equality_is_symmetric_and_neq_is_its_opposite(one: Any, other: Any) -> None:
    assert equal(one, other) == equal(other, one)
    assert equal(one, other) or filters.COMPARISONS["neq"](one, other)


# --- Why an event does not pass -------------------------------------------------------------

AMOUNT, NAME = {"gte": "payload.amount", "value": 200}, {"contains": "payload.name", "value": "Meier"}
TOO_LITTLE = Clause("gte", "payload.amount", 200, 100)
NO_MEIER = Clause("contains", "payload.name", "Meier", "Müller & Söhne")
IS_RED = Clause("eq", "colour", "red", "red", held=True)


@pytest.mark.parametrize(
    ("expression", "clauses"),
    [
        (RED, []),
        (AMOUNT, [TOO_LITTLE]),
        ({"op": "gte", "path": "payload.amount", "value": 200}, [TOO_LITTLE]),
        ({"eq": "payload.gone.below", "value": None}, [Clause("eq", "payload.gone.below", None, MISSING)]),
        ({"neq": "colour", "value": "red"}, [Clause("neq", "colour", "red", "red")]),
        ({"and": [RED, AMOUNT, NAME]}, [TOO_LITTLE, NO_MEIER]),
        ({"and": [RED, {"and": [RED, {"or": [AMOUNT, NAME]}]}]}, [TOO_LITTLE, NO_MEIER]),
        ({"or": [AMOUNT, NAME]}, [TOO_LITTLE, NO_MEIER]),
        ({"or": [AMOUNT, RED]}, []),
        ({"not": RED}, [IS_RED]),
        ({"not": {"or": [AMOUNT, RED, NAME]}}, [IS_RED]),
        ({"not": {"and": [RED, {"not": AMOUNT}]}}, [IS_RED, TOO_LITTLE]),
        ({"not": {"not": AMOUNT}}, [TOO_LITTLE]),
        ({"or": []}, [Clause("or")]),
        ({"not": {"and": []}}, [Clause("and", held=True)]),
        ({"not": {}}, [Clause("", held=True)]),
        ({"not": {"xor": [RED]}}, [Clause("", held=True)]),
        ({"and": []}, []),
        ({}, []),
    ],
)
def test_the_clauses_that_decide_are_named_with_what_was_found(
    expression: Any, clauses: list[Clause]
) -> None:
    told = filters.failures(as_json(expression), event())
    assert [(one.operator, one.path, one.wanted, one.held) for one in told] == [
        (one.operator, one.path, one.wanted, one.held) for one in clauses
    ]
    assert all(
        one.found is two.found or one.found == two.found for one, two in zip(told, clauses, strict=True)
    )


def test_no_filter_fails_no_event() -> None:
    assert filters.failures(None, event()) == []


def test_no_more_clauses_are_named_than_people_read() -> None:
    told = filters.failures(as_json({"and": [AMOUNT] * 10_000}), event())
    assert len(told) == filters.MOST_CLAUSES


@given(some.dictionaries(names, expressions, max_size=5), json_values)
def test_clauses_are_named_exactly_where_an_event_does_not_pass(expression: Any, payload: Any) -> None:
    document = event(as_json({"topic": "a", "payload": payload}).encode())
    if filters.fault_of(expression) is None:
        text = as_json(expression)
        assert bool(filters.failures(text, document)) != filters.passes(text, document)


@given(some.dictionaries(names, expressions, max_size=5), json_values)
def test_a_clause_that_is_named_came_out_as_it_says(expression: Any, payload: Any) -> None:
    """Asked alone of the same event, it gives the same answer."""
    document = event(as_json({"topic": "a", "payload": payload}).encode())
    if filters.fault_of(expression) is None:
        for clause in filters.failures(as_json(expression), document):
            if clause.path or clause.operator in filters.COMPARISONS:
                alone = as_json({clause.operator: clause.path, "value": clause.wanted})
                assert filters.passes(alone, document) == clause.held


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (MISSING, ""),
        ("Söhne", '"Söhne"'),
        ("\ud83d", '"?"'),
        ({"a": [1, True, 1.5]}, '{"a": [1, true, 1.5]}'),
        (12345678901234567890123, "12345678901234567890123"),
        (math.inf, "Infinity"),
        ("x" * 300, '"' + "x" * 199 + "…"),
        (list(range(1000)), str(list(range(1000)))[:200] + "…"),
        ({"a": "x" * 300}, '{"a": "' + "x" * 193 + "…"),
    ],
)
def test_a_value_is_shown_to_people_as_json_and_not_at_length(value: Any, text: str) -> None:
    assert shown(value) == text


@given(json_values)
def test_whatever_was_found_can_be_shown(value: Any) -> None:
    assert len(shown(value, 20).encode()) <= 21 * 4
