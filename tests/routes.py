"""Every route there is, from the URL resolver, and the scope that the contract asks for it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from tests.test_scopes import ROWS

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Route(NamedTuple):
    """`path` has its variables in it, as in `/v1/events/<event_id>`."""

    path: str
    methods: tuple[str, ...]

    def named(self, **names: str) -> str:
        path = self.path.replace("<path:", "<")
        for name, text in names.items():
            path = path.replace(f"<{name}>", text)
        assert "<" not in path, f"Nothing is known that {path} could lead to"
        return path


def routes() -> list[Route]:
    """All but those of the console, which asks for a session and not for a key."""
    return [
        Route(path, tuple(method for method in METHODS if method.lower() in _handlers(view)))
        for path, view in _leaves("/", get_resolver().url_patterns)
    ]


def scope_of(path: str, method: str) -> str | None:
    """None if any valid key will do."""
    for prefix, *scopes in ROWS:
        if path == prefix or path.startswith(prefix + "/"):
            by_method = dict(zip(("GET", "POST", "PATCH", "DELETE"), scopes, strict=True))
            scope = by_method.get(method, scopes[0] if len(set(scopes)) == 1 else "-")
            return None if scope == "-" else scope
    raise AssertionError(f"The contract's table of scopes has no {path}")


def _handlers(view: Any) -> set[str]:
    return {name for name in getattr(view, "http_method_names", ()) if hasattr(view, name)}


def _leaves(before: str, patterns: Any) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield path, getattr(pattern.callback, "cls", pattern.callback)
        elif isinstance(pattern, URLResolver) and pattern.namespace != "admin":
            yield from _leaves(path, pattern.url_patterns)
