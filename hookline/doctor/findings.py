"""What the doctor finds: one sentence each, and what to do where something is to be done."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from hookline.environment import environment

SECRETS = ("HL_API_KEY", "HL_ADMIN_KEY", "HL_SECRET_KEY", "HL_CONSOLE_PASS", "HL_MASTER_KEY")


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works, and will not for ever or not for everyone
    ERROR = "error"  # does not work, or may lose or leak something


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    sentence: str
    fix: str = ""


Findings = Iterator[Finding]
Check = Callable[[], Iterable[Finding]]
# Runs one statement and returns its rows.
Ask = Callable[..., list[tuple[Any, ...]]]


def ok(sentence: str) -> Finding:
    return Finding(Level.OK, sentence)


def warning(sentence: str, fix: str) -> Finding:
    return Finding(Level.WARNING, sentence, fix)


def error(sentence: str, fix: str) -> Finding:
    return Finding(Level.ERROR, sentence, fix)


def many(number: int, one: str, more: str = "") -> str:
    """`1 job`, `2 jobs`; `more` where that is not made by an s."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def in_one_line(fault: BaseException) -> str:
    """What a library says, without any secret that it may repeat."""
    return without_secrets(" ".join(str(fault).split()).rstrip(".")) or type(fault).__name__


def without_secrets(text: str) -> str:
    for secret in sorted(_secrets(), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets() -> Iterator[str]:
    for name in SECRETS:
        yield from filter(None, [environment.source.get(name, "").strip(), _kept(name)])
    for url in (settings.HL_POSTGRES_URL, settings.HL_REDIS_URL):
        with suppress(ValueError):  # of what is no URL, which another finding tells
            if password := urlsplit(url).password:
                yield from (password, unquote(password))


def _kept(name: str) -> str:
    """That of the data directory. The master key is kept as bytes, which no text holds."""
    value = getattr(settings, name)
    return value if isinstance(value, str) else ""
