"""The four questions that operators' dashboards ask the tables themselves, word for word."""

import pytest
from django.db import connection

from hookline.bench import seed
from tenants.models import Tenant
from tests.queueing import make_target

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

QUEUE_DEPTH = "SELECT tenant_id, COUNT(*) FROM jobs WHERE status = 'pending' GROUP BY tenant_id;"
DLQ_SIZE = "SELECT COUNT(*) FROM dlq;"
FAILED_LAST_HOUR = (
    "SELECT COUNT(*) FROM attempts WHERE status = 'failure' AND started_at > NOW() - INTERVAL '1 hour';"
)
LATENCY = (
    "SELECT PERCENTILE_CONT(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99 FROM attempts "
    "WHERE started_at > NOW() - INTERVAL '5 minutes';"
)

HISTORY, FAILURES, RECENT, WAITING = 100_000, 20_000, 2_000, 1_000
# Attempts of a week, most of them old and most of them successes, and what became of their jobs.
FILL = f"""
UPDATE attempts SET started_at = now() - interval '7 days' + interval '6 days' * n / {HISTORY}
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM attempts) a WHERE a.id = attempts.id;
UPDATE attempts SET started_at = now() - interval '4 minutes', duration_ms = 7, status = 'failure'
  WHERE id IN (SELECT id FROM attempts ORDER BY id DESC LIMIT {RECENT});
INSERT INTO dlq (job_id, tenant_id, event_id, endpoint_id, reason, attempt_count, created_at)
  SELECT job_id, tenant_id, event_id, endpoint_id, 'http_400', 1, now() FROM attempts LIMIT {FAILURES};
"""


def ask(question: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall() if cursor.description else []


def test_each_is_answered_down_an_index(acme: Tenant) -> None:
    subscription = make_target(acme).subscriptions.get()
    seed.finished(subscription, HISTORY)
    seed.pending([subscription], WAITING)
    seed.settle_statistics()  # else what fills it would be planned for the empty tables of the test before
    ask(FILL)
    ask("VACUUM FULL attempts")  # the updates above moved every row; attempts are never updated
    seed.settle_statistics()

    for question, answer, index in (
        (QUEUE_DEPTH, [("acme", WAITING)], "jobs_due"),
        (DLQ_SIZE, [(FAILURES,)], "dlq_"),
        (FAILED_LAST_HOUR, [(RECENT,)], "attempts_failed"),
        (LATENCY, [(7.0,)], "attempts_started"),
    ):
        assert ask(question) == answer
        plan = "\n".join(str(row[0]) for row in ask(f"EXPLAIN {question}"))
        assert index in plan
        assert "Seq Scan" not in plan
