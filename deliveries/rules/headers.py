"""Which headers an endpoint may add to its deliveries."""

import re

MOST_HEADERS = 50
LONGEST_VALUE = 4096
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

# Framing and hop-by-hop headers belong to the connection, not to the customer.
FRAMING = {"host", "content-length", "transfer-encoding", "expect"}
HOP_BY_HOP = {"connection", "upgrade", "te", "trailer", "keep-alive"}
OURS = {"content-type", "user-agent", "traceparent", "tracestate"}
OUR_PREFIXES = ("x-hl-", "x-hookline-", "webhook-", "proxy-")


def fault_of(headers: dict[str, str]) -> str | None:
    """Why these headers cannot be sent, to follow "headers"; None if they can."""
    if len(headers) > MOST_HEADERS:
        return f"must not be more than {MOST_HEADERS}"
    faults = (_fault_of_one(name, value) for name, value in headers.items())
    return next(filter(None, faults), None)


def _fault_of_one(name: str, value: object) -> str | None:
    if not TOKEN.fullmatch(name):
        return "must have names of letters, digits and hyphens"
    if name.lower() in FRAMING | HOP_BY_HOP | OURS or name.lower().startswith(OUR_PREFIXES):
        return f"must not set {name!r}, which HookLine or the connection sets"
    if not isinstance(value, str) or CONTROL.search(value) or len(value) > LONGEST_VALUE:
        return f"must give {name!r} a text without control characters, at most {LONGEST_VALUE} long"
    return None
