"""Sends an endpoint an event of our own, whatever its subscriptions say."""

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from deliveries import depth
from deliveries.documents import Stored
from deliveries.models import Endpoint
from deliveries.queue.enqueue import NewJob, enqueue
from hookline.database import write
from hookline.errors import Conflict
from hookline.ids import uuid7
from hookline.times import milliseconds
from tenants import audit

TOPIC = "hookline.test"
PAYLOAD = '{"test":true,"message":"HookLine sent this so that somebody can see it arrive."}'


class Trial(NamedTuple):
    event_id: UUID
    job_id: UUID


def refusal(endpoint: Endpoint) -> str:
    """Why it cannot be tried now, as a sentence; nothing if it can."""
    return "" if endpoint.is_enabled else "It is disabled: enable it first."


def send_test(endpoint: Endpoint, by: str) -> Trial:
    """An event and a job for this endpoint alone. Raises Conflict if it gets nothing now, and
    Overloaded if its tenant's queue is full."""
    if reason := refusal(endpoint):
        raise Conflict(reason)
    depth.check(endpoint.tenant_id, endpoint.tenant.max_queue_depth)
    moment = datetime.now(UTC)
    event = Stored(
        uuid7(), endpoint.tenant_id, TOPIC, PAYLOAD, None, None, milliseconds(moment), moment
    )  # fmt: skip
    job = NewJob(uuid7(), event.tenant_id, event.id, endpoint.id, None)
    with write():
        enqueue([event], [job])
        audit.record(endpoint.tenant_id, by, "endpoint.tested", endpoint.id, event=str(event.id))
    return Trial(event.id, job.id)
