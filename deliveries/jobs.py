"""What can be done with a job: have its event sent now, whatever became of it before."""

import json
from uuid import UUID

from deliveries import dead_letters
from deliveries.documents import REMOVED
from deliveries.models import DeadLetter, Endpoint, Event, Job, Replay, Subscription
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.queue.hasten import hasten_one
from hookline.database import now, write
from hookline.errors import Conflict
from hookline.ids import uuid7
from tenants import audit

GONE = "Its event is no longer kept."
DUE = "It is due already."


def refusal(job: Job) -> str:
    """Why it cannot be sent now, as a sentence; nothing if it can."""
    if job.status == Job.Status.RUNNING:
        return "It is being sent."
    if job.status == Job.Status.PENDING and job.next_attempt_at <= now():
        return DUE
    event = Event.objects.filter(id=job.event_id).only("payload_removed").first()
    if event is None:
        return GONE
    if event.payload_removed:
        return REMOVED[event.payload_removed]
    if job.subscription_id and not Subscription.objects.filter(id=job.subscription_id).exists():
        return "Its subscription is no longer kept."
    endpoint = Endpoint.objects.filter(id=job.endpoint_id).only("is_enabled").first()
    if endpoint is None:
        return "Its endpoint was deleted."
    return "" if endpoint.is_enabled else "Its endpoint is disabled: enable it first."


def send_now(job: Job, by: str) -> UUID:
    """Has it sent now: sooner if it waits, with a fresh budget if it is dead, and otherwise once more,
    by a new job. Returns the job that will be sent. Raises Conflict with the reason if it cannot."""
    if reason := refusal(job):
        raise Conflict(reason)
    letter = DeadLetter.objects.filter(job_id=job.id).first()
    if job.status == Job.Status.PENDING:
        _hasten(job, by)
    elif letter:
        dead_letters.requeue(letter, by)
    else:
        return _repeat(job, by)
    return job.id


def _hasten(job: Job, by: str) -> None:
    with write():
        if not hasten_one(job.id):
            raise Conflict(DUE)
        audit.record(job.tenant_id, by, "job.hastened", job.id)


def _repeat(job: Job, by: str) -> UUID:
    """A replay of one event for one subscription, or for the endpoint that it was sent to alone."""
    again = NewJob(uuid7(), job.tenant_id, job.event_id, job.endpoint_id, job.subscription_id)
    with write():
        # Locked, so that retention does not remove it meanwhile.
        whole = Event.objects.filter(id=job.event_id, payload_removed=None)
        if not whole.select_for_update(no_key=True).first():
            raise Conflict(GONE)
        result = {"event_id": str(job.event_id), "job_ids": [str(again.id)]}
        record = Replay.objects.create(
            tenant_id=job.tenant_id, request=json.dumps({"job_id": str(job.id)}), results=json.dumps([result])
        )
        enqueue([], [again], record.id)
        audit.record(job.tenant_id, by, "replay.created", record.id, events=1)
    return again.id
