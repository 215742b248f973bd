"""Which events nobody waits for any more: all their jobs are finished, and none has a dead letter
that an operator may send again."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from deliveries.models import DeadLetter, Event, Job
from hookline.database import is_postgres, rows
from hookline.ids import LAST_ID, NO_ID, first_foreign, first_uuid7, milliseconds_of
from hookline.lifecycle import stopping
from hookline.progress import Progress

UNFINISHED = (Job.Status.PENDING, Job.Status.RUNNING)
# PostgreSQL's locks are of rows. SQLite has one writer, who must not keep the others waiting.
AT_ONCE, AT_ONCE_SQLITE = 1000, 100

# An event, whether a job of it is unfinished, and whether it has a dead letter.
Fate = tuple[UUID, bool, bool]


def at_once() -> int:
    """How many events are a small transaction."""
    return AT_ONCE if is_postgres() else AT_ONCE_SQLITE


def older(
    events: "QuerySet[Event]", before: datetime, part: str, progress: Progress, after: UUID = NO_ID
) -> Iterator[list[UUID]]:
    """The ids of the finished ones among events that were made earlier, oldest first and some at a time;
    as far as a look without locks tells. Last come those that were imported, whose ids tell no time."""
    old, end = _with_fates(events.filter(created_at__lt=before)), first_uuid7(before)
    first, seen = None, 0
    for found in chain(_some(old, after, end), _some(old, first_foreign(), LAST_ID)):
        if finished := _judged(found):
            yield finished
        first, seen = first or found[0][0], seen + len(finished)
        progress(part, seen, _share(first, found[-1][0], end))
    progress(part, seen, 1)


def _some(old: "QuerySet[Event, Fate]", after: UUID, end: UUID) -> Iterator[list[Fate]]:
    while not stopping.is_set() and (found := list(old.filter(id__gt=after, id__lt=end)[: at_once()])):
        yield found
        after = found[-1][0]


# One statement for the locks and another for the verdict, whose snapshot is then newer than they are.
# By the ORM a thousand events cost 58 ms of Python here and in retention; so, 6 ms.
HOLD = """
WITH event AS MATERIALIZED (
  SELECT id FROM events WHERE id = ANY (%(ids)b::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED),
job AS MATERIALIZED (
  SELECT id FROM jobs WHERE event_id = ANY (ARRAY(SELECT id FROM event)) ORDER BY id FOR UPDATE)
SELECT ARRAY(SELECT id FROM event), count(*) FROM job
"""
JUDGE = """
SELECT id FROM unnest(%(ids)b::uuid[]) AS event(id)
WHERE NOT EXISTS (SELECT FROM jobs WHERE event_id = event.id AND finished_at IS NULL)
  AND NOT EXISTS (SELECT FROM dlq WHERE event_id = event.id)
"""


def hold(ids: Sequence[UUID], *, owed_too: bool = False) -> list[UUID]:
    """Locks events, in a transaction, and tells which of them are finished.

    The events come first, so that no replay gives them new jobs, and then their jobs, so that none is
    requeued; only after that is it judged. Both in the order of ids, as everywhere.
    """
    if not is_postgres():  # where whoever writes has locked everything
        return list(ids) if owed_too else _judged(_with_fates(Event.objects.filter(id__in=ids)))
    held = rows(HOLD, {"ids": list(ids)})[0][0]
    return held if owed_too else [row[0] for row in rows(JUDGE, {"ids": held})]


def _judged(found: Iterable[Fate]) -> list[UUID]:
    return [id for id, is_owed, is_buried in found if not (is_owed or is_buried)]


def _with_fates(events: "QuerySet[Event]") -> "QuerySet[Event, Fate]":
    owed = Job.objects.filter(event_id=OuterRef("id"), status__in=UNFINISHED)
    buried = DeadLetter.objects.filter(event_id=OuterRef("id"))
    told = events.order_by("id").annotate(is_owed=Exists(owed), is_buried=Exists(buried))
    return told.values_list("id", "is_owed", "is_buried")


def _share(first: UUID, reached: UUID, end: UUID) -> float:
    """By the time in the ids, and less than all."""
    start = milliseconds_of(first)
    return min(0.99, (milliseconds_of(reached) - start) / max(1, milliseconds_of(end) - start))
