"""Topic patterns: `orders.*` is one more segment, `orders.#` any number of them, also none.

A `#` that is not last stands for one segment or more. Nothing else is special, and case counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

ONE, ANY_NUMBER = "*", "#"
LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a pattern and a topic part: at this segment of the topic, from 1. `wanted` is None where
    the pattern ends, and `found` where the topic does."""

    segment: int
    wanted: str | None
    found: str | None


def fault_of(pattern: str) -> str | None:
    """Why nobody may subscribe to this pattern, as a sentence; None if anybody may."""
    return f"must not be longer than {LONGEST} characters" if len(pattern) > LONGEST else None


def matches(pattern: str, topic: str) -> bool:
    return _parting(_compiled(pattern), topic.split(".")) is None


def mismatch(pattern: str, topic: str) -> Mismatch | None:
    """Why the pattern does not match the topic; None exactly when it does."""
    wanted, found = _compiled(pattern), topic.split(".")
    parting = _parting(wanted, found)
    if parting is None:
        return None
    at, here = parting
    return Mismatch(here + 1, _nth(wanted, at), _nth(found, here))


def _nth(segments: Sequence[str], n: int) -> str | None:
    return segments[n] if n < len(segments) else None


def is_exact(pattern: str) -> bool:
    """Whether the pattern matches only the topic that is spelled like it."""
    return not {ONE, ANY_NUMBER} & set(pattern.split("."))


def literal_prefix(pattern: str) -> str:
    """What every matching topic begins with, for a search by index."""
    literal = pattern.split(".")
    for position, segment in enumerate(literal):
        if segment in (ONE, ANY_NUMBER):
            return ".".join(literal[:position])
    return pattern


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> tuple[str, ...]:
    """Segments where `#` means none or more: one that is not last becomes `*` and `#`."""
    *head, last = pattern.split(".")
    compiled: list[str] = []
    for segment in head:
        compiled += [ONE, ANY_NUMBER] if segment == ANY_NUMBER else [segment]
    return (*compiled, last)


def _parting(pattern: tuple[str, ...], topic: list[str]) -> tuple[int, int] | None:
    """The segments of the two that cannot stand for each other; None if all do.

    Compares from the left and, at a mismatch, lets the latest `#` take one segment more.
    Earlier ones need not be tried again, so a hostile pattern costs at most the product of
    the two lengths.
    """
    at, here = 0, 0
    resume: tuple[int, int] | None = None
    while here < len(topic):
        if at < len(pattern) and pattern[at] == ANY_NUMBER:
            resume = (at, here)
            at += 1
        elif at < len(pattern) and pattern[at] in (ONE, topic[here]):
            at, here = at + 1, here + 1
        elif resume:
            resume = (resume[0], resume[1] + 1)
            at, here = resume[0] + 1, resume[1]
        else:
            return at, here
    missing = (place for place in range(at, len(pattern)) if pattern[place] != ANY_NUMBER)
    return next(((place, here) for place in missing), None)
