"""Periodic work that one process does at a time, whoever gets there first.

There is no scheduler to lose: every worker asks now and then, and the row decides.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from deliveries import gone, payloads, purge, retention
from deliveries.queue import lanes
from hookline.database import now
from hookline.ids import NO_ID
from hookline.models import Chore
from hookline.progress import Progress

logger = logging.getLogger(__name__)

Work = Callable[[Progress], int]

PRUNE = "prune"
PAYLOADS = "payloads"
PURGE = "purge"
REPAIR = "repair"
SERIES = "series"

# A process that has not said for so long that it goes on is taken for dead. Should it be alive, two
# do the chore together, which is slower and no worse.
MOST_PATIENCE = timedelta(minutes=10)
SAYS_SO_SECONDS = 60.0


def _chores() -> dict[str, tuple[timedelta, Work]]:
    often = timedelta(milliseconds=settings.HL_COMPACT_INTERVAL_MS)
    return {
        PRUNE: (often, lambda progress: retention.prune(progress).events),
        PAYLOADS: (often, _remove_payloads),
        PURGE: (timedelta(minutes=1), lambda progress: purge.purge_all()),
        REPAIR: (timedelta(hours=1), lambda progress: lanes.repair()),
        SERIES: (timedelta(hours=1), lambda progress: gone.forget()),
    }


def run_due() -> None:
    """Does what is due and not already being done by another process."""
    for name, (period, work) in _chores().items():
        run_if_due(name, period, work)


def run_if_due(name: str, period: timedelta, work: Work) -> None:
    if _take(name, period):
        _do(name, work)


def make_due(name: str) -> None:
    """Has a chore done at the next opportunity."""
    Chore.objects.update_or_create(name=name, defaults={"due_at": now()})


def _take(name: str, period: timedelta) -> bool:
    """Whoever moves the due time on does the work."""
    moment = now()
    is_free = Q(taken_until=None) | Q(taken_until__lte=moment)
    due = Chore.objects.filter(is_free, name=name, due_at__lte=moment)
    if due.update(due_at=moment + period, taken_until=moment + MOST_PATIENCE):
        return True
    Chore.objects.get_or_create(name=name, defaults={"due_at": moment + period})
    return False


def _remove_payloads(progress: Progress) -> int:
    """Goes on where the last one ended. The day's first begins anew, for events that were still owed
    when they were passed."""
    chore = Chore.objects.get(name=PAYLOADS)
    is_first = chore.last_run_at is None or chore.last_run_at.date() < now().date()
    removed, reached = payloads.remove_old(progress, (not is_first and chore.reached) or NO_ID)
    Chore.objects.filter(name=PAYLOADS).update(reached=reached)
    return removed


def _do(name: str, work: Work) -> None:
    started, started_at = time.monotonic(), now()
    chore = Chore.objects.filter(name=name)
    try:
        done = work(_Alive(name))
        duration = round((time.monotonic() - started) * 1000)
        chore.update(last_run_at=started_at, duration_ms=duration, done_count=done)
    finally:
        chore.update(taken_until=None)
    if done:
        logger.info("Chore %s: %d in %d ms", name, done, duration)


class _Alive:
    """Watches the progress of a chore, and keeps others from taking it over meanwhile."""

    def __init__(self, name: str) -> None:
        self.name, self.said_at = name, time.monotonic()

    def __call__(self, part: str, done: int, share: float) -> None:
        if time.monotonic() - self.said_at >= SAYS_SO_SECONDS:
            Chore.objects.filter(name=self.name).update(taken_until=now() + MOST_PATIENCE)
            self.said_at = time.monotonic()
