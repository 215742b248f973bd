"""Topic patterns: every row of the contract's table, and a slow matcher that is right by its looks."""

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from deliveries.rules import topics
from deliveries.rules.topics import Mismatch

pytestmark = pytest.mark.embedded

EVERYTHING = ["orders", "orders.created", "a", "a.b.c.d", "", ".", "a..b", "*", "#", "ö.ß", "a b/c"]


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (
            "orders.created",
            ["orders.created"],
            ["orders", "orders.created.v2", "Orders.created", "orderscreated"],
        ),
        (
            "orders.*",
            ["orders.created", "orders.", "orders.*", "orders.#"],
            ["orders.created.v2", "orders", "a.b"],
        ),
        ("*", ["a", "#", "a b"], ["a.b", "."]),
        ("*.created", ["orders.created", ".created"], ["created", "a.b.created", "orders.Created"]),
        ("a.*.c", ["a.b.c", "a..c"], ["a.c", "a.b.b.c"]),
        ("orders.#", ["orders", "orders.a", "orders.a.b", "orders."], ["order", "ordersa", "a.orders"]),
        ("#", EVERYTHING, []),
        ("a.#.b", ["a.x.b", "a.x.y.b", "a.b.b"], ["a.b", "a.x", "a.x.b.c", "x.b"]),
        ("#.b", ["a.b", "a.a.b", "b.b"], ["b", "a.b.c"]),
        ("a.*.#", ["a.b", "a.b.c", "a.b.c.d"], ["a", "b.a"]),
        ("#.#", EVERYTHING, []),
        ("#.#.#", ["a.b", "a.b.c"], ["a"]),
        ("#.b.#", ["a.b", "a.b.c", "b.b"], ["b", "b.c", "a"]),
        ("#.*", ["a.b", "a.b.c"], ["a"]),
        ("#.a.#.b", ["x.a.y.b", "a.a.a.b", "x.a.a.b.b"], ["a.x.b", "x.a.b", "x.a.y.b.c"]),
        ("ord*", ["ord*"], ["orders", "ord"]),
        ("*ers", ["*ers"], ["orders"]),
        ("a.b#", ["a.b#"], ["a.b", "a.b.c"]),
        ("a.+", ["a.+"], ["a.b"]),
        ("a.?", ["a.?"], ["a.b"]),
        ("a.[b]", ["a.[b]"], ["a.b"]),
        ("ö.ß", ["ö.ß"], ["Ö.ß", "ö.ss", "o\u0308.ß"]),
        ("", [""], ["a", "."]),
        ("a.", ["a."], ["a", "a.b"]),
        (".", ["."], ["", "a"]),
    ],
)
def test_a_pattern_matches_these_topics_and_no_others(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    assert [topic for topic in matching if not topics.matches(pattern, topic)] == []
    assert [topic for topic in others if topics.matches(pattern, topic)] == []


def matches_by_definition(pattern: list[str], topic: list[str]) -> bool:
    if not pattern:
        return not topic
    first, *rest = pattern
    if first == "#":
        least = 1 if rest else 0
        return any(matches_by_definition(rest, topic[taken:]) for taken in range(least, len(topic) + 1))
    return bool(topic) and first in ("*", topic[0]) and matches_by_definition(rest, topic[1:])


@pytest.mark.parametrize(
    ("pattern", "topic", "parting"),
    [
        ("orders.created", "orders.paid", Mismatch(2, "created", "paid")),
        ("orders.created", "order.created", Mismatch(1, "orders", "order")),
        ("orders.created", "orders", Mismatch(2, "created", None)),
        ("orders.created", "orders.created.v2", Mismatch(3, None, "v2")),
        ("orders.*", "orders", Mismatch(2, "*", None)),
        ("orders.*.paid", "orders.eu.sent", Mismatch(3, "paid", "sent")),
        ("orders.#", "order.paid", Mismatch(1, "orders", "order")),
        ("orders.eu.#", "orders", Mismatch(2, "eu", None)),
        ("a.#.b", "a.b", Mismatch(3, "b", None)),
        ("#.b", "a.c", Mismatch(3, "b", None)),
        ("#.b", "b", Mismatch(2, "b", None)),
        ("", "a", Mismatch(1, "", "a")),
        ("orders.#", "orders.paid", None),
    ],
)
def test_where_a_pattern_and_a_topic_part_is_told(pattern: str, topic: str, parting: Mismatch | None) -> None:
    assert topics.mismatch(pattern, topic) == parting


patterns = some.lists(some.sampled_from(["a", "b", "", "*", "#", "#", "a*"]), min_size=1, max_size=7)
segments = some.lists(some.sampled_from(["a", "b", "", "*", "#", "a*"]), min_size=1, max_size=8)


@given(patterns, segments)
@example(["#", "a", "#", "b", "#"], ["a", "a", "b", "a", "b"])
@example(["#", "#"], ["a"])
def test_the_matcher_agrees_with_the_definition(pattern: list[str], topic: list[str]) -> None:
    expected = matches_by_definition(pattern, topic)

    assert topics.matches(".".join(pattern), ".".join(topic)) == expected
    assert (topics.mismatch(".".join(pattern), ".".join(topic)) is None) == expected


@given(patterns, segments)
def test_what_is_told_of_a_mismatch_is_so(pattern: list[str], topic: list[str]) -> None:
    if parting := topics.mismatch(".".join(pattern), ".".join(topic)):
        assert parting.found == (topic[parting.segment - 1] if parting.segment <= len(topic) else None)
        assert parting.wanted is None or parting.wanted in pattern or parting.wanted == "*"
        assert parting.wanted != parting.found


@given(patterns, segments)
def test_every_matching_topic_begins_with_the_literal_prefix(pattern: list[str], topic: list[str]) -> None:
    text = ".".join(pattern)
    if topics.matches(text, ".".join(topic)):
        assert ".".join(topic).startswith(topics.literal_prefix(text))


@given(patterns, segments)
def test_an_exact_pattern_matches_its_own_spelling_alone(pattern: list[str], topic: list[str]) -> None:
    text = ".".join(pattern)
    assert topics.matches(text, text) or not topics.is_exact(text)
    if topics.is_exact(text) and topic != pattern:
        assert not topics.matches(text, ".".join(topic))


@pytest.mark.parametrize(
    ("pattern", "topic"),
    [
        ("#." * 400 + "b", "a." * 999 + "a"),
        ("#.a." * 250 + "b", "a." * 999 + "a"),
        ("#.a.a.a.a.b." * 80 + "c", "a." * 999 + "a"),
        ("#." + "a." * 500 + "b", "a." * 999 + "a"),
        ("#.*." * 250 + "b", "a." * 999 + "a"),
        ("#." * 499 + "#", "a." * 999 + "a"),
    ],
)
def test_a_hostile_pattern_costs_no_more_than_the_product_of_the_lengths(pattern: str, topic: str) -> None:
    lengths = len(topics._compiled(pattern)), len(topic.split("."))

    steps = lines_run(topics._parting, topics._compiled(pattern), topic.split("."))

    assert steps < 10 * (lengths[0] + 1) * (lengths[1] + 1)


def lines_run(function: Any, *arguments: Any) -> int:
    """How many lines of this one function are run."""
    count = 0

    def each_line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return each_line

    def each_call(frame: FrameType, event: str, argument: Any) -> Any:
        return each_line if frame.f_code is function.__code__ else None

    before = sys.gettrace()
    sys.settrace(each_call)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return count


def test_a_pattern_may_be_a_thousand_characters_long() -> None:
    assert topics.fault_of("a" * 1000) is None
    assert topics.fault_of("a" * 1001) == "must not be longer than 1000 characters"
