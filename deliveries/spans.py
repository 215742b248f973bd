"""Spans for OpenTelemetry: of each publish and of each attempt. Imported only if a collector is named.

They are made after the fact, from what is known anyway, so that neither path waits for them. An attempt may
come hours after its publish: it is a trace of its own, with a link to the one that the producer sent along.
"""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from deliveries.work import Settlement
from hookline import __version__, jsontext
from hookline.times import EPOCH, MILLISECOND

NAME = "hookline"
FLUSH_MILLISECONDS = 1000
EXPORT_SECONDS = 5
NANOSECONDS = 1_000_000

_propagator = TraceContextTextMapPropagator()
_lock = threading.Lock()
_made_in: int | None = None
_provider: TracerProvider | None = None


def published(
    began_ns: int, trace: Mapping[str, str], tenant_id: str, event_ids: Iterable[str], fault: str = ""
) -> None:
    """One publish, of one event or of many, as a part of its producer's trace."""
    ids = list(event_ids)
    span = _tracer().start_span(
        "publish", _propagator.extract(trace), SpanKind.SERVER, start_time=began_ns,
        attributes={"hookline.tenant_id": tenant_id, "hookline.event_count": len(ids)},
    )  # fmt: skip
    if len(ids) == 1:
        span.set_attribute("hookline.event_id", ids[0])
    if fault:
        span.set_status(Status(StatusCode.ERROR, fault))
    span.end(time.time_ns())


def delivered(settlements: Iterable[Settlement]) -> None:
    """The attempts of a batch."""
    for settlement in settlements:
        if settlement.outcome:
            _attempted(settlement)


def _attempted(settlement: Settlement) -> None:
    outcome = settlement.outcome
    assert outcome
    answer, began_ns = outcome.answer, _nanoseconds(outcome.started_at)
    span = _tracer().start_span(
        "deliver", kind=SpanKind.CLIENT, links=_links(settlement), start_time=began_ns,
        attributes=_attributes(settlement),
    )  # fmt: skip
    if answer.error:
        span.set_status(Status(StatusCode.ERROR, answer.detail))
    span.end(began_ns + answer.duration_ms * NANOSECONDS)


def _attributes(settlement: Settlement) -> dict[str, AttributeValue]:
    """Names are those of OpenTelemetry where it has any. No path: customers put tokens into URLs."""
    job, outcome = settlement.job, settlement.outcome
    assert outcome
    assert job.target
    url, answer = urlsplit(job.target.url), outcome.answer
    found: dict[str, AttributeValue] = {
        "hookline.tenant_id": job.tenant_id,
        "hookline.endpoint_id": str(job.endpoint_id),
        "hookline.event_id": str(job.event_id),
        "hookline.job_id": str(job.id),
        "hookline.attempt_id": str(outcome.attempt_id),
        "hookline.attempt": job.attempt_n,
        "http.request.method": "POST",
        "url.scheme": url.scheme,
        "server.address": url.hostname or "",
    }
    if answer.status:
        found["http.response.status_code"] = answer.status
    if answer.error:
        found["error.type"] = answer.error
    if answer.address:
        found["network.peer.address"] = answer.address
    return found


def _links(settlement: Settlement) -> list[Link]:
    """To the producer's span, if the event came with one that is well-formed."""
    event = settlement.job.event
    if event is None or not event.extra or '"_trace"' not in event.extra:
        return []
    with suppress(jsontext.BadJson, KeyError, AttributeError):
        trace = jsontext.parse(jsontext.fields(event.extra.encode())["_trace"])
        carrier = {name: text for name, text in trace.items() if isinstance(text, str)}
        context = get_current_span(_propagator.extract(carrier)).get_span_context()
        return [Link(context)] if context.is_valid else []
    return []


def end() -> None:
    """Sends what is still to be sent, or gives it up after a second."""
    if _provider and _made_in == os.getpid():
        _provider.force_flush(FLUSH_MILLISECONDS)


def _tracer() -> Tracer:
    """Of this process: the thread of one that was made before a fork is not there after it."""
    global _made_in, _provider
    with _lock:
        if _provider is None or _made_in != os.getpid():
            _provider, _made_in = _new_provider(), os.getpid()
        return _provider.get_tracer(NAME, __version__)


def _new_provider() -> TracerProvider:
    """What is not set here is as OpenTelemetry's own variables say, the share of traces among it."""
    name = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: NAME}
    provider = TracerProvider(resource=Resource.create({**name, SERVICE_VERSION: __version__}))
    base = settings.HL_OTEL_ENDPOINT.rstrip("/")
    exporter = OTLPSpanExporter(endpoint=f"{base}/v1/traces" if base else None, timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _nanoseconds(moment: datetime) -> int:
    return (moment - EPOCH) // (MILLISECOND / 1000) * 1000
