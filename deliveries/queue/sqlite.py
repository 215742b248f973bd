"""The queue's statements for SQLite, function by function as in postgres.py.

SQLite has one writer at a time, so the transaction that the caller holds does the work of every
row lock, and short loops stand where PostgreSQL has LATERAL.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from deliveries.documents import Stored
from deliveries.limits import OpenLane, Parked
from deliveries.queue.rows import Claim, Look, Pick, SettlementRow
from deliveries.work import ClaimedJob, Target
from hookline.database import Row, from_text, many, rows, to_text

LOOK = """
SELECT coalesce((SELECT is_on FROM switches WHERE name = 'claims_paused'), 0),
       EXISTS (SELECT 1 FROM bells),
       EXISTS (SELECT 1 FROM lanes WHERE state IN (2, 3) AND wake_at <= %(now)s),
       EXISTS (SELECT 1 FROM lanes WHERE state = 6),
       EXISTS (SELECT 1 FROM lanes WHERE state = 1)
"""

RING = """
UPDATE lanes SET state = 6, wake_at = NULL
WHERE endpoint_id IN (SELECT endpoint_id FROM bells) AND state IN (0, 2)
"""

WAKE_LANES = """
UPDATE lanes SET state = 1, wake_at = NULL WHERE endpoint_id IN (
  SELECT endpoint_id FROM lanes WHERE state IN (2, 3) AND wake_at <= %(now)s ORDER BY wake_at LIMIT 500)
"""

NEXT_TENANTS = """
WITH RECURSIVE tenant(id, n) AS (
  SELECT (SELECT min(tenant_id) FROM lanes
          WHERE state = {state} AND tenant_id > %(after)s AND tenant_id <= %(until)s), 1
  UNION ALL
  SELECT (SELECT min(tenant_id) FROM lanes
          WHERE state = {state} AND tenant_id > tenant.id AND tenant_id <= %(until)s), n + 1
  FROM tenant WHERE tenant.id IS NOT NULL AND n < %(most)s)
SELECT id FROM tenant WHERE id IS NOT NULL
"""
BEYOND_ALL_TENANTS = "\U0010ffff"

LANES_OF_TENANT = """
SELECT lane.endpoint_id, lane.tenant_id, lane.in_flight, lane.tokens, lane.refilled_at, lane.ramp,
       e.enabled, e.max_in_flight, e.rate_limit_rps, e.timeout_ms, coalesce(e.updated_at, e.created_at),
       lane.is_probing
FROM (SELECT * FROM lanes WHERE state = {state} AND tenant_id = %(tenant)s
      ORDER BY served_at LIMIT %(most)s) lane
LEFT JOIN endpoints e ON e.id = lane.endpoint_id
"""

DUE_JOBS = """
SELECT j.id, j.tenant_id, j.event_id, j.endpoint_id, j.attempt_count, j.forgiven_count, j.lost_count,
       e.topic, e.payload, e.extra, e.idempotency_key, e.occurred_at, e.created_at, e.payload_removed,
       s.transform, j.subscription_id IS NULL OR s.id IS NOT NULL
FROM (SELECT * FROM jobs
      WHERE status = 'pending' AND tenant_id = %(tenant)s AND endpoint_id = %(endpoint)s
        AND next_attempt_at <= %(now)s ORDER BY next_attempt_at LIMIT %(room)s) j
LEFT JOIN events e ON e.id = j.event_id LEFT JOIN subscriptions s ON s.id = j.subscription_id
"""

TAKE_JOB = """
UPDATE jobs SET status = 'running', claim_id = %(claim)s, lease_until = %(lease)s WHERE id = %(id)s
"""

PARK_LANE = """
UPDATE lanes SET served_at = %(now)s, in_flight = in_flight + %(taken)s, tokens = %(tokens)s,
  refilled_at = max(refilled_at, %(now)s), is_probing = 0,
  state = CASE WHEN %(state)s = 0 AND later.due IS NOT NULL THEN 2 ELSE %(state)s END,
  wake_at = CASE WHEN %(state)s = 0 THEN later.due ELSE %(wake)s END
FROM (SELECT min(next_attempt_at) AS due FROM jobs
      WHERE status = 'pending' AND tenant_id = %(tenant)s AND endpoint_id = %(endpoint)s) later
WHERE endpoint_id = %(endpoint)s
"""

SETTLE_JOB = """
UPDATE jobs SET status = %(status)s, lost_count = 0, claim_id = NULL, lease_until = NULL,
  attempt_count = attempt_count + (%(attempt_id)s IS NOT NULL),
  next_attempt_at = coalesce(%(due_at)s, next_attempt_at),
  finished_at = CASE WHEN %(status)s <> 'pending' THEN %(now)s END
WHERE id = %(job_id)s AND status = 'running' AND claim_id = %(claim_id)s
RETURNING tenant_id, event_id, endpoint_id, attempt_count, next_attempt_at
"""

RELEASE_JOB = """
UPDATE jobs SET status = 'pending', claim_id = NULL, lease_until = NULL, lost_count = %(losses)s
WHERE id = %(id)s AND status = 'running' AND claim_id = %(claim)s
RETURNING endpoint_id, next_attempt_at
"""

LOST_JOBS = """
SELECT id, lost_count FROM jobs WHERE status = 'running' AND lease_until < %(now)s
ORDER BY id LIMIT %(most)s
"""

RESCUE_JOB = """
UPDATE jobs SET status = 'pending', claim_id = NULL, lease_until = NULL, next_attempt_at = %(due)s,
  lost_count = max(1, lost_count), attempt_count = attempt_count + 1, forgiven_count = forgiven_count + 1
WHERE id = %(id)s RETURNING tenant_id, event_id, endpoint_id, attempt_count
"""

CHARGE_JOB = """
UPDATE jobs SET lost_count = lost_count + 1
WHERE id = %(id)s AND status = 'running' AND claim_id = %(claim)s RETURNING id
"""

INSERT_ATTEMPT = """
INSERT INTO attempts (id, job_id, tenant_id, event_id, endpoint_id, attempt_n, status, http_status,
  error, error_detail, started_at, duration_ms, address, response_headers, response_body)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

INSERT_DEAD_LETTER = """
INSERT INTO dlq (job_id, tenant_id, event_id, endpoint_id, reason, attempt_count, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (job_id) DO NOTHING
"""

RETURN_TO_LANE = """
UPDATE lanes SET
  in_flight = max(0, in_flight - %(n)s), tokens = tokens + %(unspent)s,
  ramp = CASE WHEN %(strained)s * 2 > %(n)s
                THEN max(1, min(coalesce(ramp, e.max_in_flight), e.max_in_flight) / 2)
              WHEN ramp + %(eased)s < e.max_in_flight THEN ramp + %(eased)s END,
  failing_since = CASE WHEN %(eased)s > 0 THEN NULL
                       WHEN %(failed)s > 0 THEN coalesce(failing_since, %(now)s) ELSE failing_since END,
  state = CASE WHEN state = 4 THEN 1 WHEN state = 0 AND %(due)s IS NOT NULL THEN 2 ELSE state END,
  wake_at = CASE WHEN state IN (0, 2) THEN min(coalesce(wake_at, %(due)s), coalesce(%(due)s, wake_at))
                 WHEN state = 4 THEN NULL ELSE wake_at END
FROM (SELECT 1) LEFT JOIN (SELECT max_in_flight FROM endpoints WHERE id = %(endpoint)s) e
WHERE endpoint_id = %(endpoint)s
"""


class Returns:
    """What comes back to each lane from the claims that ended."""

    COUNTED = ("n", "strained", "eased", "failed", "unspent")

    def __init__(self) -> None:
        self.lanes: dict[str, dict[str, Any]] = {}

    def add(self, endpoint: str, due: str | None, **counts: int) -> None:
        """`counts` are of `COUNTED`."""
        nothing = {"endpoint": endpoint, "due": None, "now": _now(), **dict.fromkeys(self.COUNTED, 0)}
        lane = self.lanes.setdefault(endpoint, nothing)
        for name, number in {"n": 1, **counts}.items():
            lane[name] += number
        lane["due"] = min(filter(None, (lane["due"], due)), default=None)

    def write(self) -> None:
        many(RETURN_TO_LANE, list(self.lanes.values()))


def _now() -> str:
    return str(datetime.now(UTC).replace(tzinfo=None))


def look(low: int) -> Look:
    now = datetime.now(UTC)
    return Look(now, *map(bool, rows(LOOK, {"now": to_text(now)})[0]))


def answer_bells(low: int) -> int:
    """Readies the lanes that were rung for. All bells are answered, so none are left behind."""
    rows(RING)
    rows("DELETE FROM bells")
    return 0


def wake_lanes() -> None:
    rows(WAKE_LANES, {"now": _now()})


def pick_lanes(state: int, after: str, most: int) -> Pick | None:
    """The lanes of the next tenants `after` one; None if no tenant has any."""
    tenants = _tenants(state, after, BEYOND_ALL_TENANTS, most)
    if len(tenants) < most:
        tenants += _tenants(state, "", after, most - len(tenants))
    if not tenants:
        return None
    sql, share = LANES_OF_TENANT.format(state=state), max(1, most // len(tenants))
    found = [row for tenant in tenants for row in rows(sql, {"tenant": tenant, "most": share})]
    return Pick(datetime.now(UTC), tenants, [_lane(*row) for row in found])


def _tenants(state: int, after: str, until: str, most: int) -> list[str]:
    bounds = {"after": after, "until": until, "most": most}
    return [row[0] for row in rows(NEXT_TENANTS.format(state=state), bounds)]


def _lane(
    endpoint: str, tenant: str, in_flight: int, tokens: float, refilled_at: Any, ramp: int | None,
    is_enabled: bool | None, most: int | None, rate: int | None, timeout: int | None, changed_at: Any,
    is_probing: int,
) -> OpenLane:  # fmt: skip
    refilled, changed = cast(datetime, from_text(refilled_at)), from_text(changed_at)
    return OpenLane(
        UUID(endpoint), tenant, in_flight, tokens, refilled, ramp, is_enabled, most, rate, timeout, changed,
        bool(is_probing),
    )  # fmt: skip


def take_jobs(
    lanes: Sequence[OpenLane],
    rooms: Sequence[int],
    leases: Sequence[datetime],
    claim_id: UUID,
    targets: Mapping[UUID, Target],
) -> list[ClaimedJob]:
    """Claims up to `rooms[n]` due jobs of each lane, the longest due first."""
    taken: list[ClaimedJob] = []
    for lane, room, lease in zip(lanes, rooms, leases, strict=True):
        due = {"tenant": lane.tenant_id, "endpoint": lane.endpoint_id.hex, "now": _now(), "room": room}
        found = rows(DUE_JOBS, due)
        many(TAKE_JOB, [{"claim": claim_id.hex, "lease": to_text(lease), "id": row[0]} for row in found])
        taken += [_claimed(row, claim_id, lease, targets.get(lane.endpoint_id)) for row in found]
    return taken


def _claimed(row: Row, claim_id: UUID, lease: datetime, target: Target | None) -> ClaimedJob:
    job, tenant_id, event, endpoint_id, attempts, forgiven, losses = row[:7]
    topic, payload, extra, key, occurred_at, created_at, removed = row[7:14]
    transform, has_rules = row[14:]
    event_id, created = UUID(event), cast(datetime, from_text(created_at))
    stored = Stored(event_id, tenant_id, topic, payload, extra, key, occurred_at, created, removed)
    return ClaimedJob(
        UUID(job), claim_id, tenant_id, event_id, UUID(endpoint_id), attempts, forgiven, losses, lease,
        stored if topic is not None else None,
        target if has_rules else None,
        transform,
    )  # fmt: skip


def park_lanes(
    lanes: Sequence[OpenLane], parked: Sequence[Parked], taken: Sequence[int], now: datetime
) -> None:
    many(
        PARK_LANE,
        [
            {
                "endpoint": lane.endpoint_id.hex,
                "tenant": lane.tenant_id,
                "taken": count,
                "state": entry.state,
                "tokens": entry.tokens,
                "wake": to_text(entry.wake_at),
                "now": to_text(now),
            }
            for lane, entry, count in zip(lanes, parked, taken, strict=True)
        ],
    )


def settle(lines: Sequence[SettlementRow]) -> set[Claim]:
    """Ends claims; returns those that still held."""
    ended, returns, now = set(), Returns(), _now()
    attempts: list[Row] = []
    letters: list[Row] = []
    for line in lines:
        values = {name: _plain(value) for name, value in line._asdict().items()} | {"now": now}
        for tenant, event, endpoint, attempt_count, due in rows(SETTLE_JOB, values):
            ended.add((line.job_id, line.claim_id))
            job = (values["job_id"], tenant, event, endpoint)
            is_pending = line.status == "pending"
            returns.add(
                endpoint, due if is_pending else None,
                strained=line.is_strained, eased=line.status == "succeeded", failed=line.result == "failure",
            )  # fmt: skip
            if line.attempt_id:
                attempts.append((values["attempt_id"], *job, *map(_plain, line[7:])))
            if line.status == "dead":
                letters.append((*job, line.reason, attempt_count, now))
    many(INSERT_ATTEMPT, attempts)
    many(INSERT_DEAD_LETTER, letters)
    returns.write()
    return ended


def release(jobs: Sequence[ClaimedJob]) -> None:
    """Gives claimed jobs back as they were, with their rate tokens."""
    returns = Returns()
    for job in jobs:
        values = {"id": job.id.hex, "claim": job.claim_id.hex, "losses": job.lost_count}
        for endpoint, due in rows(RELEASE_JOB, values):
            returns.add(endpoint, due, unspent=1)
    returns.write()


def rescue(attempt_ids: Sequence[UUID], detail: str) -> int:
    """Takes back jobs whose lease ended, at most one per id given; returns how many."""
    returns, now = Returns(), datetime.now(UTC)
    lost = rows(LOST_JOBS, {"now": to_text(now), "most": len(attempt_ids)})
    attempts: list[Row] = []
    for attempt_id, (job, lost_count) in zip(attempt_ids, lost, strict=False):
        due = to_text(now + timedelta(seconds=5 * lost_count))
        for tenant, event, endpoint, attempt_n in rows(RESCUE_JOB, {"id": job, "due": due}):
            returns.add(endpoint, due)
            attempts.append(
                (attempt_id.hex, job, tenant, event, endpoint, attempt_n, "failure", 0,
                 "lease_lost", detail, to_text(now), 0, "", None, None)
            )  # fmt: skip
    many(INSERT_ATTEMPT, attempts)
    returns.write()
    return len(lost)


def charge(ids: Sequence[UUID], claim_id: UUID) -> set[UUID]:
    """Notes that jobs which were lost before are started again; returns those still owned."""
    charged = (rows(CHARGE_JOB, {"id": job.hex, "claim": claim_id.hex}) for job in ids)
    return {UUID(row[0]) for found in charged for row in found}


def _plain(value: Any) -> Any:
    """A value as SQLite takes it."""
    if isinstance(value, UUID):
        return value.hex
    return to_text(value) if isinstance(value, datetime) else value
