"""How far long work has come: a line for each part of it, which on a terminal moves and has a bar."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Told the part, how much of it is done, and what share of it that is; 1 ends the part.
Progress = Callable[[str, int, float], None]

BAR = 20
OFTEN = 1000


def unseen(part: str, done: int, share: float) -> None:
    """For work that nobody watches."""


def show(part: str, done: int, share: float) -> None:
    """To standard error, so that standard output holds the result alone."""
    end = "\n" if share >= 1 else "\r"
    if end == "\n" or sys.stderr.isatty():
        bar = ("#" * int(share * BAR)).ljust(BAR, ".")
        sys.stderr.write(f"{part:32} {bar} {share:4.0%} {done:>13,}{end}")
        sys.stderr.flush()


def watched(items: Iterable[T], part: str, total: int, progress: Progress) -> Iterator[T]:
    """The same items, of which every thousandth is told, and the end."""
    done = 0
    for done, item in enumerate(items, 1):
        if done % OFTEN == 0 and done < total:
            progress(part, done, done / total)
        yield item
    progress(part, done, 1)
