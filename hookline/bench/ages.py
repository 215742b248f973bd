"""How old events are when they arrive: from the moment a publish is due, whatever the server does."""

import time
from collections.abc import Sequence
from statistics import quantiles

from hookline.bench.producer import publish
from hookline.bench.stage import KEY, Stage, noted

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 120.0


def warm_up(stage: Stage) -> None:
    """The first events find processes without connections and prepared statements."""
    ages_of(stage, 100, 2)


def ages_of(stage: Stage, rate: float, seconds: float) -> list[float]:
    """The ages in ms of so many events a second."""
    noted(stage, "timed")

    def timed() -> bytes:
        return b'{"topic":"order.paid","payload":{"sent_ns":%d}}' % time.time_ns()

    published = publish(stage.port, "/v1/events", KEY, timed, connections=16, seconds=seconds, rate=rate)
    return _arrived(stage, len(published.latencies) - published.refused)


def _arrived(stage: Stage, number: int) -> list[float]:
    """The ages of so many events, however late they are."""
    ages, deadline = list[float](), time.monotonic() + PATIENCE_SECONDS
    while len(ages) < number:
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)
        ages += noted(stage, "timed")
    assert ages
    return ages


def percentiles(values: Sequence[float], suffix: str = "") -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {f"p{cut}{suffix}": cuts[cut - 1] for cut in (50, 95, 99)}
