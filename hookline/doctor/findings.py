"""What the doctor finds: one sentence each, and what to do where something is to be done."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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


def in_one_line(fault: BaseException) -> str:
    return " ".join(str(fault).split()).rstrip(".") or type(fault).__name__
