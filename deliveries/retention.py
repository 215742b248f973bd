"""Lets go of what is older than HL_RETENTION_SECS.

An event goes with its jobs and attempts, once it is finished: what is still owed, or waits for an
operator, is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, Model, OuterRef, QuerySet

from deliveries import finished, traffic
from deliveries.finished import UNFINISHED
from deliveries.models import (
    Attempt,
    DeadLetter,
    Event,
    IdempotencyKey,
    InboxMessage,
    Job,
    Replay,
    Run,
    Subscription,
)
from hookline.database import is_postgres, now, rows, write
from hookline.models import Login, Process
from hookline.pace import gently
from hookline.progress import Progress, unseen

# A key that a publish has just found taken must still be there when it asks for whom.
KEYS_LINGER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Gone:
    """How much was removed, or would be."""

    events: int = 0
    jobs: int = 0
    attempts: int = 0

    def __add__(self, other: "Gone") -> "Gone":
        return Gone(self.events + other.events, self.jobs + other.jobs, self.attempts + other.attempts)


def prune(progress: Progress = unseen) -> Gone:
    """Removes what is old in small transactions, oldest first."""
    gone, before = Gone(), _ago(settings.HL_RETENTION_SECS)
    for ids in _old(before, progress):
        with gently():
            gone += remove_events(ids)
    _prune_rows(IdempotencyKey.objects.all(), "created_at", now() - IdempotencyKey.LIVES - KEYS_LINGER)
    _prune_rows(InboxMessage.objects.all(), "received_at", _messages_end())
    _prune_rows(Replay.objects.all(), "created_at", before)
    _prune_rows(Run.objects.over(), "finished_at", before)
    _prune_rows(Process.objects.all(), "seen_at", now() - timedelta(days=1))
    _prune_rows(Login.objects.all(), "first_at", now() - timedelta(days=1))
    _prune_rows(Session.objects.all(), "expire_date", now())
    _prune_subscriptions(before)
    traffic.prune()
    return gone


def count(progress: Progress = unseen) -> Gone:
    """How much history `prune` would remove now."""
    gone = Gone()
    for ids in _old(_ago(settings.HL_RETENTION_SECS), progress):
        gone += Gone(len(ids), *(rows(COUNT, {"ids": ids})[0] if is_postgres() else _count(ids)))
    return gone


def _count(ids: Sequence[UUID]) -> tuple[int, int]:
    jobs = Job.objects.filter(event_id__in=ids)
    return jobs.count(), Attempt.objects.filter(job_id__in=jobs.values("id")).count()


# Ids stand in arrays, because the planner cannot guess the number of what a CTE returns, and would
# otherwise read all attempts.
COUNT = """
WITH job AS MATERIALIZED (SELECT id FROM jobs WHERE event_id = ANY (%(ids)b::uuid[]))
SELECT count(*), (SELECT count(*) FROM attempts WHERE job_id = ANY (ARRAY(SELECT id FROM job))) FROM job
"""
REMOVE = """
WITH job AS (DELETE FROM jobs WHERE event_id = ANY (%(ids)b::uuid[]) RETURNING id),
letter AS (DELETE FROM dlq WHERE event_id = ANY (%(ids)b::uuid[])),
attempt AS (DELETE FROM attempts WHERE job_id = ANY (ARRAY(SELECT id FROM job)) RETURNING id),
event AS (DELETE FROM events WHERE id = ANY (%(ids)b::uuid[]) RETURNING id)
SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM job), (SELECT count(*) FROM attempt)
"""


def remove_events(ids: Sequence[UUID], *, owed_too: bool = False) -> Gone:
    """Deletes events with everything that belongs to them, if they are finished. If the store crashes
    and they are there again, they are only removed once more."""
    with write(durable=False):
        going = finished.hold(ids, owed_too=owed_too)
        return Gone(*rows(REMOVE, {"ids": going})[0]) if is_postgres() else _remove(going)


def _remove(ids: Sequence[UUID]) -> Gone:
    theirs = Job.objects.filter(event_id__in=ids)
    attempts = Attempt.objects.filter(job_id__in=theirs.values("id")).delete()[0]
    DeadLetter.objects.filter(event_id__in=ids).delete()
    jobs = theirs.delete()[0]
    return Gone(Event.objects.filter(id__in=ids).delete()[0], jobs, attempts)


def _ago(seconds: int) -> datetime:
    return now() - timedelta(seconds=seconds)


def _old(before: datetime, progress: Progress) -> Iterator[list[UUID]]:
    return finished.older(Event.objects.all(), before, "events", progress)


def _messages_end() -> datetime:
    """The development inbox holds payloads, and keeps them no longer than events do."""
    lifetimes = [settings.HL_RETENTION_SECS, settings.HL_PAYLOAD_RETENTION_SECS]
    return _ago(min(filter(None, lifetimes), default=0))


def _prune_rows(table: "QuerySet[Model]", column: str, before: datetime) -> None:
    """Deletes rows by age, some at a time."""
    old = table.filter(**{f"{column}__lt": before}).order_by(column).values_list(column, flat=True)
    while oldest := list(old[: finished.at_once()]):
        with gently(), write(durable=False):
            table.filter(**{f"{column}__lte": oldest[-1]}).delete()


def _prune_subscriptions(before: datetime) -> None:
    """Deleted ones whose transform no job needs any more, neither a waiting one nor one that may
    be requeued."""
    here = {"endpoint_id": OuterRef("endpoint_id")}
    jobs = Job.objects.filter(**here, tenant_id=OuterRef("tenant_id"), subscription_id=OuterRef("id"))
    owed = [Exists(jobs.filter(status=status)) for status in UNFINISHED]
    buried = Exists(DeadLetter.objects.filter(**here, job__subscription_id=OuterRef("id")))
    gone = Subscription.objects.filter(deleted_at__lt=before)
    gone.exclude(owed[0]).exclude(owed[1]).exclude(buried).delete()
