"""What waits, whose it is, what it waits for, and since when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hookline.database import Row, from_text, is_postgres, now, rows, to_text

# What a job that is due waits for: a worker to come; its endpoint's rate or another request of it to
# end; the endpoint to be enabled.
WORKER, LIMIT, ENDPOINT = "worker", "limit", "endpoint"
REASONS = (WORKER, LIMIT, ENDPOINT)
# A lane that waits for its rate is overdue then: no worker came.
OVERDUE = timedelta(seconds=10)

# One walk down the index of pending jobs, which is in the order of the groups.
BY_TENANT = """
SELECT j.tenant_id,
       CASE WHEN l.state = 5 OR NOT coalesce(e.enabled, true) THEN 'endpoint'
            WHEN l.state = 4 OR l.state = 3 AND l.wake_at > %(overdue)s THEN 'limit'
            ELSE 'worker' END AS waits_for,
       sum(j.pending), sum(j.due), min(j.oldest)
FROM (SELECT tenant_id, endpoint_id, count(*) AS pending,
             count(*) FILTER (WHERE next_attempt_at <= %(now)s) AS due, min(next_attempt_at) AS oldest
      FROM jobs WHERE status = 'pending' GROUP BY tenant_id, endpoint_id) j
LEFT JOIN lanes l ON l.endpoint_id = j.endpoint_id LEFT JOIN endpoints e ON e.id = j.endpoint_id
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Of one tenant, for one reason. `oldest` is when the first of its jobs is due, or was."""

    tenant_id: str
    waits_for: str
    pending: int
    due: int
    oldest: datetime


def by_tenant() -> list[Backlog]:
    """Everything that waits. Its cost grows with the number of jobs that do."""
    moment = now()
    return [_backlog(row) for row in rows(BY_TENANT, _times(now=moment, overdue=moment - OVERDUE))]


def _backlog(row: Row) -> Backlog:
    tenant_id, waits_for, pending, due, oldest = row
    first = oldest if isinstance(oldest, datetime) else from_text(oldest)
    assert first
    return Backlog(tenant_id, waits_for, int(pending), int(due), first)


def _times(**moments: datetime) -> dict[str, datetime | str | None]:
    """Moments as the store compares them."""
    return {name: at if is_postgres() else to_text(at) for name, at in moments.items()}
