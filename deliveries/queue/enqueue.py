"""Puts events and their jobs into the store, and rings for the endpoints that got some."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from deliveries import bell
from deliveries.documents import Stored
from hookline.database import is_postgres, many, now, rows, to_text, write


class NewJob(NamedTuple):
    """A job to insert, due at once. Without a subscription it is for the endpoint alone."""

    id: UUID
    event_id: UUID
    endpoint_id: UUID
    subscription_id: UUID | None


# One statement, because a round trip costs more than the rows; the bells are rows too, so that
# a publisher never waits for a lane that a worker holds.
ENQUEUE = """
WITH stored AS (
  INSERT INTO events (id, tenant_id, topic, payload, extra, idempotency_key, occurred_at, created_at)
  SELECT id, %(tenant)s, topic, payload::json, extra::json, key, occurred_at, created_at
  FROM unnest(%(ids)b::uuid[], %(topics)b::text[], %(payloads)b::text[], %(extras)b::text[],
              %(keys)b::text[], %(occurred)b::int8[], %(created)b::timestamptz[])
    AS v(id, topic, payload, extra, key, occurred_at, created_at)),
made AS (
  INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, subscription_id, replay_id, status,
                    attempt_count, forgiven_count, lost_count, next_attempt_at, created_at)
  SELECT id, %(tenant)s, event_id, endpoint_id, subscription_id, %(replay)s, 'pending', 0, 0, 0,
         statement_timestamp(), statement_timestamp()
  FROM unnest(%(jobs)b::uuid[], %(events)b::uuid[], %(endpoints)b::uuid[], %(subscriptions)b::uuid[])
    AS v(id, event_id, endpoint_id, subscription_id))
INSERT INTO bells (endpoint_id) SELECT DISTINCT unnest(%(endpoints)b::uuid[])
"""

INSERT_EVENT = """
INSERT INTO events (id, tenant_id, topic, payload, extra, idempotency_key, occurred_at, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""

INSERT_JOB = """
INSERT INTO jobs (id, event_id, endpoint_id, subscription_id, tenant_id, replay_id, status,
                  attempt_count, forgiven_count, lost_count, next_attempt_at, created_at)
VALUES (%s, %s, %s, %s, %s, %s, 'pending', 0, 0, 0, %s, %s)
"""


def enqueue(
    tenant_id: str, events: Sequence[Stored], jobs: Sequence[NewJob], replay_id: UUID | None = None
) -> None:
    """Writes new events and new jobs, all or nothing; once it is committed the workers are woken."""
    if not events and not jobs:
        return
    insert = _insert_postgres if is_postgres() else _insert_sqlite
    insert(tenant_id, events, jobs, replay_id)
    if jobs:
        transaction.on_commit(bell.ring)


def _insert_postgres(
    tenant_id: str, events: Sequence[Stored], jobs: Sequence[NewJob], replay_id: UUID | None
) -> None:
    rows(
        ENQUEUE,
        {
            "tenant": tenant_id,
            "replay": replay_id,
            "ids": [event.id for event in events],
            "topics": [event.topic for event in events],
            "payloads": [event.payload for event in events],
            "extras": [event.extra for event in events],
            "keys": [event.idempotency_key for event in events],
            "occurred": [event.occurred_at for event in events],
            "created": [event.created_at for event in events],
            "jobs": [job.id for job in jobs],
            "events": [job.event_id for job in jobs],
            "endpoints": [job.endpoint_id for job in jobs],
            "subscriptions": [job.subscription_id for job in jobs],
        },
    )


def _insert_sqlite(
    tenant_id: str, events: Sequence[Stored], jobs: Sequence[NewJob], replay_id: UUID | None
) -> None:
    due, replay = to_text(now()), replay_id and replay_id.hex
    with write():
        many(
            INSERT_EVENT,
            [
                (event.id.hex, tenant_id, event.topic, event.payload, event.extra,
                 event.idempotency_key, event.occurred_at, to_text(event.created_at))
                for event in events
            ],
        )  # fmt: skip
        many(INSERT_JOB, [(*(id and id.hex for id in job), tenant_id, replay, due, due) for job in jobs])
        endpoints = {job.endpoint_id for job in jobs}
        many("INSERT INTO bells (endpoint_id) VALUES (%s)", [(id.hex,) for id in endpoints])
