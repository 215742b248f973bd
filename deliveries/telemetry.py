"""Counts what the pump did."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from deliveries import traffic
from deliveries.limits import LIMITED, OpenLane, Parked
from deliveries.work import Dead, RetryAt, Settlement
from hookline.counters import DEAD_LETTERS, DELIVERIES, RATE_LIMITED, count, count_latencies

CHARTED = {"success": traffic.DELIVERED, "failed": traffic.FAILED}


def count_settled(settlements: Sequence[Settlement]) -> None:
    """Sums up first: a batch holds hundreds of jobs and few endpoints."""
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
    traffic.count_settled(_for_charts(counts), latencies)
    for endpoint, durations in latencies.items():
        count_latencies(endpoint, durations)


def _for_charts(counts: Mapping[tuple[str, ...], int]) -> Iterator[traffic.Count]:
    """What the charts tell apart: an attempt that is retried failed, and is no third kind."""
    for (name, tenant, endpoint, *result), number in counts.items():
        kind = traffic.DEAD if name == DEAD_LETTERS else CHARTED.get(result[0])
        if kind:
            yield tenant, endpoint, kind, number


def count_limited(lanes: Sequence[OpenLane], parked: Sequence[Parked]) -> None:
    """Lanes that have used up their rate, so that whatever else is due waits."""
    for lane, after in zip(lanes, parked, strict=True):
        if after.state == LIMITED:
            count(RATE_LIMITED, str(lane.endpoint_id))
