"""Periodic work that one process does at a time, whoever gets there first.

There is no scheduler to lose: every worker asks now and then, and the row decides.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from deliveries import purge, retention
from deliveries.queue import lanes
from hookline.database import now
from hookline.models import Chore

logger = logging.getLogger(__name__)

PRUNE = "prune"
PURGE = "purge"
REPAIR = "repair"

# A process that has not ended a chore by then is taken for dead. Should it be alive, two do the
# chore together, which is slower and no worse.
MOST_PATIENCE = timedelta(minutes=10)


def _chores() -> dict[str, tuple[timedelta, Callable[[], int]]]:
    return {
        PRUNE: (timedelta(milliseconds=settings.HL_COMPACT_INTERVAL_MS), retention.prune),
        PURGE: (timedelta(minutes=1), purge.purge_all),
        REPAIR: (timedelta(hours=1), lanes.repair),
    }


def run_due() -> None:
    """Does what is due and not already being done by another process."""
    for name, (period, work) in _chores().items():
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


def _do(name: str, work: Callable[[], int]) -> None:
    started, started_at = time.monotonic(), now()
    chore = Chore.objects.filter(name=name)
    try:
        done = work()
        duration = round((time.monotonic() - started) * 1000)
        chore.update(last_run_at=started_at, duration_ms=duration, done_count=done)
    finally:
        chore.update(taken_until=None)
    if done:
        logger.info("Chore %s: %d in %d ms", name, done, duration)
