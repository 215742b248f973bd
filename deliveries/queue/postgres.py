"""The queue's statements for PostgreSQL. Each says in one round trip what it does.

Three rules keep their plans good on millions of rows. Times are compared with
`statement_timestamp()`, because a volatile clock is no index condition. What was selected under
a LIMIT is updated through `= ANY(ARRAY(…))`, because the planner cannot guess its number and
would otherwise hash the whole table. States stand as literals, because a parameter would not
match a partial index.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from deliveries.documents import Stored
from deliveries.limits import OpenLane, Parked
from deliveries.queue.rows import Claim, Look, Pick, SettlementRow
from deliveries.work import ClaimedJob, Target
from hookline.arrays import BOOLEAN, BYTEA, FLOAT, ID, INTEGER, SMALLINT, TEXT, TIME, Table
from hookline.database import Row, rows

# Each look goes down one index, in its order: an EXISTS without one would be a scan of the whole
# table whenever the statistics were taken while most lanes were in that state. It has no parameters,
# because a statement without any is planned once: to plan it takes six times as long as to run it.
LOOK = """
SELECT clock_timestamp(),
       coalesce((SELECT is_on FROM switches WHERE name = 'claims_paused'), false),
       (SELECT id FROM bells WHERE id > {low} ORDER BY id LIMIT 1) IS NOT NULL,
       (SELECT wake_at FROM lanes WHERE state IN (2, 3) AND wake_at <= statement_timestamp()
        ORDER BY wake_at LIMIT 1) IS NOT NULL,
       (SELECT tenant_id FROM lanes WHERE state = 6 ORDER BY tenant_id LIMIT 1) IS NOT NULL,
       (SELECT tenant_id FROM lanes WHERE state = 1 ORDER BY tenant_id LIMIT 1) IS NOT NULL
"""

# The state stands in CASE and not in WHERE: a lane that a claim is just parking must be seen as
# it will be, and WHERE would already have passed over it as it was.
ANSWER_BELLS = """
WITH bell AS MATERIALIZED (
  DELETE FROM bells WHERE id = ANY (ARRAY(
    SELECT id FROM bells WHERE id > %(low)s ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED))
  RETURNING id, endpoint_id),
rung AS MATERIALIZED (
  SELECT endpoint_id FROM lanes
  WHERE endpoint_id = ANY (ARRAY(SELECT DISTINCT endpoint_id FROM bell))
  ORDER BY endpoint_id FOR NO KEY UPDATE),
woken AS (
  UPDATE lanes SET state = CASE WHEN state IN (0, 2) THEN 6 ELSE state END,
                   wake_at = CASE WHEN state IN (0, 2) THEN NULL ELSE wake_at END
  FROM rung WHERE lanes.endpoint_id = rung.endpoint_id)
SELECT coalesce(max(id), 0) FROM bell
"""

WAKE_LANES = """
WITH woken AS MATERIALIZED (
  SELECT endpoint_id FROM lanes WHERE state IN (2, 3) AND wake_at <= statement_timestamp()
  ORDER BY wake_at LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE lanes SET state = 1, wake_at = NULL FROM woken WHERE lanes.endpoint_id = woken.endpoint_id
"""

# The next tenants after the cursor and on from the first, round to where it began: two index probes
# each. Then the least recently served lanes of each; a tenant whose lanes other workers hold comes
# back without one.
PICK_LANES = """
WITH RECURSIVE tenant(id, n) AS (
  SELECT coalesce(
    (SELECT tenant_id::text FROM lanes WHERE state = {state} AND tenant_id > %(after)s
     ORDER BY tenant_id LIMIT 1),
    (SELECT tenant_id::text FROM lanes WHERE state = {state} ORDER BY tenant_id LIMIT 1)), 1
  UNION ALL
  SELECT CASE WHEN tenant.id <= %(after)s AND later.id > %(after)s THEN NULL
              WHEN tenant.id > %(after)s AND later.id IS NULL THEN
                (SELECT tenant_id::text FROM lanes WHERE state = {state} AND tenant_id <= %(after)s
                 ORDER BY tenant_id LIMIT 1)
              ELSE later.id END, n + 1
  FROM tenant LEFT JOIN LATERAL (
    SELECT tenant_id::text AS id FROM lanes WHERE state = {state} AND tenant_id > tenant.id
    ORDER BY tenant_id LIMIT 1) later ON true
  WHERE tenant.id IS NOT NULL AND n < %(most)s),
share AS MATERIALIZED (SELECT greatest(1, %(most)s / greatest(1, count(id)))::int AS lanes FROM tenant)
SELECT statement_timestamp(), tenant.id, lane.endpoint_id, lane.in_flight, lane.tokens,
       lane.refilled_at, lane.ramp, e.enabled, e.max_in_flight, e.rate_limit_rps, e.timeout_ms,
       coalesce(e.updated_at, e.created_at), lane.is_probing
FROM tenant CROSS JOIN share
LEFT JOIN LATERAL (
  SELECT * FROM lanes WHERE state = {state} AND tenant_id = tenant.id
  ORDER BY served_at LIMIT share.lanes FOR NO KEY UPDATE SKIP LOCKED) lane ON true
LEFT JOIN endpoints e ON e.id = lane.endpoint_id
WHERE tenant.id IS NOT NULL ORDER BY tenant.n
"""

# The lane is locked, so no other claim looks at these jobs. Whoever else changed one meanwhile,
# the update sees that it is no longer pending.
LANES = Table("lane", tenant_id=TEXT, endpoint_id=ID, room=INTEGER, lease_until=TIME)
TAKE_JOBS = f"""
WITH lane AS (SELECT * FROM {LANES.sql}),
due AS MATERIALIZED (
  SELECT job.ctid FROM lane CROSS JOIN LATERAL (
    SELECT ctid FROM jobs
    WHERE status = 'pending' AND tenant_id = lane.tenant_id AND endpoint_id = lane.endpoint_id
      AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at LIMIT lane.room) job),
taken AS (
  UPDATE jobs SET status = 'running', claim_id = %(claim)s, lease_until = lane.lease_until
  FROM lane
  WHERE jobs.ctid = ANY (ARRAY(SELECT ctid FROM due)) AND jobs.status = 'pending'
    AND jobs.endpoint_id = lane.endpoint_id
  RETURNING jobs.*)
SELECT t.id, t.tenant_id, t.event_id, t.endpoint_id, t.attempt_count, t.forgiven_count, t.lost_count,
       t.lease_until, e.topic, e.payload, e.extra, e.idempotency_key, e.occurred_at, e.created_at,
       e.payload_removed, s.transform, t.subscription_id IS NULL OR s.id IS NOT NULL
FROM taken t LEFT JOIN events e ON e.id = t.event_id LEFT JOIN subscriptions s ON s.id = t.subscription_id
"""

PARKED = Table(
    "lane", endpoint_id=ID, tenant_id=TEXT, taken=INTEGER, state=SMALLINT, tokens=FLOAT, wake_at=TIME
)
PARK_LANES = f"""
UPDATE lanes SET
  served_at = clock_timestamp(), in_flight = in_flight + v.taken,
  tokens = v.tokens, refilled_at = greatest(refilled_at, %(now)s), is_probing = false,
  state = CASE WHEN v.state = 0 AND later.due IS NOT NULL THEN 2
               WHEN v.state = 5 AND coalesce(e.enabled, true) THEN 1 ELSE v.state END,
  wake_at = CASE WHEN v.state = 0 THEN later.due ELSE v.wake_at END
FROM {PARKED.sql}
LEFT JOIN endpoints e ON e.id = v.endpoint_id
LEFT JOIN LATERAL (
  SELECT next_attempt_at AS due FROM jobs
  WHERE v.state = 0 AND status = 'pending' AND tenant_id = v.tenant_id AND endpoint_id = v.endpoint_id
  ORDER BY next_attempt_at LIMIT 1) later ON true
WHERE lanes.endpoint_id = v.endpoint_id
"""

# What every statement does to the lanes of the jobs it took out of `running`, in CTE `ended`.
# A lane whose endpoint strains under what it gets is given half as much, down to one request at
# a time; each success then lets one more in, until its own limit is reached, and ends the time
# for which it has failed.
RETURN_TO_LANES = """
per_lane AS MATERIALIZED (
  SELECT endpoint_id, count(*)::int AS n, count(*) FILTER (WHERE is_strained)::int AS strained,
         count(*) FILTER (WHERE status = 'succeeded')::int AS eased,
         count(*) FILTER (WHERE result = 'failure') AS failed, sum(unspent)::int AS unspent,
         min(next_attempt_at) FILTER (WHERE status = 'pending') AS due
  FROM ended GROUP BY endpoint_id),
held AS MATERIALIZED (
  SELECT endpoint_id FROM lanes WHERE endpoint_id IN (SELECT endpoint_id FROM per_lane)
  ORDER BY endpoint_id FOR NO KEY UPDATE),
returned AS (
  UPDATE lanes SET
    in_flight = greatest(0, in_flight - p.n), tokens = tokens + p.unspent,
    ramp = CASE WHEN p.strained * 2 > p.n THEN greatest(1, least(ramp, e.max_in_flight) / 2)
                WHEN ramp + p.eased < e.max_in_flight THEN ramp + p.eased END,
    failing_since = CASE WHEN p.eased > 0 THEN NULL
                         WHEN p.failed > 0 THEN coalesce(lanes.failing_since, clock_timestamp())
                         ELSE lanes.failing_since END,
    state = CASE WHEN state = 4 THEN 1 WHEN state = 0 AND p.due IS NOT NULL THEN 2 ELSE state END,
    wake_at = CASE WHEN state IN (0, 2) THEN least(wake_at, p.due) WHEN state = 4 THEN NULL
                   ELSE wake_at END
  FROM held JOIN per_lane p USING (endpoint_id) LEFT JOIN endpoints e ON e.id = held.endpoint_id
  WHERE lanes.endpoint_id = held.endpoint_id)
"""

LINES = Table(
    "line", job_id=ID, claim_id=ID, status=TEXT, due_at=TIME, reason=TEXT, is_strained=BOOLEAN,
    attempt_id=ID, attempt_n=INTEGER, result=TEXT, http_status=INTEGER, error=TEXT, error_detail=TEXT,
    started_at=TIME, duration_ms=INTEGER, address=TEXT, response_headers=TEXT, response_body=BYTEA,
)  # fmt: skip
SETTLE = f"""
WITH line AS MATERIALIZED (
  SELECT * FROM {LINES.sql}),
ended AS (
  UPDATE jobs SET status = line.status, lost_count = 0, claim_id = NULL, lease_until = NULL,
    attempt_count = attempt_count + (line.attempt_id IS NOT NULL)::int,
    next_attempt_at = coalesce(line.due_at, next_attempt_at),
    finished_at = CASE WHEN line.status <> 'pending' THEN clock_timestamp() END
  FROM line WHERE jobs.id = line.job_id AND jobs.status = 'running' AND jobs.claim_id = line.claim_id
  RETURNING jobs.tenant_id, jobs.event_id, jobs.endpoint_id, jobs.attempt_count, jobs.next_attempt_at,
    jobs.finished_at, line.*, 0 AS unspent),
tried AS (
  INSERT INTO attempts (id, job_id, tenant_id, event_id, endpoint_id, attempt_n, status, http_status,
    error, error_detail, started_at, duration_ms, address, response_headers, response_body)
  SELECT attempt_id, job_id, tenant_id, event_id, endpoint_id, attempt_n, result, http_status,
    error, error_detail, started_at, duration_ms, address, response_headers::json, response_body
  FROM ended WHERE attempt_id IS NOT NULL),
buried AS (
  INSERT INTO dlq (job_id, tenant_id, event_id, endpoint_id, reason, attempt_count, created_at)
  SELECT job_id, tenant_id, event_id, endpoint_id, reason, attempt_count, finished_at
  FROM ended WHERE status = 'dead' ON CONFLICT (job_id) DO NOTHING),
{RETURN_TO_LANES}
SELECT job_id, claim_id FROM ended
"""

OWNED = Table("job", id=ID, claim_id=ID, lost_count=INTEGER)
RELEASE = f"""
WITH owned AS MATERIALIZED (
  SELECT jobs.id, v.lost_count FROM jobs JOIN {OWNED.sql} USING (id)
  WHERE jobs.status = 'running' AND jobs.claim_id = v.claim_id ORDER BY jobs.id FOR UPDATE OF jobs),
ended AS (
  UPDATE jobs SET status = 'pending', claim_id = NULL, lease_until = NULL, lost_count = owned.lost_count
  FROM owned WHERE jobs.id = owned.id
  RETURNING jobs.*, false AS is_strained, NULL AS result, 1 AS unspent),
{RETURN_TO_LANES}
SELECT id FROM ended
"""

# A job that was lost before waits a little longer each time, so that whatever kills workers
# does not meet the same jobs at every start.
RESCUE = f"""
WITH lost AS MATERIALIZED (
  SELECT id FROM jobs WHERE status = 'running' AND lease_until < statement_timestamp()
  ORDER BY id LIMIT cardinality(%(attempt_ids)b::uuid[]) FOR UPDATE SKIP LOCKED),
ended AS (
  UPDATE jobs SET status = 'pending', claim_id = NULL, lease_until = NULL,
    next_attempt_at = clock_timestamp() + lost_count * interval '5 s',
    lost_count = greatest(1, lost_count),
    attempt_count = attempt_count + 1, forgiven_count = forgiven_count + 1
  FROM lost WHERE jobs.id = lost.id
  RETURNING jobs.*, false AS is_strained, NULL AS result, 0 AS unspent),
tried AS (
  INSERT INTO attempts (id, job_id, tenant_id, event_id, endpoint_id, attempt_n, status, http_status,
    error, error_detail, started_at, duration_ms, address)
  SELECT (%(attempt_ids)b::uuid[])[row_number() OVER ()], id, tenant_id, event_id, endpoint_id,
    attempt_count, 'failure', 0, 'lease_lost', %(detail)s, clock_timestamp(), 0, '' FROM ended),
{RETURN_TO_LANES}
SELECT id FROM ended
"""

CHARGE = """
WITH owned AS MATERIALIZED (
  SELECT id FROM jobs WHERE id = ANY (%(ids)b::uuid[]) AND status = 'running' AND claim_id = %(claim)s
  ORDER BY id FOR UPDATE)
UPDATE jobs SET lost_count = lost_count + 1 FROM owned WHERE jobs.id = owned.id RETURNING jobs.id
"""


def look(low: int) -> Look:
    return Look(*rows(LOOK.format(low=low))[0])


def answer_bells(low: int) -> int:
    """Readies the lanes that were rung for; returns the number of the latest bell answered."""
    return int(rows(ANSWER_BELLS, {"low": low})[0][0])


def wake_lanes() -> None:
    rows(WAKE_LANES)


def pick_lanes(state: int, after: str, most: int) -> Pick | None:
    """Locks lanes of the next tenants `after` one; None if no tenant has any."""
    found = rows(PICK_LANES.format(state=state), {"after": after, "most": most})
    if not found:
        return None
    lanes = [OpenLane(row[2], row[1], *row[3:]) for row in found if row[2]]
    return Pick(found[0][0], list(dict.fromkeys(row[1] for row in found)), lanes)


def take_jobs(
    lanes: Sequence[OpenLane],
    rooms: Sequence[int],
    leases: Sequence[datetime],
    claim_id: UUID,
    targets: Mapping[UUID, Target],
) -> list[ClaimedJob]:
    """Claims up to `rooms[n]` due jobs of each lane, the longest due first."""
    taken_from = [
        (lane.tenant_id, lane.endpoint_id, room, lease)
        for lane, room, lease in zip(lanes, rooms, leases, strict=True)
    ]
    found = rows(TAKE_JOBS, LANES.pack(taken_from) | {"claim": claim_id})
    return [_claimed(row, claim_id, targets.get(row[3])) for row in found]


def _claimed(row: Row, claim_id: UUID, target: Target | None) -> ClaimedJob:
    job_id, tenant_id, event_id, endpoint_id, attempts, forgiven, losses, lease_until = row[:8]
    topic, *rest = row[8:15]
    transform, has_rules = row[15:]
    return ClaimedJob(
        job_id, claim_id, tenant_id, event_id, endpoint_id, attempts, forgiven, losses, lease_until,
        Stored(event_id, tenant_id, topic, *rest) if topic is not None else None,
        target if has_rules else None,
        transform,
    )  # fmt: skip


def park_lanes(
    lanes: Sequence[OpenLane], parked: Sequence[Parked], taken: Sequence[int], now: datetime
) -> None:
    lines = [
        (lane.endpoint_id, lane.tenant_id, count, entry.state, entry.tokens, entry.wake_at)
        for lane, entry, count in zip(lanes, parked, taken, strict=True)
    ]
    rows(PARK_LANES, PARKED.pack(lines) | {"now": now})


def settle(lines: Sequence[SettlementRow]) -> set[Claim]:
    """Ends claims; returns those that still held."""
    return {(row[0], row[1]) for row in rows(SETTLE, LINES.pack(lines))}


def release(jobs: Sequence[ClaimedJob]) -> None:
    """Gives claimed jobs back as they were, with their rate tokens."""
    rows(RELEASE, OWNED.pack([(job.id, job.claim_id, job.lost_count) for job in jobs]))


def rescue(attempt_ids: Sequence[UUID], detail: str) -> int:
    """Takes back jobs whose lease ended, at most one per id given; returns how many."""
    return len(rows(RESCUE, {"attempt_ids": list(attempt_ids), "detail": detail}))


def charge(ids: Sequence[UUID], claim_id: UUID) -> set[UUID]:
    """Notes that jobs which were lost before are started again; returns those still owned."""
    return {row[0] for row in rows(CHARGE, {"ids": list(ids), "claim": claim_id})}
