"""Which events nobody waits for any more: all their jobs are finished, and none has a dead letter
that an operator may send again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from deliveries.models import DeadLetter, Event, Job
from hookline.ids import NO_ID, first_uuid7, milliseconds_of
from hookline.progress import Progress

AT_ONCE = 1000
UNFINISHED = (Job.Status.PENDING, Job.Status.RUNNING)


def older(
    events: "QuerySet[Event]", before: datetime, part: str, progress: Progress, after: UUID = NO_ID
) -> Iterator[list[UUID]]:
    """The ids of the finished ones among events that were made earlier, oldest first, about a thousand
    at a time; as far as a look without locks tells."""
    end, first, seen = first_uuid7(before), None, 0
    old = _with_fates(events.filter(id__lt=end))
    while rows := list(old.filter(id__gt=after)[:AT_ONCE]):
        if finished := [id for id, is_owed, is_buried in rows if not (is_owed or is_buried)]:
            yield finished
        seen += len(finished)
        first, after = first or rows[0][0], rows[-1][0]
        progress(part, seen, _share(first, after, end))
    progress(part, seen, 1)


def hold(ids: Sequence[UUID], *, owed_too: bool = False) -> set[UUID]:
    """Locks events, in a transaction, and tells which of them are finished.

    The events come first, so that no replay gives them new jobs, and then their jobs, so that none is
    requeued; only after that is it judged. Both in the order of ids, as everywhere.
    """
    events = Event.objects.filter(id__in=ids).order_by("id").select_for_update(skip_locked=True)
    held = set(events.values_list("id", flat=True))
    jobs = Job.objects.filter(event_id__in=held).order_by("id").select_for_update()
    ends = list(jobs.values_list("event_id", "finished_at"))
    if owed_too:
        return held
    buried = DeadLetter.objects.filter(event_id__in=held).values_list("event_id", flat=True)
    return held - {*buried, *(event_id for event_id, finished_at in ends if finished_at is None)}


def _with_fates(events: "QuerySet[Event]") -> "QuerySet[Event, tuple[UUID, bool, bool]]":
    owed = Job.objects.filter(event_id=OuterRef("id"), status__in=UNFINISHED)
    buried = DeadLetter.objects.filter(event_id=OuterRef("id"))
    told = events.order_by("id").annotate(is_owed=Exists(owed), is_buried=Exists(buried))
    return told.values_list("id", "is_owed", "is_buried")


def _share(first: UUID, reached: UUID, end: UUID) -> float:
    """By the time in the ids, and less than all."""
    start = milliseconds_of(first)
    return min(0.99, (milliseconds_of(reached) - start) / max(1, milliseconds_of(end) - start))
