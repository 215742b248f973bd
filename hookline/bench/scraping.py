"""What /metrics costs where much waits: 10,000 endpoints of 1,000 tenants, 1 M pending jobs."""

import time

from django.conf import settings
from django.db import connection

from hookline import counters, metrics
from hookline.bench import seed
from hookline.bench.stage import Stage
from hookline.families import DELIVERIES, LATENCY

PLAYS = 5
ENDPOINTS = f"""
WITH tenant AS (
  INSERT INTO tenants (id, name, status, created_at, routes_version)
  SELECT 'tenant-' || n, '', 'active', now(), 0 FROM generate_series(1, 1000) n
  ON CONFLICT DO NOTHING),
made AS (
  INSERT INTO endpoints (id, tenant_id, url, name, description, enabled, disabled_reason, timeout_ms,
                         max_in_flight, rate_limit_rps, payload_format, created_at)
  SELECT {seed.NEW_ID}, 'tenant-' || 1 + n %% 1000, 'http://127.0.0.1:9/', '', '', true, '', 1000, 10, 100,
         'envelope', now() FROM generate_series(1, %(count)s) n
  RETURNING id, tenant_id)
INSERT INTO lanes (endpoint_id, tenant_id, state, served_at, in_flight, tokens, refilled_at)
SELECT id, tenant_id, (random() * 6)::int, now(), 0, 0, now() FROM made
"""
# Some are due and some are not yet.
JOBS = f"""
INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, status, attempt_count, forgiven_count, lost_count,
                  next_attempt_at, created_at)
SELECT {seed.NEW_ID}, tenant_id, {seed.NEW_ID}, id, 'pending', 0, 0, 0,
       now() + (random() - 0.5) * interval '1 hour', now() FROM endpoints, generate_series(1, 100)
"""


def scrape(stage: Stage) -> dict[str, float]:
    """One scrape beside 10,000 endpoints with 1 M pending jobs: when it reads what waits, and when not."""
    count = stage.some(10_000)
    with connection.cursor() as cursor:
        cursor.execute(ENDPOINTS, {"count": count})
        cursor.execute(JOBS)
        cursor.execute("SELECT tenant_id, id::text FROM endpoints")
        _count(cursor.fetchall())
    seed.settle_statistics()
    size, whole = _scrape(reads_gauges=True)
    _, counters_alone = _scrape(reads_gauges=False)
    return {"whole_ms": whole, "counters_ms": counters_alone, "kilobytes": size / 1000, "endpoints": count}


def _count(places: list[tuple[str, str]]) -> None:
    """As if every endpoint had had its share of everything."""
    for tenant_id, endpoint in places:
        for status in ("success", "failed", "retried"):
            counters.count(DELIVERIES, tenant_id, endpoint, status)
        counters.observe(LATENCY, endpoint, values=[5, 30, 80, 200, 400, 800, 2000])
        if len(counters._tally) > counters.MOST_UNWRITTEN / 2:
            counters.flush()
    counters.flush()


def _scrape(*, reads_gauges: bool) -> tuple[int, float]:
    """Bytes, and the median time of some scrapes in ms."""
    times = []
    for _ in range(PLAYS):
        if reads_gauges:
            metrics._gauges.serve_until = 0.0
        began = time.monotonic()
        size = len(metrics.text())
        times.append((time.monotonic() - began) * 1000)
    assert size > settings.HL_METRICS_LABELS
    return size, sorted(times)[PLAYS // 2]
