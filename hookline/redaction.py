"""Takes secrets out of text that is to be read by people: the installation's own, and what looks like one.

It is a net, not the rule: nothing logs a secret on purpose. But a library's exception may quote the URL of
the database, and somebody's header may be in a message.
"""

import base64
import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote, urlsplit

from django.conf import settings

HIDDEN = "***"
# Shorter ones are words, and would be taken out of every sentence that has them.
SHORTEST = 8
OWN = ("HL_API_KEY", "HL_ADMIN_KEY", "HL_SECRET_KEY", "HL_CONSOLE_PASS", "HL_ALERT_SECRET")
# Of these the password, and of those the whole: who knows the address may use it.
WITH_PASSWORD = ("HL_POSTGRES_URL", "HL_REDIS_URL")
ADDRESSES = ("HL_ALERT_URL", "HL_ALERT_SLACK_URL")

# In each, what is kept is in a group before what is hidden.
SHAPES = re.compile(
    r"""
    (?P<token> hl_live_ ) [0-9A-Za-z_-]+
  | (?P<signing> whsec_ ) [0-9A-Za-z+/=_-]+
  | (?P<scheme> \b[a-z][a-z0-9+.-]*:// ) [^/\s'"@]+ (?= @ )
  | (?P<header> \bauthorization ["']? \s* [:=] \s* ["']? (?: (?: bearer | basic ) \s+ )? ) [^\s'",]+
  | (?P<query> [?&] (?: token | key | api_key | secret | password | signature ) = ) [^&\s'"]+
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    for secret in _secrets():
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return SHAPES.sub(_hidden, text)


def _hidden(match: re.Match[str]) -> str:
    return (match[match.lastgroup] if match.lastgroup else "") + HIDDEN


@cache
def _secrets() -> tuple[str, ...]:
    """The longest first, as one may hold another."""
    return tuple(sorted({secret for secret in _given() if len(secret) >= SHORTEST}, key=len, reverse=True))


def _given() -> Iterator[str]:
    yield from (str(getattr(settings, name)) for name in OWN)
    yield from (str(getattr(settings, name)) for name in ADDRESSES)
    for name in WITH_PASSWORD:
        spelled = urlsplit(getattr(settings, name)).password or ""
        yield from (spelled, unquote(spelled))
    yield settings.HL_SMTP_URL.get("password", "")
    for key in settings.HL_MASTER_KEY.values():
        yield from (base64.b64encode(key).decode(), key.hex())
