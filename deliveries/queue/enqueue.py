"""Puts events and their jobs into the store, and rings for the endpoints that got some."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from deliveries import bell
from deliveries.documents import Stored
from deliveries.models import IdempotencyKey
from hookline.arrays import BIGINT, ID, TEXT, TIME, Table
from hookline.database import is_postgres, many, now, rows, to_text, write


class NewJob(NamedTuple):
    """A job to insert, due at once. Without a subscription it is for the endpoint alone."""

    id: UUID
    tenant_id: str
    event_id: UUID
    endpoint_id: UUID
    subscription_id: UUID | None


KEYS = Table("key", tenant_id=TEXT, key=TEXT, event_id=ID)
EVENTS = Table(
    "event", id=ID, tenant_id=TEXT, topic=TEXT, payload=TEXT, extra=TEXT, idempotency_key=TEXT,
    occurred_at=BIGINT, created_at=TIME,
)  # fmt: skip
JOBS = Table("job", id=ID, tenant_id=TEXT, event_id=ID, endpoint_id=ID, subscription_id=ID)

# One statement, because a round trip costs more than the rows. Keys are taken in order, so that two
# publishers with the same keys cannot block each other; the second one waits here until the first one
# commits, and then finds its key taken. The bells are rows too, so that a publisher never waits for a
# lane that a worker holds.
ENQUEUE = f"""
WITH owned AS (
  INSERT INTO idempotency_keys AS old (tenant_id, key, event_id, created_at)
  SELECT tenant_id, key, event_id, statement_timestamp() FROM {KEYS.sql} ORDER BY tenant_id, key
  ON CONFLICT (tenant_id, key) DO UPDATE
    SET event_id = excluded.event_id, created_at = excluded.created_at
    WHERE old.created_at <= statement_timestamp() - interval '{IdempotencyKey.LIVES.total_seconds()} s'
  RETURNING event_id),
repeated AS MATERIALIZED (
  SELECT event_id FROM {KEYS.sql} EXCEPT SELECT event_id FROM owned),
stored AS (
  INSERT INTO events (id, tenant_id, topic, payload, extra, idempotency_key, occurred_at, created_at)
  SELECT id, tenant_id, topic, payload::json, extra::json, idempotency_key, occurred_at, created_at
  FROM {EVENTS.sql} WHERE NOT EXISTS (SELECT 1 FROM repeated WHERE repeated.event_id = v.id)),
made AS (
  INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, subscription_id, replay_id, status,
                    attempt_count, forgiven_count, lost_count, next_attempt_at, created_at)
  SELECT id, tenant_id, event_id, endpoint_id, subscription_id, %(replay)s, 'pending', 0, 0, 0,
         statement_timestamp(), statement_timestamp()
  FROM {JOBS.sql} WHERE NOT EXISTS (SELECT 1 FROM repeated WHERE repeated.event_id = v.event_id)
  RETURNING endpoint_id),
rung AS (
  INSERT INTO bells (endpoint_id) SELECT DISTINCT endpoint_id FROM made)
SELECT event_id FROM repeated
"""

OWN_KEY = """
INSERT INTO idempotency_keys (tenant_id, key, event_id, created_at)
VALUES (%(tenant)s, %(key)s, %(event)s, %(now)s)
ON CONFLICT (tenant_id, key) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at
  WHERE idempotency_keys.created_at <= %(expired)s
RETURNING event_id
"""

INSERT_EVENT = """
INSERT INTO events (id, tenant_id, topic, payload, extra, idempotency_key, occurred_at, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

INSERT_JOB = """
INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, subscription_id, replay_id, status,
                  attempt_count, forgiven_count, lost_count, next_attempt_at, created_at)
VALUES (%s, %s, %s, %s, %s, %s, 'pending', 0, 0, 0, %s, %s)
"""


def enqueue(events: Sequence[Stored], jobs: Sequence[NewJob], replay_id: UUID | None = None) -> set[UUID]:
    """Writes new events with their idempotency keys, and new jobs, all or nothing; once it is
    committed the workers are woken.

    An event whose key stands for another one is left out with its jobs. Returns the ids of those. No
    two of the events may have the same key.
    """
    if not events and not jobs:
        return set()
    insert = _insert_postgres if is_postgres() else _insert_sqlite
    repeated = insert(events, jobs, replay_id)
    if jobs:
        transaction.on_commit(bell.ring)
    return repeated


def _insert_postgres(events: Sequence[Stored], jobs: Sequence[NewJob], replay_id: UUID | None) -> set[UUID]:
    keys = [
        (event.tenant_id, event.idempotency_key, event.id)
        for event in events if event.idempotency_key is not None
    ]  # fmt: skip
    stored = [
        (event.id, event.tenant_id, event.topic, event.payload, event.extra, event.idempotency_key,
         event.occurred_at, event.created_at)
        for event in events
    ]  # fmt: skip
    values = KEYS.pack(keys) | EVENTS.pack(stored) | JOBS.pack(jobs)
    return {row[0] for row in rows(ENQUEUE, values | {"replay": replay_id})}


def _insert_sqlite(events: Sequence[Stored], jobs: Sequence[NewJob], replay_id: UUID | None) -> set[UUID]:
    moment, replay = now(), replay_id and replay_id.hex
    due, expired = to_text(moment), to_text(moment - IdempotencyKey.LIVES)
    with write():
        repeated = set()
        for event in events:
            key = {"tenant": event.tenant_id, "key": event.idempotency_key, "event": event.id.hex}
            if key["key"] is not None and not rows(OWN_KEY, key | {"now": due, "expired": expired}):
                repeated.add(event.id)
        many(
            INSERT_EVENT,
            [
                (event.id.hex, event.tenant_id, event.topic, event.payload, event.extra,
                 event.idempotency_key, event.occurred_at, to_text(event.created_at))
                for event in events if event.id not in repeated
            ],
        )  # fmt: skip
        kept = [job for job in jobs if job.event_id not in repeated]
        many(
            INSERT_JOB,
            [
                (job.id.hex, job.tenant_id, job.event_id.hex, job.endpoint_id.hex,
                 job.subscription_id and job.subscription_id.hex, replay, due, due)
                for job in kept
            ],
        )  # fmt: skip
        endpoints = {job.endpoint_id for job in kept}
        many("INSERT INTO bells (endpoint_id) VALUES (%s)", [(id.hex,) for id in endpoints])
    return repeated
