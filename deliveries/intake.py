"""Publishes events: matches them and writes them with their jobs, all or nothing.

A return means committed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from deliveries import documents
from deliveries.documents import Draft, Stored
from deliveries.models import IdempotencyKey
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.routing import Routes
from deliveries.rules.values import Document
from hookline import failpoints
from hookline.database import is_postgres, rows, to_text, write
from hookline.ids import uuid7
from hookline.times import milliseconds

KEY_LIVES = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A draft that became an event, with the jobs it made."""

    event: Stored
    jobs: list[NewJob]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A draft whose idempotency key already stood for this event."""

    event_id: UUID


def publish(tenant_id: str, routes: Routes, drafts: Sequence[Draft]) -> list[Accepted | Repeat]:
    """Stores the drafts in one transaction. The results stand in the order of the drafts."""
    events = [_stored(tenant_id, draft) for draft in drafts]
    keyed = any(event.idempotency_key is not None for event in events)
    with write() if keyed else _one_statement():
        owners = _claim_keys(tenant_id, events) if keyed else {}
        results = [_result(event, owners, routes) for event in events]
        accepted = [result for result in results if isinstance(result, Accepted)]
        jobs = [job for result in accepted for job in result.jobs]
        failpoints.reach("publish_before_commit")
        enqueue(tenant_id, [result.event for result in accepted], jobs)
    failpoints.reach("publish_after_commit")
    return results


@contextmanager
def _one_statement() -> Iterator[None]:
    """No transaction: `enqueue` is one by itself, and saves two round trips."""
    yield


def original_of(tenant_id: str, key: str) -> UUID | None:
    """The event that this idempotency key stands for, if it was used in the last 24 hours."""
    alive = IdempotencyKey.objects.filter(created_at__gt=datetime.now(UTC) - KEY_LIVES)
    return alive.filter(tenant_id=tenant_id, key=key).values_list("event_id", flat=True).first()


def match(event: Stored, routes: Routes) -> list[NewJob]:
    """A new job for each subscription that the event matches."""
    document = Document(lambda: documents.fields_of(event))
    return [
        NewJob(uuid7(), event.id, route.endpoint_id, route.subscription_id)
        for route in routes.match(event.topic, document)
    ]


def _stored(tenant_id: str, draft: Draft) -> Stored:
    now = datetime.now(UTC)
    occurred_at = milliseconds(now) if draft.occurred_at is None else draft.occurred_at
    return Stored(
        uuid7(), tenant_id, draft.topic, draft.payload, draft.extra, draft.idempotency_key, occurred_at, now
    )


def _result(event: Stored, owners: Mapping[str, UUID], routes: Routes) -> Accepted | Repeat:
    owner = owners[event.idempotency_key] if event.idempotency_key is not None else event.id
    return Accepted(event, match(event, routes)) if owner == event.id else Repeat(owner)


# Keys are taken in order, so that two batches with the same keys cannot block each other. A
# second publisher waits here until the first one commits, and then finds its key taken.
CLAIM_KEYS = """
INSERT INTO idempotency_keys AS old (tenant_id, key, event_id, created_at)
SELECT %(tenant)s, v.key, v.event_id, %(now)s
FROM unnest(%(keys)b::text[], %(events)b::uuid[]) AS v(key, event_id) ORDER BY v.key
ON CONFLICT (tenant_id, key) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at
  WHERE old.created_at <= %(expired)s
"""

CLAIM_KEY = """
INSERT INTO idempotency_keys (tenant_id, key, event_id, created_at)
VALUES (%(tenant)s, %(key)s, %(event)s, %(now)s)
ON CONFLICT (tenant_id, key) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at
  WHERE idempotency_keys.created_at <= %(expired)s
"""


def _claim_keys(tenant_id: str, events: Sequence[Stored]) -> dict[str, UUID]:
    """The event that each key stands for from now on: the first that used it."""
    wanted: dict[str, UUID] = {}
    for event in events:
        if event.idempotency_key is not None:
            wanted.setdefault(event.idempotency_key, event.id)
    now = datetime.now(UTC)
    if is_postgres():
        times = {"now": now, "expired": now - KEY_LIVES}
        rows(CLAIM_KEYS, times | {"tenant": tenant_id, "keys": list(wanted), "events": list(wanted.values())})
    else:
        texts = {"now": to_text(now), "expired": to_text(now - KEY_LIVES)}
        for key, event_id in wanted.items():
            rows(CLAIM_KEY, texts | {"tenant": tenant_id, "key": key, "event": event_id.hex})
    kept = IdempotencyKey.objects.filter(tenant_id=tenant_id, key__in=wanted)
    return dict(kept.values_list("key", "event_id"))
