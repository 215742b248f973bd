"""Lets go of what is older than HL_RETENTION_SECS.

An event goes with its jobs and attempts, once all its jobs are finished and none has a dead
letter: what is still owed, or waits for an operator, is kept.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, Model, OuterRef, QuerySet

from deliveries.intake import KEY_LIVES
from deliveries.models import (
    Attempt,
    DeadLetter,
    Event,
    IdempotencyKey,
    InboxMessage,
    Job,
    Replay,
    Subscription,
)
from hookline.database import now, write
from hookline.ids import first_uuid7
from hookline.models import Process

AT_ONCE = 1000
UNFINISHED = (Job.Status.PENDING, Job.Status.RUNNING)


def prune() -> int:
    """Removes what is old in small transactions, oldest first; returns how many events went."""
    before = now() - timedelta(seconds=settings.HL_RETENTION_SECS)
    _prune_rows(IdempotencyKey.objects.all(), "created_at", now() - KEY_LIVES)
    _prune_rows(InboxMessage.objects.all(), "received_at", before)
    _prune_rows(Replay.objects.all(), "created_at", before)
    _prune_rows(Process.objects.all(), "seen_at", now() - timedelta(days=1))
    removed = _prune_events(before)
    _prune_subscriptions(before)
    return removed


def remove_events(ids: Sequence[UUID], *, owed_too: bool = False) -> int:
    """Deletes events with everything that belongs to them; returns how many there were.

    Events are locked, so that no replay gives them new jobs, and then their jobs, so that none is
    requeued; only after that is it judged what may go. Both in the order of ids, as everywhere.
    """
    with write():
        events = Event.objects.filter(id__in=ids).order_by("id").select_for_update(skip_locked=True)
        going = set(events.values_list("id", flat=True))
        jobs = Job.objects.filter(event_id__in=going).order_by("id").select_for_update()
        finished = list(jobs.values_list("event_id", "finished_at"))
        if not owed_too:
            buried = DeadLetter.objects.filter(event_id__in=going).values_list("event_id", flat=True)
            going -= {*buried, *(event_id for event_id, finished_at in finished if finished_at is None)}
        theirs = Job.objects.filter(event_id__in=going)
        Attempt.objects.filter(job_id__in=theirs.values("id")).delete()
        DeadLetter.objects.filter(event_id__in=going).delete()
        theirs.delete()
        return Event.objects.filter(id__in=going).delete()[0]


def _prune_events(before: datetime) -> int:
    removed, after, end = 0, UUID(int=0), first_uuid7(before)
    while True:
        old = Event.objects.filter(id__gt=after, id__lt=end).order_by("id")
        ids = list(old.values_list("id", flat=True)[:AT_ONCE])
        if not ids:
            return removed
        removed += remove_events(_finished(ids))
        after = ids[-1]


def _finished(ids: Sequence[UUID]) -> list[UUID]:
    """Those of the events that nobody waits for any more, as far as a look without locks tells."""
    owed = Job.objects.filter(event_id=OuterRef("id"), status__in=UNFINISHED)
    buried = DeadLetter.objects.filter(event_id=OuterRef("id"))
    finished = Event.objects.filter(~Exists(owed), ~Exists(buried), id__in=ids)
    return list(finished.values_list("id", flat=True))


def _prune_rows(rows: "QuerySet[Model]", column: str, before: datetime) -> None:
    """Deletes rows by age, about a thousand at a time."""
    while True:
        ages = rows.filter(**{f"{column}__lt": before}).order_by(column).values_list(column, flat=True)
        oldest = list(ages[:AT_ONCE])
        if not oldest:
            return
        with write():
            rows.filter(**{f"{column}__lte": oldest[-1]}).delete()


def _prune_subscriptions(before: datetime) -> None:
    """Deleted ones whose transform no job needs any more, neither a waiting one nor one that may
    be requeued."""
    here = {"endpoint_id": OuterRef("endpoint_id")}
    jobs = Job.objects.filter(**here, tenant_id=OuterRef("tenant_id"), subscription_id=OuterRef("id"))
    owed = [Exists(jobs.filter(status=status)) for status in UNFINISHED]
    buried = Exists(DeadLetter.objects.filter(**here, job__subscription_id=OuterRef("id")))
    gone = Subscription.objects.filter(deleted_at__lt=before)
    gone.exclude(owed[0]).exclude(owed[1]).exclude(buried).delete()
