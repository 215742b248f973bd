"""The request that a receiver gets: its body in the endpoint's format, headers and signatures."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from deliveries import documents
from deliveries.documents import Fields, Stored
from deliveries.models.endpoints import PayloadFormat
from deliveries.rules import transforms
from deliveries.sending import signatures
from deliveries.sending.signatures import Key
from deliveries.work import ClaimedJob, Request
from hookline import __version__, jsontext
from hookline.times import EPOCH, MILLISECOND, milliseconds

USER_AGENT = f"HookLine/{__version__}"
TRACE = ("traceparent", "tracestate")


def seal(job: ClaimedJob, attempt_id: UUID, now: datetime) -> Request:
    """The signed request of one attempt. The job must have its event and target."""
    event, target = job.event, job.target
    assert event
    assert target
    attempt, event_id, sent = str(attempt_id), str(event.id), milliseconds(now)
    body = _body(job, attempt, event_id)
    headers = _headers(event, job.attempt_n, event_id, attempt, sent)
    if event.extra:
        headers += _trace(jsontext.fields(event.extra.encode()))
    if keys := target.keys_at(now):
        headers += _signatures(keys, event_id, sent, body)
    headers += target.headers
    return Request(target.url, headers, body, target.timeout_ms)


def _body(job: ClaimedJob, attempt: str, event_id: str) -> bytes:
    assert job.event
    assert job.target
    match job.target.payload_format:
        case PayloadFormat.EVENT:
            return _document(job.event, job.transform)
        case PayloadFormat.STANDARD:
            return documents.encode(_standard(job.event, job.transform))
    start = (
        f'{{"hookline_version":"1","job_id":"{job.id}","event_id":"{event_id}",'
        f'"attempt_id":"{attempt}","attempt":{job.attempt_n},"event":'
    )
    return b"%b%b}" % (start.encode(), _document(job.event, job.transform))


def _document(event: Stored, transform: str | None) -> bytes:
    if transform is None:
        return documents.document_of(event)
    return documents.encode(transforms.apply(transform, documents.fields_of(event)))


def _standard(event: Stored, transform: str | None) -> Fields:
    """`{"type", "timestamp", "data"}` as the Standard Webhooks specification suggests."""
    fields = transforms.apply(transform, documents.fields_of(event))
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


def _headers(event: Stored, attempt_n: int, event_id: str, attempt: str, sent: int) -> list[str]:
    return [
        "content-type: application/json",
        f"user-agent: {USER_AGENT}",
        f"x-hl-event-id: {event_id}",
        f"x-hookline-event-id: {event_id}",
        f"x-hl-topic: {_header_text(event.topic)}",
        f"x-hl-delivery-id: {attempt}",
        f"x-hookline-delivery-id: {attempt}",
        f"x-hl-timestamp: {sent}",
        f"x-hookline-timestamp: {sent}",
        f"x-hookline-attempt: {attempt_n}",
    ]


def _signatures(keys: Sequence[Key], event_id: str, sent: int, body: bytes) -> list[str]:
    seconds = sent // 1000
    return [
        f"x-hl-signature: {signatures.hookline(keys[0], sent, body)}",
        f"webhook-id: {event_id}",
        f"webhook-timestamp: {seconds}",
        f"webhook-signature: {signatures.standard(keys, event_id, seconds, body)}",
    ]


def _trace(fields: Fields) -> list[str]:
    """The trace context that came with the event, if it can stand in a header."""
    trace = jsontext.parse(fields["_trace"]) if "_trace" in fields else None
    found = [(name, trace.get(name)) for name in TRACE] if isinstance(trace, dict) else []
    return [f"{name}: {_header_text(text)}" for name, text in found if isinstance(text, str) and text]


def _header_text(text: str) -> str:
    """Text as a header value: what cannot stand there becomes a question mark."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)
