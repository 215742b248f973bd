"""Counters that outlive the rows they count.

A process adds up in memory and writes its sums to the `counters` table once a second, so that a
row everyone wants is touched once a second and not once an event. A killed process loses the
counts of its last second.
"""

import bisect
import json
import logging
import os
import threading
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Sequence

from django.db import Error, connection

from hookline.database import is_postgres, many, rows, write

logger = logging.getLogger(__name__)

EVENTS_PUBLISHED = "hookline_events_published_total"
DELIVERIES = "hookline_deliveries_total"
DEAD_LETTERS = "hookline_dlq_total"
RATE_LIMITED = "hookline_rate_limited_total"
STORE_OPS = "hookline_store_ops_total"
OVERLOAD_DROPS = "hookline_overload_drops_total"
STREAM_EVENTS = "hookline_stream_events_total"
LATENCY = "hookline_delivery_latency_ms"
LATENCY_SUM = LATENCY + "_sum"
BUCKETS = (10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000)
BUCKET_LABELS = (*map(str, BUCKETS), "+Inf")

FLUSH_SECONDS = 1.0
# Producers choose topics freely; beyond so many a tenant's topics are counted together, and so are
# long ones: PostgreSQL takes no key of several thousand bytes.
TOPICS_PER_TENANT = 200
LONGEST_TOPIC = 200
OTHER_TOPICS = "other"

ADD = """
INSERT INTO counters (name, labels, value) VALUES (%s, %s, %s)
ON CONFLICT (name, labels) DO UPDATE SET value = counters.value + excluded.value
"""
ADD_ALL = """
INSERT INTO counters (name, labels, value)
SELECT * FROM unnest(%(names)b::text[], %(labels)b::text[], %(values)b::int8[])
ON CONFLICT (name, labels) DO UPDATE SET value = counters.value + excluded.value
"""

_tally: Tally[tuple[str, tuple[str, ...]]] = Tally()
_topics: defaultdict[str, set[str]] = defaultdict(set)
_lock = threading.Lock()
_flushing_in: int | None = None
_writers: list[Callable[[], None]] = []


def count(name: str, *labels: str, by: int = 1) -> None:
    with _lock:
        _tally[name, labels] += by
    if _flushing_in != os.getpid():
        _start()


def count_topic(name: str, tenant_id: str, topic: str) -> None:
    """Counts under the topic, or under `other` if it is long or the tenant has used very many."""
    known = _topics[tenant_id]
    if topic not in known and (len(known) >= TOPICS_PER_TENANT or len(topic) > LONGEST_TOPIC):
        topic = OTHER_TOPICS
    known.add(topic)
    count(name, tenant_id, topic)


def count_latencies(endpoint_id: str, milliseconds: Sequence[int]) -> None:
    """Counts each in the smallest bucket that holds it; the text adds the buckets up."""
    for position, number in Tally(bisect.bisect_left(BUCKETS, each) for each in milliseconds).items():
        count(LATENCY, endpoint_id, BUCKET_LABELS[position], by=number)
    count(LATENCY_SUM, endpoint_id, by=sum(milliseconds))


def flush() -> None:
    """Writes what was counted since the last time."""
    with _lock:
        counted = sorted(_tally.items())
        _tally.clear()
    if counted:
        try:
            with write(durable=False):
                _add([(name, json.dumps(labels), value) for (name, labels), value in counted])
        except Error:
            with _lock:
                _tally.update(dict(counted))
            raise


def write_also(writer: Callable[[], None]) -> None:
    """Has the thread that writes counters write something else, too. It asks every second."""
    _writers.append(writer)


def _add(lines: list[tuple[str, str, int]]) -> None:
    if is_postgres():
        names, labels, values = map(list, zip(*lines, strict=True))
        rows(ADD_ALL, {"names": names, "labels": labels, "values": values})
    else:
        many(ADD, lines)


def _start() -> None:
    """One thread for each process; a fork starts its own."""
    global _flushing_in
    with _lock:
        if _flushing_in != os.getpid():
            _flushing_in = os.getpid()
            threading.Thread(target=_run, name="counters", daemon=True).start()


def _run() -> None:
    pause = threading.Event()
    while not pause.wait(FLUSH_SECONDS):
        try:
            for writer in (flush, *_writers):
                writer()
        except Error as fault:
            logger.warning("Counters could not be written (%s); they are kept for later", fault)
        finally:
            connection.close()
