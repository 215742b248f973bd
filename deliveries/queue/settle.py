"""Ends claims: settles what was sent, releases what was not, rescues what was lost."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from deliveries.models import Attempt, Endpoint, Job
from deliveries.models.endpoints import DisabledFor
from deliveries.queue.rows import SettlementRow
from deliveries.queue.statements import statements
from deliveries.work import ClaimedJob, Dead, Outcome, RetryAt, Settlement
from hookline import failpoints
from hookline.counters import count
from hookline.database import now, write
from hookline.families import RESCUED_LEASES
from hookline.ids import uuid7
from tenants import audit

RESCUED_AT_ONCE = 500
LOST = "The worker stopped before it recorded an answer; the receiver may have got this request."
STRAIN = frozenset(["connect", "timeout", "http_5xx"])
TOO_MANY_REQUESTS = 429


def settle(settlements: Sequence[Settlement]) -> list[Settlement]:
    """Records attempts and what becomes of their jobs. Returns those whose claim had been lost,
    of which nothing was written."""
    if not settlements:
        return []
    with write():
        held = statements().settle([_line(settlement) for settlement in settlements])
        failpoints.reach("settle_before_commit")
    late = []
    for settlement in settlements:
        if (settlement.job.id, settlement.job.claim_id) not in held:
            late.append(settlement)
        elif isinstance(settlement.verdict, Dead) and settlement.verdict.disables:
            _disable(settlement.job, settlement.verdict.disables)
    return late


def release(jobs: Sequence[ClaimedJob]) -> None:
    """Gives back jobs that were claimed and not answered for. It costs them no attempt."""
    if jobs:
        with write():
            statements().release(jobs)


def rescue() -> int:
    """Takes back the jobs whose lease ended, for any worker to claim. Returns how many."""
    with write():
        rescued = int(statements().rescue([uuid7() for _ in range(RESCUED_AT_ONCE)], LOST))
        failpoints.reach("sweep")
    if rescued:
        count(RESCUED_LEASES, by=rescued)
    return rescued


def charge(jobs: Iterable[ClaimedJob]) -> list[ClaimedJob]:
    """Notes that jobs which lost a lease before are started once more; returns those still owned.

    So a job that kills its worker is told from one that was merely there when a worker died.
    """
    charged: list[ClaimedJob] = []
    for claim_id, claim in groupby(jobs, key=lambda job: job.claim_id):
        claimed = list(claim)
        with write():
            owned = statements().charge([job.id for job in claimed], claim_id)
        charged += [job for job in claimed if job.id in owned]
    return charged


def _line(settlement: Settlement) -> SettlementRow:
    job, outcome, verdict = settlement.job, settlement.outcome, settlement.verdict
    return SettlementRow(
        job.id,
        job.claim_id,
        _status(settlement),
        verdict.moment if isinstance(verdict, RetryAt) else None,
        verdict.reason if isinstance(verdict, Dead) else None,
        *(_tried(job, outcome) if outcome else NOTHING_SENT),
    )


NOTHING_SENT: tuple[Any, ...] = (False, None, 0, None, 0, None, "", None, 0, "", None, None)


def _tried(job: ClaimedJob, outcome: Outcome) -> tuple[Any, ...]:
    answer = outcome.answer
    is_success = answer.error is None
    return (
        answer.error in STRAIN or answer.status == TOO_MANY_REQUESTS,
        outcome.attempt_id,
        job.attempt_n,
        Attempt.Status.SUCCESS.value if is_success else Attempt.Status.FAILURE.value,
        answer.status,
        answer.error,
        answer.detail,
        outcome.started_at,
        answer.duration_ms,
        answer.address,
        msgspec.json.encode(answer.headers).decode() if answer.headers else None,
        answer.body or None,
    )


def _status(settlement: Settlement) -> str:
    match settlement.verdict:
        case RetryAt():
            return Job.Status.PENDING.value
        case Dead():
            return Job.Status.DEAD.value
    return Job.Status.SUCCEEDED.value


def _disable(job: ClaimedJob, reason: str) -> None:
    """Turns the endpoint off, unless it is another URL by now. Not in the transaction of the
    settling, which holds lanes: whoever changes an endpoint locks that first and its lane after."""
    assert job.target
    moment = now()
    with write():
        sent_to = Endpoint.objects.filter(id=job.endpoint_id, url=job.target.url, is_enabled=True)
        if sent_to.update(
            is_enabled=False, disabled_reason=reason, disabled_for=DisabledFor.GONE, disabled_at=moment,
            updated_at=moment,
        ):  # fmt: skip
            audit.record(job.tenant_id, audit.OURSELVES, "endpoint.disabled", job.endpoint_id, reason=reason)
