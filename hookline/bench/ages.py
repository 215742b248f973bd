"""How old events are when they arrive: from the moment a publish is due, whatever the server does."""

import json
import time
import urllib.request
from collections.abc import Sequence
from statistics import quantiles

from hookline.bench.producer import publish
from hookline.bench.stage import KEY, Stage


def ages_of(stage: Stage, rate: float, seconds: float) -> list[float]:
    """The ages in ms of so many events a second."""
    _read(stage)

    def timed() -> bytes:
        return b'{"topic":"order.paid","payload":{"sent_ns":%d}}' % time.time_ns()

    published = publish(stage.port, "/v1/events", KEY, timed, connections=16, seconds=seconds, rate=rate)
    time.sleep(1.5)
    ages = _read(stage)
    assert len(ages) >= len(published.latencies) - published.refused > 0
    return ages


def percentiles(values: Sequence[float], suffix: str = "") -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {f"p{cut}{suffix}": cuts[cut - 1] for cut in (50, 95, 99)}


def _read(stage: Stage) -> list[float]:
    with urllib.request.urlopen(stage.receiver_url("timed"), timeout=10) as answer:  # noqa: S310 - our own
        found: list[float] = json.load(answer)
        return found
