"""Which events nobody waits for any more: all their jobs are finished, and none has a dead letter
that an operator may send again."""

from collections.abc import Iterator, Sequence
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


def at_once() -> int:
    """How many events are a small transaction."""
    return AT_ONCE if is_postgres() else AT_ONCE_SQLITE


def older(
    events: "QuerySet[Event]", before: datetime, part: str, progress: Progress, after: UUID = NO_ID
) -> Iterator[list[UUID]]:
    """The ids of the finished ones among events that were made earlier, oldest first and some at a time;
    as far as a look without locks tells. Last come those that were imported, whose ids tell no time."""
    old = events.filter(created_at__lt=before).order_by("id").values_list("id", flat=True)
    end, first, seen = first_uuid7(before), None, 0
    for ids in chain(_some(old, after, end), _some(old, first_foreign(), LAST_ID)):
        if finished := judge(ids):
            yield finished
        first, seen = first or ids[0], seen + len(finished)
        progress(part, seen, _share(first, ids[-1], end))
    progress(part, seen, 1)


def _some(old: "QuerySet[Event, UUID]", after: UUID, end: UUID) -> Iterator[list[UUID]]:
    while not stopping.is_set() and (ids := list(old.filter(id__gt=after, id__lt=end)[: at_once()])):
        yield ids
        after = ids[-1]


# By the ORM a thousand events cost 58 ms of Python here and in retention; so, 6 ms. And among millions of
# jobs the planner finds those of an array by their index, where it read all of them for a subquery.
JUDGE = """
SELECT id FROM unnest(%(ids)b::uuid[]) AS event(id)
WHERE NOT EXISTS (SELECT FROM jobs WHERE event_id = event.id AND finished_at IS NULL)
  AND NOT EXISTS (SELECT FROM dlq WHERE event_id = event.id)
"""


def judge(ids: Sequence[UUID]) -> list[UUID]:
    """Those of the events that are finished."""
    if is_postgres():
        return [row[0] for row in rows(JUDGE, {"ids": list(ids)})]
    owed = Job.objects.filter(event_id=OuterRef("id"), status__in=UNFINISHED)
    buried = DeadLetter.objects.filter(event_id=OuterRef("id"))
    finished = Event.objects.filter(~Exists(owed), ~Exists(buried), id__in=ids)
    return list(finished.values_list("id", flat=True))


HOLD = """
WITH event AS MATERIALIZED (
  SELECT id FROM events WHERE id = ANY (%(ids)b::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED),
job AS MATERIALIZED (
  SELECT id FROM jobs WHERE event_id = ANY (ARRAY(SELECT id FROM event)) ORDER BY id FOR UPDATE)
SELECT ARRAY(SELECT id FROM event), count(*) FROM job
"""


def hold(ids: Sequence[UUID], *, owed_too: bool = False) -> list[UUID]:
    """Locks events, in a transaction, and tells which of them are finished.

    The events come first, so that no replay gives them new jobs, and then their jobs, so that none is
    requeued. They are judged in a statement of its own, whose snapshot is newer than the locks. Both are
    locked in the order of ids, as everywhere. On SQLite, whoever writes has locked everything.
    """
    held = rows(HOLD, {"ids": list(ids)})[0][0] if is_postgres() else list(ids)
    return held if owed_too else judge(held)


def _share(first: UUID, reached: UUID, end: UUID) -> float:
    """By the time in the ids, and less than all."""
    start = milliseconds_of(first)
    return min(0.99, (milliseconds_of(reached) - start) / max(1, milliseconds_of(end) - start))
