"""What people may call tenants, keys and scopes, and what limits they may set. Pure."""

import re
from collections.abc import Sequence

from hookline.errors import Invalid
from tenants import scopes

TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,199}")
LONGEST = 200


def tenant_id(text: object) -> str:
    if not isinstance(text, str) or not TENANT_ID.fullmatch(text):
        raise Invalid("Invalid field 'id': must be 1 to 200 letters, digits or . _ : @ + -")
    return text


def printable(text: str) -> str:
    """A name without what no database holds and no page shows; it may be empty then."""
    return "".join(char for char in text if char.isprintable())[:LONGEST]


def queue_depth(value: object) -> int | None:
    """A limit of pending jobs; None for that of the installation."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value < 2**31):  # type: ignore[operator]
        raise Invalid("Invalid field 'max_queue_depth': must be a whole number from 0, or null")
    return value  # type: ignore[return-value]


def granting(names: Sequence[str]) -> list[str]:
    """Scopes as people type them: raises Invalid for one that grants nothing."""
    for name in names:
        if not scopes.grants_something(name):
            known = ", ".join(scopes.known())
            raise Invalid(f"Scope {name!r} grants nothing. There are {known}; and *, for all of them.")
    return list(names)
