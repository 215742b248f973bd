"""The request that a receiver gets: its body in the endpoint's format, headers and signatures."""

from datetime import UTC, datetime
from uuid import UUID

from deliveries import documents
from deliveries.documents import Fields, Stored
from deliveries.models import Endpoint
from deliveries.models.endpoints import PayloadFormat
from deliveries.rules import transforms
from deliveries.sending import signatures
from deliveries.work import ClaimedJob, Request
from hookline import __version__, jsontext
from hookline.times import EPOCH, MILLISECOND, milliseconds

USER_AGENT = f"HookLine/{__version__}"
TRACE = ("traceparent", "tracestate")


def seal(job: ClaimedJob, attempt_id: UUID, now: datetime) -> Request:
    """The signed request of one attempt. The job must have its event and endpoint."""
    assert job.event
    assert job.endpoint
    fields = documents.fields_of(job.event)
    body = _body(job, attempt_id, transforms.apply(job.transform, fields))
    headers = _headers(job.event, job, attempt_id, now) + _trace(fields)
    headers += _signatures(job.endpoint, str(job.event_id), now, body)
    headers += [f"{name}: {value}" for name, value in job.endpoint.headers.items()]
    return Request(job.endpoint.url, headers, body, job.endpoint.timeout_ms)


def _body(job: ClaimedJob, attempt_id: UUID, fields: Fields) -> bytes:
    assert job.event
    assert job.endpoint
    match job.endpoint.payload_format:
        case PayloadFormat.EVENT:
            return documents.encode(fields)
        case PayloadFormat.STANDARD:
            return documents.encode(_standard(job.event, fields))
    return (
        b'{"hookline_version":"1","job_id":"%b","event_id":"%b","attempt_id":"%b","attempt":%d,"event":%b}'
        % (
            str(job.id).encode(),
            str(job.event_id).encode(),
            str(attempt_id).encode(),
            job.attempt_n,
            documents.encode(fields),
        )
    )


def _standard(event: Stored, fields: Fields) -> Fields:
    """`{"type", "timestamp", "data"}` as the Standard Webhooks specification suggests."""
    data = fields.get("payload") or fields.get("data") or b"null"
    topic = fields.get("topic", b"null")
    return {"type": topic, "timestamp": b'"%b"' % _iso(event).encode(), "data": data}


def _iso(event: Stored) -> str:
    """`occurred_at` in ISO 8601, or the time of publication if it lies outside the calendar."""
    try:
        moment = EPOCH + MILLISECOND * event.occurred_at
    except OverflowError:
        moment = event.created_at
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _headers(event: Stored, job: ClaimedJob, attempt_id: UUID, now: datetime) -> list[str]:
    sent = milliseconds(now)
    return [
        "content-type: application/json",
        f"user-agent: {USER_AGENT}",
        f"x-hl-event-id: {event.id}",
        f"x-hookline-event-id: {event.id}",
        f"x-hl-topic: {_header_text(event.topic)}",
        f"x-hl-delivery-id: {attempt_id}",
        f"x-hookline-delivery-id: {attempt_id}",
        f"x-hl-timestamp: {sent}",
        f"x-hookline-timestamp: {sent}",
        f"x-hookline-attempt: {job.attempt_n}",
    ]


def _signatures(endpoint: Endpoint, event_id: str, now: datetime, body: bytes) -> list[str]:
    if not (secrets := endpoint.secrets(now)):
        return []
    sent = milliseconds(now)
    return [
        f"x-hl-signature: {signatures.hookline(secrets[0], sent, body)}",
        f"webhook-id: {event_id}",
        f"webhook-timestamp: {sent // 1000}",
        f"webhook-signature: {signatures.standard(secrets, event_id, sent // 1000, body)}",
    ]


def _trace(fields: Fields) -> list[str]:
    """The trace context that came with the event, if it can stand in a header."""
    if "_trace" not in fields:
        return []
    trace = jsontext.parse(fields["_trace"])
    found = [(name, trace.get(name)) for name in TRACE] if isinstance(trace, dict) else []
    return [f"{name}: {_header_text(text)}" for name, text in found if isinstance(text, str) and text]


def _header_text(text: str) -> str:
    """Text as a header value: what cannot stand there becomes a question mark."""
    return "".join(char if char.isprintable() else "?" for char in text)
