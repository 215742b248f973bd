"""Counts what the pump, the sweep and the bell did."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deliveries import traces, traffic
from deliveries.limits import LIMITED, OpenLane, Parked
from deliveries.work import Dead, RetryAt, Settlement, Verdict
from hookline.counters import count, observe
from hookline.families import (
    ATTEMPTS,
    DEAD_LETTERS,
    DELAY,
    DELIVERIES,
    LATENCY,
    RATE_LIMITED,
    STALE_OUTCOMES,
    STORE_OPS,
)
from hookline.ids import milliseconds_of
from hookline.times import milliseconds

NO_ERROR = "none"

# A job's tenant and endpoint, what was wrong with the attempt or None if there was none, and the verdict.
Kind = tuple[str, str, str | None, type[Verdict]]


def count_settled(settlements: Sequence[Settlement]) -> None:
    """Sums up first: a batch holds hundreds of jobs and few endpoints."""
    kinds: Counter[Kind] = Counter()
    latencies: dict[str, list[int]] = {}
    for settlement in settlements:
        job, outcome = settlement.job, settlement.outcome
        endpoint = str(job.endpoint_id)
        error = None
        if outcome:
            error = outcome.answer.error or NO_ERROR
            latencies.setdefault(endpoint, []).append(outcome.answer.duration_ms)
        kinds[job.tenant_id, endpoint, error, type(settlement.verdict)] += 1
    for kind, number in kinds.items():
        _count_kind(*kind, number)
    traffic.count_settled(_for_charts(kinds), latencies)
    for endpoint, durations in latencies.items():
        observe(LATENCY, endpoint, values=durations)
    if traces.ARE_MADE:
        traces.spans.delivered(settlements)
    if delays := list(_first_delays(settlements)):
        observe(DELAY, values=delays)


def _count_kind(
    tenant_id: str, endpoint: str, error: str | None, verdict: type[Verdict], number: int
) -> None:
    if error:
        result = "success" if error == NO_ERROR else "failed"
        count(DELIVERIES, tenant_id, endpoint, result, by=number)
        count(ATTEMPTS, tenant_id, error, by=number)
    if verdict is RetryAt:
        count(DELIVERIES, tenant_id, endpoint, "retried", by=number)
    if verdict is Dead:
        count(DEAD_LETTERS, tenant_id, endpoint, by=number)


def _for_charts(kinds: Mapping[Kind, int]) -> Iterator[traffic.Count]:
    """What the charts tell apart: an attempt that is retried failed, and is no third kind."""
    for (tenant_id, endpoint, error, verdict), number in kinds.items():
        if error:
            kind = traffic.DELIVERED if error == NO_ERROR else traffic.FAILED
            yield tenant_id, endpoint, kind, number
        if verdict is Dead:
            yield tenant_id, endpoint, traffic.DEAD, number


def _first_delays(settlements: Iterable[Settlement]) -> Iterator[int]:
    """How long each job had existed when it was first tried: its id tells when it was made."""
    for settlement in settlements:
        if settlement.outcome and settlement.job.attempt_count == 0:
            yield max(0, milliseconds(settlement.outcome.started_at) - milliseconds_of(settlement.job.id))


def count_late(late: Sequence[Settlement]) -> None:
    """Answers to jobs that had gone to somebody else by then."""
    if late:
        count(STALE_OUTCOMES, by=len(late))


def count_failure(step: str) -> None:
    """The store did not answer."""
    count(STORE_OPS, step, "error")


def count_limited(lanes: Sequence[OpenLane], parked: Sequence[Parked]) -> None:
    """Lanes that have used up their rate, so that whatever else is due waits."""
    for lane, after in zip(lanes, parked, strict=True):
        if after.state == LIMITED:
            count(RATE_LIMITED, str(lane.endpoint_id))
