"""What happened, as streams tell it: an event that was published, the result of an attempt.

Ids are made before a transaction commits, so that a lower id may appear after a higher one: each look goes
back over an overlap and passes on what it has not passed on before. Far back it only goes now and then.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count as numbers
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from deliveries import documents
from deliveries.models import Attempt, Event
from hookline.database import now
from hookline.ids import first_foreign, first_uuid7
from hookline.times import milliseconds

OVERLAP, WIDE_OVERLAP = timedelta(seconds=2), timedelta(seconds=10)
WIDE_EVERY = 10
# An attempt has the id of its beginning, and may last as long as an endpoint's timeout may be.
SLOW_MS = 1000
LONGEST_ATTEMPT = timedelta(seconds=300) + WIDE_OVERLAP
CAUGHT_UP_AT_ONCE = 200
STATUS_TOPIC = "deliveries.status"
PREVIEW = 300
# Where a JSON text has a line break it is white space.
ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class News:
    """One thing to tell. A frame is made once, however many streams tell it."""

    topic: str
    tenant_id: str

    @cached_property
    def frame(self) -> bytes:
        """For clients of the API, by their topic."""
        name = self.topic.encode().translate(ONE_LINE)
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self._id, name, self._document().translate(ONE_LINE))

    @cached_property
    def summary(self) -> bytes:
        """For who watches: as much as a line of a page shows."""
        return b"id: %b\ndata: %b\n\n" % (self._id, json.dumps(self._summary()).encode())

    @property
    def _id(self) -> bytes:
        raise NotImplementedError

    def _document(self) -> bytes:
        raise NotImplementedError

    def _summary(self) -> dict[str, Any]:
        raise NotImplementedError


class Published(News):
    def __init__(self, event: Event) -> None:
        self.event, self.topic, self.tenant_id = event, event.topic, event.tenant_id

    @property
    def _id(self) -> bytes:
        return str(self.event.id).encode()

    def _document(self) -> bytes:
        return documents.document_of(self.event)

    def _summary(self) -> dict[str, Any]:
        payload = self.event.payload or ""
        return {
            "kind": "event",
            "event_id": str(self.event.id),
            "tenant": self.tenant_id,
            "topic": self.topic,
            "at": milliseconds(self.event.created_at),
            "bytes": len(payload.encode()),
            "payload": payload[:PREVIEW],
        }


class Attempted(News):
    """Its topic is one for all; that of its event is `event_topic`, if the event is still there."""

    topic = STATUS_TOPIC

    def __init__(self, attempt: Attempt, event_topic: str) -> None:
        self.attempt, self.event_topic, self.tenant_id = attempt, event_topic, attempt.tenant_id
        self.is_success = attempt.status == Attempt.Status.SUCCESS

    @property
    def _id(self) -> bytes:
        return str(self.attempt.event_id).encode()

    def _document(self) -> bytes:
        return json.dumps(self._result() | {"topic": STATUS_TOPIC}).encode()

    def _summary(self) -> dict[str, Any]:
        told = {"kind": "attempt", "tenant": self.tenant_id, "topic": self.event_topic}
        return self._result() | told | {"error": self.attempt.error, "at": self._result()["ts"]}

    def _result(self) -> dict[str, Any]:
        attempt = self.attempt
        return {
            "attempt_id": str(attempt.id),
            "job_id": str(attempt.job_id),
            "event_id": str(attempt.event_id),
            "endpoint_id": str(attempt.endpoint_id),
            "attempt_n": attempt.attempt_n,
            "status": "success" if self.is_success else "failed",
            "http_status": attempt.http_status,
            "latency_ms": attempt.duration_ms,
            "ts": milliseconds(attempt.started_at) + attempt.duration_ms,
        }


class Tail:
    """What is new of one tenant, or of all if it has no id."""

    def __init__(self, tenant_id: str, since: UUID) -> None:
        mine: dict[str, Any] = {"tenant_id": tenant_id} if tenant_id else {}
        self.events = Event.objects.filter(**mine)
        self.attempts = Attempt.objects.filter(**mine)
        self.since, self.began = since, now()
        self.looks = numbers()
        self.seen: set[UUID] = set()
        self.seen_slow: set[UUID] = set()

    def look(self) -> Iterator[News]:
        """In the order of ids, events first."""
        moment, is_wide = now(), next(self.looks) % WIDE_EVERY == 0
        low = first_uuid7(moment - (WIDE_OVERLAP if is_wide else OVERLAP))
        recent = {"id__gte": max(self.since, low), "id__lt": first_foreign()}
        events = self._new(self.events.filter(**recent))
        attempts = self._new(self.attempts.filter(**recent))
        if is_wide:
            attempts |= self._new_slow_ones(moment)
            self.seen = {id for id in self.seen if id >= low}
        yield from map(Published, self.events.filter(id__in=events).order_by("id"))
        yield from self._attempted(attempts)

    def _new(self, rows: "QuerySet[Any]") -> set[UUID]:
        found = set(rows.values_list("id", flat=True)) - self.seen
        self.seen |= found
        return found

    def _new_slow_ones(self, moment: datetime) -> set[UUID]:
        """Those that ended after others which began later. From the index of their times."""
        began = max(self.began, moment - LONGEST_ATTEMPT)
        slow = self.attempts.filter(started_at__gte=began, duration_ms__gte=SLOW_MS)
        found = set(slow.values_list("id", flat=True))
        new, self.seen_slow = found - self.seen_slow - self.seen, found
        return new

    def _attempted(self, ids: set[UUID]) -> Iterator[News]:
        found = list(self.attempts.filter(id__in=ids).order_by("id").defer("response_body"))
        theirs = Event.objects.filter(id__in={attempt.event_id for attempt in found})
        topics = dict(theirs.values_list("id", "topic"))
        for attempt in found:
            yield Attempted(attempt, topics.get(attempt.event_id, ""))


def later(tenant_id: str, last_id: UUID) -> list[Published]:
    """What was published after an event, at most 200."""
    mine: dict[str, Any] = {"tenant_id": tenant_id} if tenant_id else {}
    events = Event.objects.filter(**mine, id__gt=last_id, id__lt=first_foreign()).order_by("id")
    return [Published(event) for event in events[:CAUGHT_UP_AT_ONCE]]


def is_known(tenant_id: str, event_id: UUID) -> bool:
    found = Event.objects.filter(id=event_id)
    return (found.filter(tenant_id=tenant_id) if tenant_id else found).exists()
