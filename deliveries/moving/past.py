"""Events, jobs, attempts and dead letters: the rows that become of their documents. Each function raises
Invalid for what cannot be one, and returns None for what is left out."""

from deliveries import documents
from deliveries.models import Attempt, DeadLetter, Event, Job
from deliveries.moving.items import Item
from deliveries.moving.target import Target
from hookline.errors import Invalid
from hookline.times import milliseconds

ERRORS = frozenset("dns connect tls timeout blocked_address protocol redirect lease_lost".split())
READ_RECEIPT = "read"


def event_of(item: Item, target: Target) -> Event:
    created_at = item.moment("created_at") or target.now
    removed = item.value("payload_removed")
    is_removed = removed in Event.PayloadRemoved.values and "payload" not in item.fields
    fields = {
        name: raw for name, raw in item.fields.items() if not (is_removed and name == "payload_removed")
    }
    draft = documents.draft(fields, {})
    return Event(
        id=item.id("id", "event_id"),
        tenant_id=target.tenant_id,
        topic=draft.topic,
        payload=draft.payload,
        extra=draft.extra,
        idempotency_key=draft.idempotency_key,
        occurred_at=milliseconds(created_at) if draft.occurred_at is None else draft.occurred_at,
        created_at=created_at,
        payload_removed=removed if is_removed else None,
    )


def job_of(item: Item, target: Target) -> Job:
    status = item.text("status")
    finished_at = item.moment("finished_at")
    is_final = status in (Job.Status.SUCCEEDED, Job.Status.DEAD)
    if status not in Job.Status.values or status == Job.Status.RUNNING or is_final != bool(finished_at):
        raise Invalid("Invalid field 'status': must be pending, or succeeded or dead with finished_at")
    created_at = item.moment("created_at") or target.now
    return Job(
        id=item.id("job_id", "id"),
        tenant_id=target.tenant_id,
        event_id=item.id("event_id"),
        endpoint_id=item.id("endpoint_id"),
        subscription_id=item.id("subscription_id") if item.value("subscription_id") else None,
        replay_id=item.id("replay_id") if item.value("replay_id") else None,
        status=status,
        attempt_count=item.whole("attempt_count"),
        forgiven_count=item.whole("forgiven_count"),
        next_attempt_at=item.moment("next_attempt_at") or created_at,
        created_at=created_at,
        finished_at=finished_at,
    )


def attempt_of(item: Item, target: Target) -> Attempt | None:
    """The older server called every answer a success."""
    if item.value("status") == READ_RECEIPT:
        target.leave_out(item, "it is a read receipt")
        return None
    http_status = item.whole("http_status")
    error = _error(http_status, item.text("error"))
    body = item.text("response_body")
    return Attempt(
        id=item.id("attempt_id", "id"),
        job_id=item.id("job_id"),
        tenant_id=target.tenant_id,
        event_id=item.id("event_id"),
        endpoint_id=item.id("endpoint_id"),
        attempt_n=item.whole("attempt_n", 1),
        status=Attempt.Status.FAILURE if error else Attempt.Status.SUCCESS,
        http_status=http_status,
        error=error,
        error_detail=item.text("error_detail", item.text("error")),
        started_at=item.moment("started_at") or target.now,
        duration_ms=item.whole("duration_ms"),
        response_body=body.encode() if body else None,
    )


def letter_of(item: Item, target: Target) -> DeadLetter:
    return DeadLetter(
        job_id=item.id("job_id", "id"),
        tenant_id=target.tenant_id,
        event_id=item.id("event_id"),
        endpoint_id=item.id("endpoint_id"),
        reason=item.text("reason", "unknown", most=100),
        attempt_count=item.whole("attempt_count"),
        created_at=item.moment("created_at", "failed_at") or target.now,
    )


def _error(http_status: int, told: str) -> str | None:
    """A word of ours; None for a success."""
    if 200 <= http_status < 300:
        return None
    if http_status >= 400:
        return f"http_{http_status // 100}xx"
    if http_status >= 300:
        return "redirect"
    return told if told in ERRORS else "protocol"
