"""Live events and delivery results, for whoever listens.

One thread for each process reads what is new for all tenants with an open stream, and hands it to their
streams. Ids are made before a transaction commits, so that a lower id may appear after a higher one: each
look goes back over an overlap and passes on what it has not passed on before.
"""

import contextlib
import json
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import Error, connection
from django.db.models import QuerySet

from deliveries import documents
from deliveries.models import Attempt, Event
from deliveries.rules import topics
from hookline.counters import count
from hookline.database import now
from hookline.families import STREAM_EVENTS
from hookline.heartbeat import Heartbeat
from hookline.ids import NO_ID, first_uuid7
from hookline.lifecycle import stopping
from hookline.times import milliseconds

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
OVERLAP = timedelta(seconds=10)
# That a client has gone is only noticed by writing to it.
HEARTBEAT_SECONDS = 10.0
STOP_LOOK_SECONDS = 0.5
# What a stream may have unread before it is ended: its client resumes where it was.
MOST_UNREAD = 1000
# Of the threads that serve requests, so many are left to those.
MOST_STREAMS = 112
CAUGHT_UP_AT_ONCE = 200
STATUS_TOPIC = "deliveries.status"
HEARTBEAT = b":\n\n"
# Where a JSON text has a line break it is white space.
ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Stream:
    """What one client gets. `frames` ends when the client falls behind, or at a stop."""

    def __init__(self, tenant_id: str, pattern: str) -> None:
        self.tenant_id, self.pattern = tenant_id, pattern
        self.unread: queue.Queue[bytes] = queue.Queue(MOST_UNREAD)
        self.is_behind = False
        self.since = first_uuid7(now())

    def offer(self, topic: str, frame: bytes) -> None:
        if not topics.matches(self.pattern, topic):
            return
        try:
            self.unread.put_nowait(frame)
            count(STREAM_EVENTS, self.tenant_id, topic)
        except queue.Full:
            self.is_behind = True

    def frames(self) -> Iterator[bytes]:
        beaten_at = time.monotonic()
        while not (stopping.is_set() or self.is_behind):
            try:
                yield self.unread.get(timeout=STOP_LOOK_SECONDS)
            except queue.Empty:
                if time.monotonic() - beaten_at >= HEARTBEAT_SECONDS:
                    beaten_at = time.monotonic()
                    yield HEARTBEAT


class Hub:
    """The open streams of this process, and the thread that reads for them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.streams: defaultdict[str, set[Stream]] = defaultdict(set)
        self.thread: threading.Thread | None = None

    @property
    def count(self) -> int:
        return sum(map(len, self.streams.values()))

    def open(self, tenant_id: str, pattern: str) -> Stream | None:
        """A stream of what happens from now on; None if there are as many as may be."""
        with self.lock:
            if self.count >= MOST_STREAMS:
                return None
            stream = Stream(tenant_id, pattern)
            self.streams[tenant_id].add(stream)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._run, name="stream", daemon=True)
                self.thread.start()
        return stream

    def close(self, stream: Stream) -> None:
        with self.lock:
            self.streams[stream.tenant_id].discard(stream)
            if not self.streams[stream.tenant_id]:
                del self.streams[stream.tenant_id]

    def _run(self) -> None:
        tails: dict[str, Tail] = {}
        heartbeat = Heartbeat("streams")
        while not stopping.is_set() and (listeners := self._listeners()):
            tails = {
                tenant: tails.get(tenant) or Tail(tenant, min(stream.since for stream in streams))
                for tenant, streams in listeners.items()
            }
            try:
                heartbeat.beat(streams=self.count)
                for tenant, streams in listeners.items():
                    tails[tenant].tell(streams)
            except Error as fault:
                logger.warning("Streams could not be read on (%s); they are tried again", fault)
                connection.close()
            time.sleep(LOOK_SECONDS)
        with contextlib.suppress(Error):
            heartbeat.end()
        connection.close()

    def _listeners(self) -> dict[str, list[Stream]]:
        """Where there are none, the thread ends, and the next stream starts another."""
        with self.lock:
            if not self.streams:
                self.thread = None
            return {tenant: list(streams) for tenant, streams in self.streams.items()}


class Tail:
    """What is new of one tenant."""

    def __init__(self, tenant_id: str, since: UUID) -> None:
        self.tenant_id, self.since = tenant_id, since
        self.seen: set[UUID] = set()

    def tell(self, streams: list[Stream]) -> None:
        low = max(self.since, first_uuid7(now() - OVERLAP))
        events = Event.objects.filter(tenant_id=self.tenant_id)
        attempts = Attempt.objects.filter(tenant_id=self.tenant_id)
        new_events, new_attempts = self._new(events, low), self._new(attempts, low)
        self.seen = {id for id in self.seen if id >= low} | new_events | new_attempts
        for event in events.filter(id__in=new_events).order_by("id"):
            _offer(streams, event.topic, frame_of(event))
        for attempt in attempts.filter(id__in=new_attempts).order_by("id").defer("response_body"):
            _offer(streams, STATUS_TOPIC, status_frame_of(attempt))

    def _new(self, rows: "QuerySet[Any]", low: UUID) -> set[UUID]:
        return set(rows.filter(id__gte=low).values_list("id", flat=True)) - self.seen


def caught_up(tenant_id: str, pattern: str, last_id: UUID) -> list[bytes]:
    """What was published after an event, at most 200; from the beginning if that is unknown."""
    events = Event.objects.filter(tenant_id=tenant_id)
    last = last_id if events.filter(id=last_id).exists() else NO_ID
    later = events.filter(id__gt=last).order_by("id")[:CAUGHT_UP_AT_ONCE]
    return [frame_of(event) for event in later if topics.matches(pattern, event.topic)]


def frame_of(event: Event) -> bytes:
    return _frame(event.id, event.topic, documents.document_of(event))


def status_frame_of(attempt: Attempt) -> bytes:
    told = {
        "topic": STATUS_TOPIC,
        "attempt_id": str(attempt.id),
        "job_id": str(attempt.job_id),
        "event_id": str(attempt.event_id),
        "endpoint_id": str(attempt.endpoint_id),
        "attempt_n": attempt.attempt_n,
        "status": "success" if attempt.status == Attempt.Status.SUCCESS else "failed",
        "http_status": attempt.http_status,
        "latency_ms": attempt.duration_ms,
        "ts": milliseconds(attempt.started_at) + attempt.duration_ms,
    }
    return _frame(attempt.event_id, STATUS_TOPIC, json.dumps(told).encode())


def _frame(id: UUID, topic: str, data: bytes) -> bytes:
    name = topic.encode().translate(ONE_LINE)
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (str(id).encode(), name, data.translate(ONE_LINE))


def _offer(streams: list[Stream], topic: str, frame: bytes) -> None:
    for stream in streams:
        stream.offer(topic, frame)


hub = Hub()
