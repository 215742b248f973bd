"""Which endpoint URLs can be delivered to at all. Where they lead is judged when they are dialled."""

import re
from urllib.parse import urlsplit

LONGEST = 4096
# What no URL holds as it is: spaces, control characters, and the backslash, which some parsers
# take for a slash.
FORBIDDEN = re.compile(r"[\s\\\x00-\x1f\x7f]")
LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


def fault_of(url: str) -> str | None:
    """Why nothing can be delivered to this URL, to follow "url"; None if something can."""
    if not url.lower().startswith(("http://", "https://")):
        return "must start with http(s)://"
    if FORBIDDEN.search(url):
        return "must not hold spaces, control characters or backslashes; percent-encode them"
    if len(url) > LONGEST:
        return f"must not be longer than {LONGEST} characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be a URL such as https://example.com/hooks"
    if "@" in parts.netloc:
        return "must not hold user:password@; send credentials with headers"
    if port == 0 or not _is_host(parts.hostname or ""):
        return "must name a host, as in https://example.com/hooks"
    return None


def _is_host(host: str) -> bool:
    if ":" in host:  # an IPv6 address: urlsplit has checked its brackets
        return True
    try:
        name = host.encode("idna").decode().removesuffix(".")
    except UnicodeError:
        return False
    return len(name) < 254 and all(LABEL.fullmatch(label) for label in name.split("."))
