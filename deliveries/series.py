"""What the charts show: traffic on the grid of their axis, from sums that were written as it passed."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Sum

from deliveries import traffic
from deliveries.models import Traffic
from deliveries.traffic import DELIVERED, FAILED, TOOK

QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Window:
    """How far back, in how many stretches of how many seconds."""

    name: str
    seconds: int
    stretches: int

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.seconds * self.stretches)

    def starts(self, moment: datetime) -> list[datetime]:
        """When each stretch begins; the last is the one under way."""
        last = int(moment.timestamp()) // self.seconds
        first = last - self.stretches + 1
        return [datetime.fromtimestamp(n * self.seconds, UTC) for n in range(first, last + 1)]


WINDOWS = {
    window.name: window
    for window in (
        Window("1h", Traffic.MINUTE, 60),
        Window("24h", Traffic.HOUR, 24),
        Window("72h", Traffic.HOUR, 72),
    )
}
DAY = WINDOWS["24h"]


@dataclass(slots=True)
class Series:
    """One number of each kind for each stretch, and how long attempts took."""

    starts: list[datetime]
    seconds: int
    counts: dict[str, list[int]] = field(default_factory=dict)
    took: list[Tally[int]] = field(default_factory=list)

    def of(self, name: str) -> list[int]:
        return self.counts.get(name) or [0] * len(self.starts)

    def total(self, name: str) -> int:
        return sum(self.of(name))

    @property
    def success_rate(self) -> float | None:
        """Of attempts; None if there were none."""
        attempts = self.total(DELIVERED) + self.total(FAILED)
        return self.total(DELIVERED) / attempts if attempts else None

    def quantiles(self) -> list[float | None]:
        """Of the durations of all attempts, in milliseconds."""
        return quantiles(sum(self.took, Tally()), QUANTILES)


def of(scope: str, window: Window, moment: datetime) -> Series:
    """From at most a few dozen rows for each stretch, by the primary key."""
    series = Series(window.starts(moment), window.seconds, took=[Tally() for _ in range(window.stretches)])
    places = {at: place for place, at in enumerate(series.starts)}
    found = Traffic.objects.filter(scope=scope, seconds=window.seconds, at__gte=series.starts[0])
    for at, name, value in found.values_list("at", "name", "value"):
        if (place := places.get(at)) is None:
            continue  # begun since the moment
        if name.startswith(TOOK):
            series.took[place][int(name.removeprefix(TOOK))] += value
        else:
            series.counts.setdefault(name, [0] * len(places))[place] = value
    return series


def of_endpoints(ids: Iterable[UUID], moment: datetime, window: Window = DAY) -> dict[UUID, Series]:
    """The attempts of many endpoints by the hour, in one query."""
    starts = window.starts(moment)
    places = {at: place for place, at in enumerate(starts)}
    series = {id: Series(starts, Traffic.HOUR) for id in ids}
    scopes = {traffic.of_endpoint(id): id for id in series}
    found = Traffic.objects.filter(scope__in=scopes, seconds=Traffic.HOUR, at__gte=starts[0])
    for scope, at, name, value in found.values_list("scope", "at", "name", "value"):
        if at in places:
            counts = series[scopes[scope]].counts
            counts.setdefault(name, [0] * len(starts))[places[at]] = value
    return series


def failed_most(
    window: Window, moment: datetime, ids: Iterable[UUID] | None = None
) -> list[tuple[UUID, int]]:
    """The endpoints with the most failed attempts, worst first. Of the window's hours, since endpoints
    are counted by the hour; of these endpoints only, if there are any."""
    since = (moment - window.length).replace(minute=0, second=0, microsecond=0)
    found = Traffic.objects.filter(name=FAILED, seconds=Traffic.HOUR, at__gte=since)
    if ids is None:
        found = found.filter(scope__startswith="e:")
    else:
        found = found.filter(scope__in=[traffic.of_endpoint(id) for id in ids])
    summed = found.order_by().values("scope").annotate(total=Sum("value")).order_by("-total")
    return [(UUID(scope[2:]), total) for scope, total in summed.values_list("scope", "total")[:WORST]]


WORST = 8


def quantiles(took: Tally[int], wanted: Sequence[float]) -> list[float | None]:
    """Read off a histogram, in the last bucket by proportion; None where nothing was counted."""
    number = sum(took.values())
    return [_quantile(took, number * share) if number else None for share in wanted]


def _quantile(took: Tally[int], rank: float) -> float:
    passed = 0
    least = 0
    for least in sorted(took):
        if passed + took[least] >= rank:
            within = (rank - passed) / took[least]
            return least + within * (traffic.bucket_end(least) - least)
        passed += took[least]
    return float(traffic.bucket_end(least))
