"""Fills the store with what a scenario starts from, by statements of many rows each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries import endpoints
from deliveries.models import Job, Subscription
from hookline.models import Switch
from hookline.times import milliseconds
from tenants.models import Tenant

PAYLOAD = '{"order":42,"text":"' + "x" * 960 + '"}'
AT_ONCE = 100_000

# Ids in the order of time, as our own are.
ID_OF = """
(lpad(to_hex(({})::int8), 12, '0')
 || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid
"""
NEW_ID = ID_OF.format("extract(epoch FROM clock_timestamp()) * 1000")
# One a millisecond.
OLD_ID = ID_OF.format("%(from_ms)s + number")

PENDING = f"""
WITH made AS (
  INSERT INTO events (id, tenant_id, topic, payload, occurred_at, created_at)
  SELECT {NEW_ID}, %(tenant)s, 'order.paid', %(payload)s::json, 0, now() FROM generate_series(1, %(count)s)
  RETURNING id)
INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, subscription_id, status, attempt_count,
                  forgiven_count, lost_count, next_attempt_at, created_at)
SELECT {NEW_ID}, %(tenant)s, id, %(endpoint)s, %(subscription)s, 'pending', 0, 0, 0, now(), now() FROM made
"""

FINISHED = f"""
WITH job AS (
  INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, status, attempt_count, forgiven_count,
                    lost_count, next_attempt_at, created_at, finished_at)
  SELECT {NEW_ID}, %(tenant)s, {NEW_ID}, %(endpoint)s, 'succeeded', 1, 0, 0, now(), now(), now()
  FROM generate_series(1, %(count)s)
  RETURNING id, event_id)
INSERT INTO attempts (id, job_id, tenant_id, event_id, endpoint_id, attempt_n, status, http_status,
                      error_detail, started_at, duration_ms, address)
SELECT {NEW_ID}, id, %(tenant)s, event_id, %(endpoint)s, 1, 'success', 200, '', now(), 3, '127.0.0.1' FROM job
"""

HISTORY = f"""
WITH event AS (
  INSERT INTO events (id, tenant_id, topic, payload, occurred_at, created_at)
  SELECT {OLD_ID}, %(tenant)s, 'order.paid', %(payload)s::json, %(from_ms)s,
         to_timestamp(%(from_ms)s / 1000.0)
  FROM generate_series(1, %(count)s) AS number
  RETURNING id, created_at),
job AS (
  INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, status, attempt_count, forgiven_count,
                    lost_count, next_attempt_at, created_at, finished_at)
  SELECT id, %(tenant)s, id, %(endpoint)s, 'succeeded', 1, 0, 0, created_at, created_at, created_at FROM event
  RETURNING id, event_id, created_at)
INSERT INTO attempts (id, job_id, tenant_id, event_id, endpoint_id, attempt_n, status, http_status,
                      error_detail, started_at, duration_ms, address, response_body)
SELECT id, id, %(tenant)s, event_id, %(endpoint)s, 1, 'success', 200, '', created_at, 3, '127.0.0.1', 'ok'
FROM job
"""

BURIED = f"""
WITH event AS (
  INSERT INTO events (id, tenant_id, topic, payload, occurred_at, created_at)
  SELECT {OLD_ID}, %(tenant)s, 'order.paid', %(payload)s::json, %(from_ms)s + number,
         to_timestamp((%(from_ms)s + number) / 1000.0)
  FROM generate_series(1, %(count)s) AS number
  RETURNING id, created_at),
job AS (
  INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, subscription_id, status, attempt_count,
                    forgiven_count, lost_count, next_attempt_at, created_at, finished_at)
  SELECT id, %(tenant)s, id, %(endpoint)s, %(subscription)s, 'dead', 0, 0, 0, created_at, created_at,
         created_at
  FROM event
  RETURNING id, event_id, created_at)
INSERT INTO dlq (job_id, tenant_id, event_id, endpoint_id, reason, attempt_count, created_at)
SELECT id, %(tenant)s, event_id, %(endpoint)s, 'max_attempts_exceeded', 12, created_at FROM job
"""


def targets(tenant_id: str, url: str, count: int, **values: object) -> list[Subscription]:
    """Endpoints of a tenant, each subscribed to everything."""
    Tenant.objects.get_or_create(id=tenant_id, defaults={"name": tenant_id})
    given = {"name": "bench", "secret": "whsec_" + "A" * 44, "max_in_flight": 100, "rate_limit_rps": 0}
    made = [
        endpoints.create(tenant_id, given | {"url": f"{url}/{n}"} | values, {}, "bench") for n in range(count)
    ]
    return [endpoints.subscribe(endpoint, {"topic_pattern": "#"}, {}, "bench") for endpoint in made]


def pending(subscriptions: list[Subscription], count: int) -> None:
    """So many due jobs, spread over the endpoints, each with an event of its own."""
    each = -(-count // len(subscriptions))
    with connection.cursor() as cursor:
        for subscription in subscriptions:
            for start in range(0, each, AT_ONCE):
                cursor.execute(PENDING, _row(subscription, min(AT_ONCE, each - start)))
            cursor.execute("INSERT INTO bells (endpoint_id) VALUES (%s)", [subscription.endpoint_id])


def finished(subscription: Subscription, count: int) -> None:
    """So many succeeded jobs with an attempt each."""
    with connection.cursor() as cursor:
        for start in range(0, count, AT_ONCE):
            cursor.execute(FINISHED, _row(subscription, min(AT_ONCE, count - start)))


def history(subscription: Subscription, events: int, since: datetime) -> None:
    """So many events, one a millisecond, each delivered in one attempt."""
    from_ms = milliseconds(since)
    with connection.cursor() as cursor:
        for start in range(0, events, AT_ONCE):
            row = _row(subscription, min(AT_ONCE, events - start))
            cursor.execute(HISTORY, row | {"from_ms": from_ms + start})


def buried(subscriptions: list[Subscription], letters: int, since: datetime) -> None:
    """So many dead letters, spread over the endpoints, one a millisecond of each."""
    each, from_ms = -(-letters // len(subscriptions)), milliseconds(since)
    with connection.cursor() as cursor:
        for subscription in subscriptions:
            cursor.execute(BURIED, _row(subscription, each) | {"from_ms": from_ms})


def settle_statistics() -> None:
    """What autovacuum would do in time. A scenario does not wait for it."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def pause(is_on: bool) -> None:
    Switch.objects.update_or_create(name="claims_paused", defaults={"is_on": is_on})


def clear() -> None:
    """An empty store, as before the first scenario."""
    tables = "jobs attempts dlq runs events bells lanes subscriptions endpoints idempotency_keys counters"
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables.split())}")


def is_waiting() -> bool:
    """Whether any job has yet to end. One look down each index, because it is asked while others work."""
    open_states = (Job.Status.PENDING, Job.Status.RUNNING)
    return any(Job.objects.filter(status=status).exists() for status in open_states)


def waiting(endpoint_ids: list[UUID]) -> int:
    """How many jobs of these endpoints have yet to end."""
    jobs = Job.objects.exclude(status__in=[Job.Status.SUCCEEDED, Job.Status.DEAD])
    return jobs.filter(endpoint_id__in=endpoint_ids).count()


def _row(subscription: Subscription, count: int) -> dict[str, Any]:
    return {
        "tenant": subscription.tenant_id,
        "endpoint": subscription.endpoint_id,
        "subscription": subscription.id,
        "payload": PAYLOAD,
        "count": count,
    }
