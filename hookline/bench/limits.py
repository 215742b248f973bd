"""Whether the limits of an endpoint hold while four workers share it, as the receiver sees it."""

import time
from collections.abc import Sequence
from statistics import fmean

from hookline.bench import seed
from hookline.bench.stage import Stage, noted, serving

Figures = dict[str, float]

TENANT = "default"
RATE = 100
MOST = 10
# Three quarters of what ten at a time can be, at 50 ms each.
HELD_PER_SECOND = 150
# What had gathered while nothing was sent goes out at once.
BURST_SECONDS = 3
LOOK_SECONDS = 0.2


def limits(stage: Stage) -> Figures:
    """Four workers and two endpoints with more to get than they may: one of at most 100 requests a second,
    one of at most 10 in flight, which answers after 50 ms."""
    seconds = round(stage.seconds(12)) + BURST_SECONDS
    rated = seed.targets(TENANT, stage.receiver_url("counted"), 1, rate_limit_rps=RATE)
    narrow = seed.targets(TENANT, stage.receiver_url("held"), 1, max_in_flight=MOST)
    seed.pending(rated, RATE * (seconds + BURST_SECONDS))
    seed.pending(narrow, HELD_PER_SECOND * seconds)
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=4):
        while seed.is_waiting():
            time.sleep(LOOK_SECONDS)
    held, arrivals = noted(stage, "held"), noted(stage, "counted")
    assert len(held) == HELD_PER_SECOND * seconds
    rates = _rates(arrivals)
    return {
        "most_in_flight": max(held),
        "per_second": fmean(rates),
        "percent_off": abs(fmean(rates) - RATE) / RATE * 100,
        "least_in_a_second": min(rates),
        "most_in_a_second": max(rates),
    }


def _rates(arrivals: Sequence[float]) -> list[float]:
    """How many arrived in each second after the burst, without the last, which is not whole."""
    start = arrivals[0] + BURST_SECONDS
    seconds = int(arrivals[-1] - start)
    return [sum(start + n <= at < start + n + 1 for at in arrivals) for n in range(seconds)]
