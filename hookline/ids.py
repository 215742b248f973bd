"""UUIDv7: ids that sort by the time they were made (RFC 9562, section 6.2, method 3)."""

import os
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hookline.times import milliseconds

# Nothing bears this one.
NO_ID = uuid.UUID(int=0)
LAST_ID = uuid.UUID(int=2**128 - 1)

# Random bytes are asked of the kernel for so many ids at a time.
AT_ONCE, RANDOM_BYTES = 512, 8

_lock = threading.Lock()
_latest = 0
_random: Iterator[bytes] = iter(())


def uuid7() -> uuid.UUID:
    """A new id, greater than every id this process made before.

    The upper 60 bits are time in units of 1/4096 ms, the rest is random.
    """
    global _latest
    with _lock:
        _latest = ticks = max(_latest + 1, time.time_ns() * 4096 // 1_000_000)
        random = int.from_bytes(next(_random, b"") or _refilled(), "big") >> 2
    return uuid.UUID(int=(ticks >> 12 << 80) | (7 << 76) | ((ticks & 0xFFF) << 64) | (2 << 62) | random)


def _refilled() -> bytes:
    global _random
    drawn = os.urandom(AT_ONCE * RANDOM_BYTES)
    _random = iter([drawn[at : at + RANDOM_BYTES] for at in range(0, len(drawn), RANDOM_BYTES)])
    return next(_random)


def _forget() -> None:
    """A forked process must not draw what its parent draws, too; nor wait for a lock that some thread
    of the parent held."""
    global _random, _lock
    _random, _lock = iter(()), threading.Lock()


os.register_at_fork(after_in_child=_forget)


def first_uuid7(moment: datetime) -> uuid.UUID:
    """The smallest id that could have been made at `moment`, for ranges over ids."""
    return uuid.UUID(int=(milliseconds(moment) << 80) | (7 << 76) | (2 << 62))


def first_foreign() -> uuid.UUID:
    """Ids of an earlier server were random, so that nearly all of those that were imported lie beyond every
    time at which one of ours was made. They come from here on."""
    return first_uuid7(datetime.now(UTC) + timedelta(hours=1))


def parse_uuid(text: str) -> uuid.UUID:
    """The id, or for anything that cannot be one NO_ID, so that a wrong id is simply not found."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return NO_ID
    return parsed if str(parsed) == text else NO_ID


def milliseconds_of(id: uuid.UUID) -> int:
    """When the id was made, in milliseconds since 1970."""
    return id.int >> 80
