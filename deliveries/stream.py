"""Live events and delivery results, for whoever listens.

One thread for each process reads what is new for all tenants with an open stream, and hands it to their
streams.
"""

import contextlib
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from django.db import Error, connection

from deliveries import news
from deliveries.news import News, Tail
from deliveries.rules import topics
from hookline.counters import count
from hookline.database import now
from hookline.families import STREAM_EVENTS
from hookline.heartbeat import Heartbeat
from hookline.ids import NO_ID, first_uuid7
from hookline.lifecycle import stopping

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
# That a client has gone is only noticed by writing to it.
HEARTBEAT_SECONDS = 10.0
STOP_LOOK_SECONDS = 0.5
# What a stream may have unread before it is ended: its client resumes where it was.
MOST_UNREAD = 1000
# Of the threads that serve requests, so many are left to those.
MOST_STREAMS = 112
HEARTBEAT = b":\n\n"


class Stream:
    """What one client of a tenant gets. `frames` ends when the client falls behind, or at a stop."""

    def __init__(self, tenant_id: str, pattern: str) -> None:
        self.tenant_id, self.pattern = tenant_id, pattern
        self.unread: queue.Queue[bytes] = queue.Queue(MOST_UNREAD)
        self.is_behind = False
        self.since = first_uuid7(now())

    def wants(self, told: News) -> bool:
        return topics.matches(self.pattern, told.topic)

    def offer(self, told: News) -> None:
        try:
            self.unread.put_nowait(told.frame)
            count(STREAM_EVENTS, self.tenant_id, told.topic)
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

    def open(self, stream: Stream) -> bool:
        """Gives the stream what happens from now on; false if there are as many as may be."""
        with self.lock:
            if self.count >= MOST_STREAMS:
                return False
            self.streams[stream.tenant_id].add(stream)
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._run, name="stream", daemon=True)
                self.thread.start()
        return True

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
                    _tell(tails[tenant].look(), streams)
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


def _tell(happened: Iterable[News], streams: list[Stream]) -> None:
    for told in happened:
        for stream in streams:
            if stream.wants(told):
                stream.offer(told)


def caught_up(stream: Stream, last_id: UUID) -> list[bytes]:
    """What was published after an event, at most 200; from the beginning if that is unknown."""
    last = last_id if news.is_known(stream.tenant_id, last_id) else NO_ID
    return [told.frame for told in news.later(stream.tenant_id, last) if stream.wants(told)]


hub = Hub()
