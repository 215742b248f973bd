"""Counts what the pump did."""

from collections import Counter
from collections.abc import Sequence

from deliveries import traffic
from deliveries.limits import LIMITED, OpenLane, Parked
from deliveries.work import Dead, RetryAt, Settlement
from hookline.counters import DEAD_LETTERS, DELIVERIES, RATE_LIMITED, count, count_latencies


def count_settled(settlements: Sequence[Settlement]) -> None:
    """Sums up first: a batch holds hundreds of jobs and few endpoints."""
    traffic.count_settled(settlements)
    counts: Counter[tuple[str, ...]] = Counter()
    latencies: dict[str, list[int]] = {}
    for settlement in settlements:
        endpoint = str(settlement.job.endpoint_id)
        labels = settlement.job.tenant_id, endpoint
        if settlement.outcome:
            answer = settlement.outcome.answer
            counts[DELIVERIES, *labels, "success" if answer.error is None else "failed"] += 1
            latencies.setdefault(endpoint, []).append(answer.duration_ms)
        if isinstance(settlement.verdict, RetryAt):
            counts[DELIVERIES, *labels, "retried"] += 1
        if isinstance(settlement.verdict, Dead):
            counts[DEAD_LETTERS, *labels] += 1
    for (name, *named), number in counts.items():
        count(name, *named, by=number)
    for endpoint, durations in latencies.items():
        count_latencies(endpoint, durations)


def count_limited(lanes: Sequence[OpenLane], parked: Sequence[Parked]) -> None:
    """Lanes that have used up their rate, so that whatever else is due waits."""
    for lane, after in zip(lanes, parked, strict=True):
        if after.state == LIMITED:
            count(RATE_LIMITED, str(lane.endpoint_id))
