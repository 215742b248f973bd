"""How lists are cut into pages, and how the query string says which."""

import re

from django.http import QueryDict

MOST = 1000
INTEGER = re.compile(r"[+-]?[0-9]+")
# A longer number says no more than one of so many digits: it lies beyond every time.
DIGITS = 30


def limit_of(query: QueryDict, default: int, beyond: int) -> int:
    """`limit` from 1 to 1000; `beyond` where the number lies outside, `default` where it is none."""
    limit = _integer(query, "limit")
    if limit is None:
        return default
    return limit if 1 <= limit <= MOST else beyond


def milliseconds_of(query: QueryDict, name: str) -> int | None:
    """A time in ms; absent, 0 and anything that is no number mean no bound."""
    return _integer(query, name) or None


def _integer(query: QueryDict, name: str) -> int | None:
    text = query.get(name, "")
    return int(text[:DIGITS]) if INTEGER.fullmatch(text) else None
