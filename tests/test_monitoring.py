"""The questions that operators' dashboards ask of the tables, and the index that answers each."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from hookline import schema
from tests.live import new_database

pytestmark = pytest.mark.postgres

# Dashboards hold them as they stand here: word for word is what they promise to keep working.
QUEUE_DEPTH = "SELECT tenant_id, COUNT(*) FROM jobs WHERE status = 'pending' GROUP BY tenant_id;"
DEAD_LETTERS = "SELECT COUNT(*) FROM dlq;"
FAILURES = (
    "SELECT COUNT(*) FROM attempts WHERE status = 'failure' AND started_at > NOW() - INTERVAL '1 hour';"
)
LATENCY = (
    "SELECT PERCENTILE_CONT(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99 FROM attempts "
    "WHERE started_at > NOW() - INTERVAL '5 minutes';"
)

# A week of one attempt every 3 s; each 40th failed. Every 20th job waits, of four tenants in turn.
# Each 25th attempt took 900 ms.
JOBS, ATTEMPTS, LETTERS = 50_000, 200_000, 20_000
FILL = f"""
CREATE FUNCTION pg_temp.id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE
  AS $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;
INSERT INTO jobs (id, tenant_id, event_id, endpoint_id, status, attempt_count, forgiven_count, lost_count,
                  next_attempt_at, created_at, finished_at)
SELECT pg_temp.id(n), 'tenant-' || n / 20 % 4, pg_temp.id(n), pg_temp.id(n),
       CASE WHEN n % 20 = 0 THEN 'pending' ELSE 'succeeded' END, 0, 0, 0,
       now(), now(), CASE WHEN n % 20 <> 0 THEN now() END
FROM generate_series(1, {JOBS}) n;
INSERT INTO attempts (id, job_id, tenant_id, event_id, endpoint_id, attempt_n, status, http_status,
                      error_detail, started_at, duration_ms, address, response_body)
SELECT pg_temp.id(n), pg_temp.id(n), 'tenant-' || n % 4, pg_temp.id(n), pg_temp.id(n), 1,
       CASE WHEN n % 40 = 0 THEN 'failure' ELSE 'success' END, 200, '', now() - n * interval '3 s',
       CASE WHEN n % 25 = 0 THEN 900 ELSE n % 100 END,
       '192.0.2.1', 'ok'
FROM generate_series(0, {ATTEMPTS - 1}) n;
INSERT INTO dlq (job_id, tenant_id, event_id, endpoint_id, reason, attempt_count, created_at)
SELECT pg_temp.id(n), 'tenant-' || n % 4, pg_temp.id(n), pg_temp.id(n),
       'max_attempts_exceeded', 12, now()
FROM generate_series(1, {LETTERS}) n;
"""


@pytest.fixture(scope="module")
def week() -> Iterator[psycopg.Connection]:
    """A database with the work of a week in it, as autovacuum would have left it."""
    with psycopg.connect(new_database("monitoring"), autocommit=True) as connection:
        connection.execute(schema.FILE.read_bytes())
        connection.execute(FILL.encode())
        connection.execute("VACUUM (ANALYZE) jobs, attempts, dlq")
        yield connection


def plan(connection: psycopg.Connection, query: str) -> str:
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {query}".encode()))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (QUEUE_DEPTH, "jobs_due"),
        (DEAD_LETTERS, "dlq_"),
        (FAILURES, "attempts_failed"),
        (LATENCY, "attempts_started"),
    ],
)
def test_an_index_answers(week: psycopg.Connection, query: str, index: str) -> None:
    chosen = plan(week, query)
    assert re.search(rf"(Index|Bitmap Index).* Scan .*{index}", chosen), chosen
    assert "Seq Scan" not in chosen


def test_the_answers_are_right(week: psycopg.Connection) -> None:
    with week.transaction():
        depths = week.execute(QUEUE_DEPTH).fetchall()
        assert sorted(depths) == [(f"tenant-{n}", JOBS // 20 // 4) for n in range(4)]
        assert week.execute(DEAD_LETTERS).fetchall() == [(LETTERS,)]
        # 1,200 attempts in an hour, and a 40th of them failed; those that aged meanwhile fell out.
        assert 20 <= week.execute(FAILURES).fetchall()[0][0] <= 30
        assert week.execute(LATENCY).fetchall() == [(900.0,)]
