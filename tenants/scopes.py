"""Which scope a request needs, and whether a key's scopes grant it. Pure."""

from collections.abc import Iterable

ANY_METHOD = "*"

# (path prefix, method) -> scope; contract, section 2.5. The first prefix that fits decides.
REQUIRED: tuple[tuple[str, dict[str, str]], ...] = (
    ("/v1/admin", {ANY_METHOD: "admin"}),
    ("/v1/tenants", {ANY_METHOD: "admin"}),
    ("/v1/apikeys", {ANY_METHOD: "admin"}),
    ("/v1/events", {"GET": "events.read", "POST": "events.publish"}),
    (
        "/v1/endpoints",
        {
            "GET": "endpoints.read",
            "POST": "endpoints.write",
            "PATCH": "endpoints.write",
            "DELETE": "endpoints.write",
        },
    ),
    (
        "/v1/subscriptions",
        {"GET": "subscriptions.read", "POST": "subscriptions.write", "DELETE": "subscriptions.write"},
    ),
    ("/v1/deliveries", {"GET": "deliveries.read"}),
    ("/v1/replay", {"GET": "deliveries.read", "POST": "deliveries.retry"}),
    ("/v1/dlq", {"GET": "dlq.read", "POST": "dlq.replay", "DELETE": "dlq.replay"}),
    ("/v1/stream", {ANY_METHOD: "stream.subscribe"}),
    ("/v1/uploads", {ANY_METHOD: "uploads.write"}),
)

# What `<resource>.write` grants besides itself.
WRITE_GRANTS = ("publish", "retry", "replay")

# Scopes that the documentation of earlier servers named for the same right.
SYNONYMS = {"deliveries.retry": ("replay.write", "replay.manage")}

# Where a stored key's `*` means its own tenant and not the installation.
INSTALLATION_WIDE = ("/v1/admin", "/v1/tenants")


def required(path: str, method: str) -> str | None:
    """The scope that this request needs; None if any valid key will do."""
    for prefix, methods in REQUIRED:
        if path == prefix or path.startswith(prefix + "/"):
            return methods.get(ANY_METHOD, methods.get(method))
    return None


def known() -> list[str]:
    """Every scope that some request needs."""
    return sorted({scope for _, methods in REQUIRED for scope in methods.values()})


def grants_something(name: str) -> bool:
    """Whether a key with this scope alone may do anything, which a mistyped one does not let it."""
    return any(is_granted(scope, [name], star_is_admin=True) for scope in known())


def is_granted(scope: str, granted: Iterable[str], *, star_is_admin: bool) -> bool:
    """Whether one of the granted scopes covers `scope`. Colons and dots mean the same."""
    spelled = {str(name).replace(":", ".") for name in granted}
    if "*" in spelled and (scope != "admin" or star_is_admin):
        return True
    return not spelled.isdisjoint(_granting(scope))


def _granting(scope: str) -> set[str]:
    resource, dot, action = scope.partition(".")
    names = {scope, *SYNONYMS.get(scope, ())}
    if dot:
        names.add(f"{resource}.manage")
    if action in WRITE_GRANTS:
        names.add(f"{resource}.write")
    return names
