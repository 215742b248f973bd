"""/metrics: the text that Prometheus reads.

Counters are read anew for every scrape: of two web processes that share a port, one must not tell less
than the other just did, as Prometheus would take that for a restart.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from hookline import counters
from hookline.families import FAMILIES, Family
from hookline.gauges import Gauges
from hookline.models import Counter

Samples = list[tuple[list[str], int]]

# Scrapes at a time, of which one reads; threads that wait here answer no other request.
MOST_SCRAPES = 4

_scrapes = threading.BoundedSemaphore(MOST_SCRAPES)
_reading = threading.Lock()
_gauges = Gauges()


class Busy(Exception):
    """Others are being answered."""


class Families(Collector):
    """All families, also those without a sample yet, so that dashboards find them."""

    def collect(self) -> Iterator[Metric]:
        kept = _kept()
        for family in FAMILIES.values():
            yield _histogram(family, kept) if family.bounds else _counter(family, kept[family.name])
        yield from _gauges.collect()


def text() -> bytes:
    """Raises Busy."""
    if not _scrapes.acquire(blocking=False):
        raise Busy
    try:
        with _reading:
            counters.flush()
            registry = CollectorRegistry(auto_describe=False)
            registry.register(Families())
            return generate_latest(registry)
    finally:
        _scrapes.release()


def _kept() -> dict[str, Samples]:
    kept: defaultdict[str, Samples] = defaultdict(list)
    for name, labels, value in Counter.objects.values_list("name", "labels", "value"):
        kept[name].append((msgspec.json.decode(labels), value))
    return kept


def _counter(family: Family, samples: Samples) -> CounterMetricFamily:
    """One without labels has a sample before anything was counted: an alert can watch it grow."""
    metric = CounterMetricFamily(family.name, family.meaning, labels=family.labels)
    for values, total in samples or ([] if family.labels else [([], 0)]):
        metric.add_metric(values, total)
    return metric


def _histogram(family: Family, kept: dict[str, Samples]) -> HistogramMetricFamily:
    metric = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
    sums = {tuple(values): total for values, total in kept[family.name + counters.SUM]}
    counts: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for (*values, bucket), total in kept[family.name]:
        counts[tuple(values)][bucket] = total
    for labels, by_bucket in counts.items():
        metric.add_metric(labels, _cumulative(family, by_bucket), sums.get(labels, 0))
    return metric


def _cumulative(family: Family, by_bucket: dict[str, int]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bucket in (*map(str, family.bounds), counters.ABOVE_ALL):
        total += by_bucket.get(bucket, 0)
        buckets.append((bucket, float(total)))
    return buckets
