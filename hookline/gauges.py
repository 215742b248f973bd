"""What /metrics reads from the store at this moment: what waits, what is under way, who is alive.

Some of it takes longer the more waits. So it serves for a while, for the longer the longer it took: a
scraper, or a stranger who calls again and again, costs the store a twentieth of its time at most.
"""

import logging
import platform
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from django.conf import settings
from django.db import OperationalError
from prometheus_client.core import GaugeMetricFamily, Metric

from deliveries import backlog, stats
from hookline import __version__
from hookline.database import now, patient
from hookline.heartbeat import DELIVERERS
from hookline.labels import OTHER
from hookline.models import Chore, Switch

logger = logging.getLogger(__name__)

SERVES_SECONDS = 2.0
SHARE = 20
# Without them a scrape still has its counters.
PATIENCE_SECONDS = 5.0

Labels = tuple[str, ...]

MEANINGS: dict[str, tuple[str, Labels]] = {
    "hookline_queue_depth": ("Jobs that wait.", ("tenant",)),
    "hookline_due_jobs": (
        "Jobs that are due, by what they wait for: a worker, their endpoint's limits, or its being off.",
        ("tenant", "waits_for"),
    ),
    "hookline_oldest_due_seconds": (
        "For how long the first of them has been due.", ("tenant", "waits_for")
    ),
    "hookline_inflight": ("Requests under way.", ("endpoint",)),
    "hookline_dlq_size": ("Dead letters.", ("tenant",)),
    "hookline_lanes": ("Endpoints by what their queue waits for.", ("state",)),
    "hookline_endpoints": ("Endpoints by their health.", ("state",)),
    "hookline_workers": ("Processes that deliver.", ()),
    "hookline_processes": ("Processes that say that they are alive, by kind.", ("kind",)),
    "hookline_stream_clients": ("Open streams.", ()),
    "hookline_claims_paused": ("Whether deliveries are paused, 1 or 0.", ()),
    "hookline_alerts": ("Things amiss that an operator is told of, by kind.", ("kind",)),
    "hookline_notices": ("Notices to an operator that an alert channel has not taken yet.", ("channel",)),
    "hookline_chore_run_timestamp_seconds": ("When each chore last ended well.", ("chore",)),
    "hookline_build_info": ("Always 1.", ("version", "python", "store")),
    "hookline_gauges_complete": (
        "1, or 0 if the store took too long to tell what waits: all other gauges are missing then.", ()
    ),
    "hookline_gauges_seconds": ("How long it took to read all gauges.", ()),
}  # fmt: skip
KINDS = ("web", "worker")


class Gauges:
    """The families, read again when the last ones have served their time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.families: list[Metric] = []
        self.serve_until = 0.0

    def collect(self) -> list[Metric]:
        with self.lock:
            if time.monotonic() >= self.serve_until:
                self._read()
            return self.families

    def _read(self) -> None:
        began, samples = time.monotonic(), {}
        try:
            with patient(PATIENCE_SECONDS):
                samples = _samples()
        except OperationalError as fault:
            logger.warning("What waits could not be read within %.0f s (%s)", PATIENCE_SECONDS, fault)
        took = time.monotonic() - began
        samples["hookline_gauges_complete"] = {(): float(bool(samples))}
        samples["hookline_gauges_seconds"] = {(): took}
        self.families = [_family(name, samples.get(name, {})) for name in MEANINGS]
        self.serve_until = time.monotonic() + max(SERVES_SECONDS, SHARE * took)


def _family(name: str, samples: Mapping[Labels, float]) -> Metric:
    meaning, labels = MEANINGS[name]
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family


def _samples() -> dict[str, dict[Labels, float]]:
    processes = stats.processes()
    kinds = Tally(process.kind for process in processes)
    runs = Chore.objects.filter(last_run_at__isnull=False).order_by("name")
    return {
        **_waiting(now()),
        "hookline_inflight": _largest(((id,), n) for id, n in stats.requests_in_flight()),
        "hookline_dlq_size": _largest(((tenant,), n) for tenant, n in stats.letters().items()),
        "hookline_lanes": _by_label(stats.lane_states()),
        "hookline_endpoints": _by_label(stats.endpoint_states()),
        "hookline_workers": {(): sum(kinds[kind] for kind in DELIVERERS)},
        "hookline_processes": _by_label({kind: kinds[kind] for kind in sorted({*KINDS, *kinds})}),
        "hookline_stream_clients": {(): sum(process.streams for process in processes)},
        "hookline_claims_paused": {(): Switch.objects.filter(name=Switch.CLAIMS_PAUSED, is_on=True).count()},
        "hookline_alerts": _by_label(stats.firing_alerts()),
        "hookline_notices": _by_label(stats.untold_notices()),
        "hookline_chore_run_timestamp_seconds": {
            (chore.name,): chore.last_run_at.timestamp() for chore in runs if chore.last_run_at
        },
        "hookline_build_info": {(__version__, platform.python_version(), settings.HL_STORE_BACKEND): 1},
    }


def _waiting(moment: datetime) -> dict[str, dict[Labels, float]]:
    depth: Tally[str] = Tally()
    due: list[tuple[Labels, float]] = []
    oldest: list[tuple[Labels, float]] = []
    for found in backlog.by_tenant():
        depth[found.tenant_id] += found.pending
        if found.due:
            place = (found.tenant_id, found.waits_for)
            due.append((place, found.due))
            oldest.append((place, max(0.0, (moment - found.oldest).total_seconds())))
    return {
        "hookline_queue_depth": _largest(((tenant,), n) for tenant, n in depth.items()),
        "hookline_due_jobs": _largest(due),
        "hookline_oldest_due_seconds": _largest(oldest, max),
    }


def _largest(
    samples: Iterable[tuple[Labels, float]], together: Callable[[Iterable[float]], float] = sum
) -> dict[Labels, float]:
    """As many as may have series of their own, the largest first; the rest is put together."""
    ordered = sorted(samples, key=lambda sample: -sample[1])
    own, rest = ordered[: settings.HL_METRICS_LABELS], ordered[settings.HL_METRICS_LABELS :]
    others: dict[Labels, list[float]] = {}
    for (_, *more), number in rest:
        others.setdefault((OTHER, *more), []).append(number)
    return dict(own) | {labels: together(numbers) for labels, numbers in others.items()}


def _by_label(counted: Mapping[str, int]) -> dict[Labels, float]:
    return {(label,): float(number) for label, number in counted.items()}
