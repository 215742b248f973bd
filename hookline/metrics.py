"""/metrics: the text that Prometheus reads."""

import json
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from deliveries import stats
from hookline import counters
from hookline.models import Counter

Samples = list[tuple[list[str], int]]

COUNTERS = {
    counters.EVENTS_PUBLISHED: ("Events accepted.", ["tenant", "topic"]),
    counters.DELIVERIES: (
        "Attempts, by result; retried ones also count as failed.",
        ["tenant", "endpoint", "status"],
    ),
    counters.DEAD_LETTERS: ("Jobs given up.", ["tenant", "endpoint"]),
    counters.RATE_LIMITED: (
        "Times that an endpoint used up its rate, so that other work had to wait.",
        ["endpoint"],
    ),
    counters.STORE_OPS: ("Failed operations of the store.", ["op", "status"]),
    counters.OVERLOAD_DROPS: ("Publishes refused.", ["tenant", "reason"]),
    counters.STREAM_EVENTS: ("Messages sent to open streams.", ["tenant", "topic"]),
}


class Families(Collector):
    """All families, also those without a sample yet, so that dashboards find them."""

    def collect(self) -> Iterator[Metric]:
        kept = _kept()
        for name, (meaning, labels) in COUNTERS.items():
            family = CounterMetricFamily(name, meaning, labels=labels)
            for values, total in kept[name]:
                family.add_metric(values, total)
            yield family
        yield _latency(kept)
        yield from _gauges()


def text() -> bytes:
    counters.flush()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families())
    return generate_latest(registry)


def _kept() -> dict[str, Samples]:
    kept: defaultdict[str, Samples] = defaultdict(list)
    for name, labels, value in Counter.objects.order_by("name", "labels").values_list(
        "name", "labels", "value"
    ):
        kept[name].append((json.loads(labels), value))
    return kept


def _latency(kept: dict[str, Samples]) -> HistogramMetricFamily:
    sums = {endpoint: total for [endpoint], total in kept[counters.LATENCY_SUM]}
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for [endpoint, bucket], value in kept[counters.LATENCY]:
        counts[endpoint][bucket] = value
    family = HistogramMetricFamily(counters.LATENCY, "Duration of attempts.", labels=["endpoint"])
    for endpoint, by_bucket in counts.items():
        family.add_metric([endpoint], _cumulative(by_bucket), sums.get(endpoint, 0))
    return family


def _cumulative(by_bucket: dict[str, int]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bucket in (*map(str, counters.BUCKETS), "+Inf"):
        total += by_bucket.get(bucket, 0)
        buckets.append((bucket, float(total)))
    return buckets


def _gauges() -> Iterator[Metric]:
    depth = GaugeMetricFamily("hookline_queue_depth", "Jobs that wait.", labels=["tenant"])
    for tenant, waiting in stats.queue_depths():
        depth.add_metric([tenant], waiting)
    yield depth
    running = GaugeMetricFamily("hookline_inflight", "Requests under way.", labels=["endpoint"])
    for endpoint, requests in stats.requests_in_flight():
        running.add_metric([endpoint], requests)
    yield running
    yield GaugeMetricFamily("hookline_stream_clients", "Open streams.", value=stats.open_streams())
