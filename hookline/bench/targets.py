"""What the figures are meant to be, on two cores that also carry the database and the receiver."""

from collections.abc import Mapping
from dataclasses import dataclass

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of a scenario that is to be at least, or at most, so much."""

    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        return value >= self.least if self.least is not None else value <= (self.most or 0)

    def __str__(self) -> str:
        return f"≥ {self.least:,g}" if self.least is not None else f"≤ {self.most:,g}"


TARGETS: Mapping[str, Mapping[str, Target]] = {
    "batch_ingest": {"events_per_second": Target(least=60_000)},
    "single_ingest": {"events_per_second": Target(least=3_500), "p99": Target(most=30)},
    "embedded_ingest": {"events_per_second": Target(least=30_000)},
    "deliver": {
        "deliveries_per_second": Target(least=20_000),
        "times_naive": Target(least=50),
        "memory_mb": Target(most=150),
    },
    "latency": {
        f"{cut}_at_{rate}": Target(most=most)
        for rate in (200, 1000)
        for cut, most in (("p50", 8), ("p99", 30))
    },
    "backlog": {"ratio": Target(most=1.5)},
    "noisy_neighbour": {"p99_beside": Target(most=2000), "times_alone": Target(most=3)},
    "limits": {"most_in_flight": Target(most=10), "percent_off": Target(most=5)},
    "slow_endpoints": {"p99": Target(most=1000)},
    "console": {"slowest": Target(most=300)},
    "embedded_console": {"slowest": Target(most=300)},
    "steady": {"web_growth_mb": Target(most=1), "worker_growth_mb": Target(most=1)},
}


def missed(scenario: str, figures: Figures) -> list[str]:
    """The figures that are not what they are meant to be."""
    targets = TARGETS.get(scenario, {})
    return [name for name, target in targets.items() if not target.is_met(figures[name])]
