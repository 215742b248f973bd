"""Counts what goes through by minute and hour, for the charts of the console.

A process adds up in memory; the thread that writes its counters writes these too, less often. A killed
process loses the sums of its last seconds.
"""

import threading
import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.db import Error

from deliveries.models import Traffic
from hookline import counters
from hookline.database import is_postgres, many, now, rows, to_text, write

PUBLISHED, DELIVERED, FAILED, DEAD = "published", "delivered", "failed", "dead"
# With the least milliseconds of a bucket after it.
TOOK = "took "
EVERYTHING = ""

WRITE_SECONDS = 5.0
KEPT = {Traffic.MINUTE: timedelta(hours=2), Traffic.HOUR: timedelta(days=8)}
MINUTE_SECONDS = 60

ADD = """
INSERT INTO traffic (scope, seconds, at, name, value) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (scope, seconds, at, name) DO UPDATE SET value = traffic.value + excluded.value
"""
ADD_ALL = """
INSERT INTO traffic (scope, seconds, at, name, value)
SELECT * FROM unnest(%(scopes)b::text[], %(seconds)b::int4[], %(ats)b::timestamptz[], %(names)b::text[],
                     %(values)b::int8[])
ON CONFLICT (scope, seconds, at, name) DO UPDATE SET value = traffic.value + excluded.value
"""

# A scope, the minute since 1970, and a name.
Place = tuple[str, int, str]

_tally: Tally[Place] = Tally()
_lock = threading.Lock()
_written_at = 0.0


# A tenant, an endpoint, what happened there, and how often.
Count = tuple[str, str, str, int]


def of_tenant(id: str) -> str:
    return f"t:{id}"


def of_endpoint(id: object) -> str:
    return f"e:{id}"


def count_published(tenant_id: str, events: int) -> None:
    _count({(of_tenant(tenant_id), PUBLISHED): events})


def count_settled(counts: Iterable[Count], durations: Mapping[str, Sequence[int]]) -> None:
    """The attempts of a batch by result, and the jobs given up; and how long attempts took by endpoint."""
    sums: Tally[tuple[str, str]] = Tally()
    tenants: dict[str, str] = {}
    for tenant, endpoint, name, number in counts:
        tenants[endpoint] = tenant
        sums[of_tenant(tenant), name] += number
        sums[of_endpoint(endpoint), name] += number
    took: defaultdict[str, Tally[int]] = defaultdict(Tally)
    for endpoint, milliseconds in durations.items():
        took[tenants[endpoint]].update(milliseconds)
    for tenant, tally in took.items():
        for each, number in tally.items():
            sums[of_tenant(tenant), f"{TOOK}{bucket_of(each)}"] += number
    _count(sums)


def bucket_of(milliseconds: int) -> int:
    """The least duration that is counted together with this one: four buckets to each doubling."""
    if milliseconds < 8:
        return max(milliseconds, 0)
    shift = milliseconds.bit_length() - 3
    return milliseconds >> shift << shift


def bucket_end(least: int) -> int:
    """The least duration of the next bucket."""
    return least + 1 if least < 8 else least + (1 << least.bit_length() - 3)


def flush_if_due() -> None:
    if time.monotonic() - _written_at >= WRITE_SECONDS:
        flush()


def flush() -> None:
    """Writes what was counted since the last time."""
    global _written_at
    _written_at = time.monotonic()
    with _lock:
        counted = dict(_tally)
        _tally.clear()
    if counted:
        try:
            write_down(counted)
        except Error:
            with _lock:
                _tally.update(counted)
            raise


def write_down(counted: Mapping[Place, int]) -> None:
    with write(durable=False):
        _add(_lines(counted))


counters.write_also(flush_if_due)


def forget(tenant_id: str) -> None:
    Traffic.objects.filter(scope=of_tenant(tenant_id)).delete()


def prune() -> None:
    for seconds, time_kept in KEPT.items():
        Traffic.objects.filter(seconds=seconds, at__lt=now() - time_kept).delete()


def _count(sums: dict[tuple[str, str], int]) -> None:
    minute = int(time.time()) // MINUTE_SECONDS
    with _lock:
        for (scope, name), number in sums.items():
            _tally[scope, minute, name] += number


Line = tuple[str, int, datetime, str, int]


def _lines(counted: Mapping[Place, int]) -> list[Line]:
    """The rows to add to, in the order in which every process locks them: tenants and the whole by
    minute and hour, endpoints by hour."""
    lines: Tally[tuple[str, int, datetime, str]] = Tally()
    for (scope, minute, name), number in counted.items():
        at = datetime.fromtimestamp(minute * MINUTE_SECONDS, UTC)
        hour = at.replace(minute=0)
        lines[scope, Traffic.HOUR, hour, name] += number
        if scope.startswith("t:"):
            lines[scope, Traffic.MINUTE, at, name] += number
            lines[EVERYTHING, Traffic.MINUTE, at, name] += number
            lines[EVERYTHING, Traffic.HOUR, hour, name] += number
    return [(*place, number) for place, number in sorted(lines.items())]


def _add(lines: list[Line]) -> None:
    if is_postgres():
        names = ("scopes", "seconds", "ats", "names", "values")
        rows(ADD_ALL, dict(zip(names, map(list, zip(*lines, strict=True)), strict=True)))
    else:
        many(ADD, [(scope, seconds, to_text(at), name, n) for scope, seconds, at, name, n in lines])
