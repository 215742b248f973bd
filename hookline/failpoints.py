"""Places where a test may end or delay this process, to prove that nothing is lost there.

They do nothing unless HL_FAILPOINTS names them, which only a throw-away installation may do.
`before_send=kill:5` ends the process, as kill -9 would, at the first request that is due after a
random time of 5 s on average; `before_settle=sleep:2` waits for 2 s each time.
"""

import os
import random
import re
import signal
import time
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

POINTS = (
    "publish_before_commit", "publish_after_commit", "claim_before_commit", "claim_after_commit",
    "before_send", "after_send", "before_settle", "settle_before_commit", "after_settle", "sweep",
    "run_before_commit", "run_after_commit", "snapshot_table",
)  # fmt: skip

_kill_at: dict[str, float] = {}
os.register_at_fork(after_in_child=_kill_at.clear)


@dataclass(frozen=True)
class Failpoint:
    action: Literal["kill", "sleep"]
    seconds: float


def parse(text: str) -> dict[str, Failpoint]:
    """`before_send=kill:5 sweep=sleep:1` by point."""
    return dict(_parse_one(word) for word in text.split())


def _parse_one(word: str) -> tuple[str, Failpoint]:
    found = re.fullmatch(r"(\w+)=(kill|sleep):(\d+(?:\.\d+)?)", word)
    if not found or found[1] not in POINTS:
        raise ValueError(f"write such as before_send=kill:5, not {word!r}; the points are {' '.join(POINTS)}")
    return found[1], Failpoint("kill" if found[2] == "kill" else "sleep", float(found[3]))


def reach(point: str) -> None:
    if settings.HL_FAILPOINTS and (armed := settings.HL_FAILPOINTS.get(point)):
        _fall(point, armed)


def _fall(point: str, armed: Failpoint) -> None:
    if armed.action == "sleep":
        time.sleep(armed.seconds)
        return
    if point not in _kill_at:
        after = random.expovariate(1 / armed.seconds) if armed.seconds else 0.0
        _kill_at[point] = time.monotonic() + after
    if time.monotonic() >= _kill_at[point]:
        os.write(2, f"failpoint {point} kills process {os.getpid()} at {time.time():.3f}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
