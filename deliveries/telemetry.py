"""Counts what the pump did."""

from collections.abc import Sequence

from deliveries.work import Dead, RetryAt, Settlement
from hookline.counters import DEAD_LETTERS, DELIVERIES, count, count_latency


def count_settled(settlements: Sequence[Settlement]) -> None:
    for settlement in settlements:
        tenant, endpoint = settlement.job.tenant_id, str(settlement.job.endpoint_id)
        if settlement.outcome:
            answer = settlement.outcome.answer
            count(DELIVERIES, tenant, endpoint, "success" if answer.error is None else "failed")
            count_latency(endpoint, answer.duration_ms)
        if isinstance(settlement.verdict, RetryAt):
            count(DELIVERIES, tenant, endpoint, "retried")
        if isinstance(settlement.verdict, Dead):
            count(DEAD_LETTERS, tenant, endpoint)
