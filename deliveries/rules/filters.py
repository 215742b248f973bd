"""Subscription filters: `{"gte": "payload.amount", "value": 100}`, joined by and, or, not.

An object with no operator that we know passes everything, as clients of earlier servers expect.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol

from deliveries.rules.values import MISSING, Document, equal, is_number
from hookline.jsontext import parse

MAX_DEPTH = 32
MOST_CLAUSES = 20


def _both_numbers(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda found, wanted: is_number(found) and is_number(wanted) and compare(found, wanted)


def _contains(found: Any, wanted: Any) -> bool:
    return isinstance(found, str) and isinstance(wanted, str) and wanted in found


# In the order of precedence where one object holds several.
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": equal,
    "neq": lambda found, wanted: not equal(found, wanted),
    "gt": _both_numbers(operator.gt),
    "gte": _both_numbers(operator.ge),
    "lt": _both_numbers(operator.lt),
    "lte": _both_numbers(operator.le),
    "contains": _contains,
}


def passes(text: str | None, document: Document) -> bool:
    """Whether an event passes a stored filter; no filter lets everything pass."""
    return text is None or compiled(text).holds(document)


def failures(text: str | None, document: Document) -> list["Clause"]:
    """The clauses for which an event does not pass, the first ones; none exactly when it passes."""
    if text is None or (rule := compiled(text)).holds(document):
        return []
    return list(islice(rule.decisive(document), MOST_CLAUSES))


def fault_of(expression: object) -> str | None:
    """Why this cannot be a filter, as a sentence; None if it can."""
    if not isinstance(expression, dict):
        return 'must be an object such as {"eq": "payload.type", "value": "paid"}'
    if _depth(expression) > MAX_DEPTH:
        return f"must not be nested deeper than {MAX_DEPTH} levels"
    return None


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a filter that decided about an event. One that `held` decided against it because
    it stands in a `not`. Without a `path` it is an `and`, an `or` or an object with nothing in it."""

    operator: str
    path: str = ""
    wanted: Any = None
    found: Any = MISSING
    held: bool = False


class Rule(Protocol):
    """A filter, or a part of one."""

    def holds(self, document: Document) -> bool: ...

    def decisive(self, document: Document) -> Iterator[Clause]:
        """The clauses that make it hold, or not hold. There is always one."""
        ...


class Always:
    def holds(self, document: Document) -> bool:
        return True

    def decisive(self, document: Document) -> Iterator[Clause]:
        yield Clause("", held=True)


ALWAYS = Always()


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    path: str
    wanted: Any

    def holds(self, document: Document) -> bool:
        return COMPARISONS[self.operator](document.at(self.path), self.wanted)

    def decisive(self, document: Document) -> Iterator[Clause]:
        found = document.at(self.path)
        yield Clause(self.operator, self.path, self.wanted, found, self.holds(document))


@dataclass(frozen=True, slots=True)
class Joined:
    operator: str
    parts: tuple[Rule, ...]

    def holds(self, document: Document) -> bool:
        return JOINS[self.operator](part.holds(document) for part in self.parts)

    def decisive(self, document: Document) -> Iterator[Clause]:
        """Of the parts, those that came out as the whole did."""
        held = self.holds(document)
        if not self.parts:
            yield Clause(self.operator, held=held)
        for part in self.parts:
            if part.holds(document) == held:
                yield from part.decisive(document)


JOINS: Mapping[str, Callable[[Iterable[bool]], bool]] = {"and": all, "or": any}


@dataclass(frozen=True, slots=True)
class Negated:
    part: Rule

    def holds(self, document: Document) -> bool:
        return not self.part.holds(document)

    def decisive(self, document: Document) -> Iterator[Clause]:
        yield from self.part.decisive(document)


@lru_cache(maxsize=10_000)
def compiled(text: str) -> Rule:
    return build(parse(text.encode()))


def build(expression: object, depth: int = 0) -> Rule:
    if not isinstance(expression, dict) or depth > MAX_DEPTH:
        return ALWAYS
    for name in COMPARISONS:
        if name in expression:
            return _comparison(name, expression)
    return _combination(expression, depth)


def _comparison(name: str, expression: Mapping[str, Any]) -> Rule:
    path = expression[name]
    if "value" not in expression or not isinstance(path, str):
        return ALWAYS
    return Comparison(name, path, expression["value"])


def _combination(expression: Mapping[str, Any], depth: int) -> Rule:
    for name in JOINS:
        if name in expression:
            return _joined(name, expression[name], depth)
    if "not" in expression:
        return _negated(expression["not"], depth)
    return build(_spelled_out(expression), depth) if "op" in expression else ALWAYS


def _joined(name: str, parts: object, depth: int) -> Rule:
    if not isinstance(parts, list):
        return ALWAYS
    return Joined(name, tuple([build(part, depth + 1) for part in parts]))


def _negated(part: object, depth: int) -> Rule:
    return Negated(build(part, depth + 1)) if isinstance(part, dict) else ALWAYS


def _spelled_out(expression: Mapping[str, Any]) -> dict[str, Any]:
    """`{"op": "gt", "path": P, "value": V}`, the form of the 2.0 release notes, as `{"gt": P, …}`."""
    match expression["op"], expression.get("conditions"):
        case ("and" | "or") as name, conditions:
            return {name: conditions}
        case "not", list(conditions):
            return {"not": {"and": conditions}}
        case "not", _:
            return {"not": expression.get("condition")}
        case str(name), _ if name in COMPARISONS:
            rest = {key: value for key, value in expression.items() if key == "value"}
            return {name: expression.get("path")} | rest
    return {}


def _depth(value: object) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(_depth, parts), default=0)
