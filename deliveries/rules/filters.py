"""Subscription filters: `{"gte": "payload.amount", "value": 100}`, joined by and, or, not.

An object with no operator that we know passes everything, as clients of earlier servers expect.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from deliveries.rules.values import Document, equal, is_number
from hookline.jsontext import parse

Test = Callable[[Document], bool]

MAX_DEPTH = 32


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
    return text is None or compiled(text)(document)


@lru_cache(maxsize=10_000)
def compiled(text: str) -> Test:
    return build(parse(text.encode()))


def fault_of(expression: object) -> str | None:
    """Why this cannot be a filter, as a sentence; None if it can."""
    if not isinstance(expression, dict):
        return 'must be an object such as {"eq": "payload.type", "value": "paid"}'
    if _depth(expression) > MAX_DEPTH:
        return f"must not be nested deeper than {MAX_DEPTH} levels"
    return None


def build(expression: object, depth: int = 0) -> Test:
    if not isinstance(expression, dict) or depth > MAX_DEPTH:
        return _always
    for name, compare in COMPARISONS.items():
        if name in expression:
            return _comparison(compare, expression, name)
    return _combination(expression, depth)


def _comparison(compare: Callable[[Any, Any], bool], expression: Mapping[str, Any], name: str) -> Test:
    path = expression[name]
    if "value" not in expression or not isinstance(path, str):
        return _always
    wanted = expression["value"]
    return lambda document: compare(document.at(path), wanted)


def _combination(expression: Mapping[str, Any], depth: int) -> Test:
    if "and" in expression:
        return _joined(all, expression["and"], depth)
    if "or" in expression:
        return _joined(any, expression["or"], depth)
    if "not" in expression:
        return _negated(expression["not"], depth)
    return build(_spelled_out(expression), depth) if "op" in expression else _always


def _joined(join: Callable[[Iterable[bool]], bool], parts: object, depth: int) -> Test:
    if not isinstance(parts, list):
        return _always
    tests = [build(part, depth + 1) for part in parts]
    return lambda document: join(test(document) for test in tests)


def _negated(part: object, depth: int) -> Test:
    if not isinstance(part, dict):
        return _always
    test = build(part, depth + 1)
    return lambda document: not test(document)


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


def _always(document: Document) -> bool:
    return True


def _depth(value: object) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(_depth, parts), default=0)
