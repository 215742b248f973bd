"""/v1/events: publish, publish many, list, read."""

import time
from collections import Counter as Tally
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from deliveries import depth, documents, intake, routing, traces, traffic
from deliveries.api import schema
from deliveries.api.event_pages import page_of
from deliveries.documents import Draft, Fields
from deliveries.intake import Accepted, Repeat
from deliveries.models import Event
from hookline import jsontext
from hookline.api import Resource
from hookline.counters import count
from hookline.errors import ApiError, Invalid, InvalidJson, NotFound, TooLarge
from hookline.families import EVENTS_PUBLISHED
from hookline.ids import parse_uuid
from hookline.jsontext import BadJson
from hookline.wire import json_response

BATCH_BODY_LIMIT = 16 * 1024 * 1024
BATCH_LIMIT = 1000
TRACE_HEADERS = ("traceparent", "tracestate")


class Publisher(Resource):
    """What publishing one event and publishing many have in common."""

    def publish(self, drafts: Sequence[Draft]) -> list[Accepted | Repeat]:
        if not traces.ARE_MADE:
            return self._publish(drafts)
        began, ids, fault = time.time_ns(), list[str](), ""
        try:
            results = self._publish(drafts)
            ids = [str(result.event.id) for result in results if isinstance(result, Accepted)]
        except Exception as raised:
            fault = type(raised).__name__
            raise
        finally:
            traces.spans.published(began, self.trace, self.tenant_id, ids, fault)
        return results

    def _publish(self, drafts: Sequence[Draft]) -> list[Accepted | Repeat]:
        routes = routing.routes_of(self.tenant_id, self.caller.routes_version)
        results = intake.publish(self.tenant_id, routes, drafts)
        accepted = [result for result in results if isinstance(result, Accepted)]
        depth.add(self.tenant_id, sum(len(result.jobs) for result in accepted))
        traffic.count_published(self.tenant_id, len(accepted))
        for topic, number in Tally(result.event.topic for result in accepted).items():
            count(EVENTS_PUBLISHED, self.tenant_id, topic, by=number)
        return results

    def draft(self, fields: Fields, keys: Container[str]) -> Draft | Repeat:
        """The event to store; `keys` are those of the drafts before it. A repeat is not judged."""
        key = documents.idempotency_key(fields)
        try:
            return documents.draft(fields, self.trace)
        except Invalid:
            if key is None:
                raise
            if key in keys:  # it loses to the draft before it, which is all that is ever seen of it
                return Draft("", None, None, None, key)
            if original := intake.original_of(self.tenant_id, key):
                return Repeat(original)
            raise

    @cached_property
    def trace(self) -> dict[str, str]:
        """The trace context of the request; a tracestate alone means nothing."""
        found = {name: self.request.headers.get(name, "") for name in TRACE_HEADERS}
        return {name: text for name, text in found.items() if text} if found["traceparent"] else {}


@schema.events
class Events(Publisher):
    @property
    def body_limit(self) -> int:  # type: ignore[override]
        return int(settings.HL_MAX_PAYLOAD_BYTES)

    def post(self, request: Request) -> HttpResponse:
        body = self.body()
        depth.check(self.tenant_id, self.caller.max_queue_depth)
        draft = self.draft(documents.read(body), keys=())
        result = self.publish([draft])[0] if isinstance(draft, Draft) else draft
        if isinstance(result, Repeat):
            return json_response(_repeat(result), 200)
        return json_response(_event(result), 201)

    def get(self, request: Request) -> HttpResponse:
        page = page_of(self.tenant_id, request.GET)
        position = b',"next_cursor":"%b","cursor":"%b"' % ((str(page.next_id).encode(),) * 2)
        body = b'{"items":[%b],"count":%d%b}' % (
            b",".join(page.items), len(page.items), position if page.next_id else b"",
        )  # fmt: skip
        return json_response(body)


@schema.event_batch
class EventBatch(Publisher):
    body_limit = BATCH_BODY_LIMIT

    def post(self, request: Request) -> HttpResponse:
        body = self.body()
        depth.check(self.tenant_id, self.caller.max_queue_depth)
        keys: set[str] = set()
        read = [self._read(index, item, keys) for index, item in enumerate(_items(body))]
        published = iter(self.publish([draft for draft in read if isinstance(draft, Draft)]))
        results = [next(published) if isinstance(item, Draft) else item for item in read]
        return json_response(_batch(results), 201)

    def _read(self, index: int, item: bytes, keys: set[str]) -> "Draft | Repeat | Rejected":
        try:
            if len(item) > settings.HL_MAX_PAYLOAD_BYTES:
                raise TooLarge
            draft = self.draft(documents.read(item), keys)
        except ApiError as error:
            return Rejected(index, error)
        if isinstance(draft, Draft) and draft.idempotency_key is not None:
            keys.add(draft.idempotency_key)
        return draft


def _items(body: bytes) -> list[bytes]:
    try:
        items = jsontext.elements(body, "events")
    except BadJson as fault:
        raise InvalidJson(str(fault)) from None
    if items is None:
        raise Invalid("Missing field: events, a list of event objects")
    if not 1 <= len(items) <= BATCH_LIMIT:
        raise Invalid(f"Invalid field 'events': must hold 1 to {BATCH_LIMIT} events")
    return items


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event of a batch that cannot be stored, which spoils no other."""

    index: int
    error: ApiError


@schema.event
class EventDetail(Resource):
    def get(self, request: Request, event_id: str) -> HttpResponse:
        return json_response(documents.document_of(find(self.tenant_id, event_id)))


def find(tenant_id: str, event_id: str) -> Event:
    event = Event.objects.filter(tenant_id=tenant_id, id=parse_uuid(event_id)).first()
    if event is None:
        raise NotFound("Event not found")
    return event


def _event(result: Accepted) -> bytes:
    """The stored event with the ids of its jobs."""
    job_ids = b"[%b]" % b",".join(b'"%b"' % str(job.id).encode() for job in result.jobs)
    return b'%b,"job_ids":%b}' % (documents.document_of(result.event)[:-1], job_ids)


def _repeat(repeat: Repeat) -> bytes:
    event_id = str(repeat.event_id).encode()
    return b'{"id":"%b","event_id":"%b","deduped":true}' % (event_id, event_id)


def _batch_item(result: Accepted | Repeat | Rejected) -> bytes:
    match result:
        case Repeat():
            return _repeat(result)
        case Rejected():
            return msgspec.json.encode(result.error.body() | {"index": result.index})
    event_id = str(result.event.id)
    job_ids = [str(job.id) for job in result.jobs]
    return msgspec.json.encode({"id": event_id, "event_id": event_id, "job_ids": job_ids})


def _batch(results: Sequence[Accepted | Repeat | Rejected]) -> bytes:
    kinds = Tally(type(result) for result in results)
    return b'{"items":[%b],"count":%d,"accepted":%d,"deduped":%d,"rejected":%d}' % (
        b",".join(_batch_item(result) for result in results),
        len(results), kinds[Accepted], kinds[Repeat], kinds[Rejected],
    )  # fmt: skip
