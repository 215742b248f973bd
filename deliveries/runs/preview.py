"""What a run would do, counted up to a limit and over indexes."""

import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from deliveries.runs.events import Replay
from deliveries.runs.groups import groups_of
from deliveries.runs.letters import Discard, Letters
from deliveries.runs.selection import Selection
from deliveries.runs.verbs import walk_of
from deliveries.runs.walk import READ_AT_ONCE

# Events that are matched; beyond so many a count is "at least".
MOST_EVENTS = 20_000
# Endpoints, and tenants, that are told by themselves.
MOST_SHARES = 20
NO_LIMIT = sys.maxsize


class Share(msgspec.Struct, frozen=True):
    """How many fall to an endpoint or to a tenant."""

    id: str
    count: int


class Preview(msgspec.Struct, frozen=True):
    """`count` is of letters, or of events that some endpoint gets again: at least so many where it is
    not exact, and then the newest is not known. Times are those when letters were written, or when
    events occurred."""

    count: int
    is_exact: bool
    deliveries: int
    oldest_ms: int | None
    newest_ms: int | None
    by_endpoint: list[Share]
    by_tenant: list[Share]

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()

    @staticmethod
    def from_json(text: str) -> "Preview":
        return msgspec.json.decode(text, type=Preview)


class Tally:
    """What was counted so far."""

    def __init__(self) -> None:
        self.count = 0
        self.by_endpoint: Counter[UUID] = Counter()
        self.by_tenant: Counter[str] = Counter()
        self.oldest_ms: int | None = None
        self.newest_ms: int | None = None

    def add(self, tenant_id: str, count: int, endpoint_ids: Iterable[UUID], oldest: int, newest: int) -> None:
        self.count += count
        self.by_tenant[tenant_id] += count
        for endpoint_id in endpoint_ids:
            self.by_endpoint[endpoint_id] += count
        self.oldest_ms = oldest if self.oldest_ms is None else min(oldest, self.oldest_ms)
        self.newest_ms = newest if self.newest_ms is None else max(newest, self.newest_ms)

    def told(self, *, is_exact: bool, deliveries: int) -> Preview:
        return Preview(
            self.count,
            is_exact,
            deliveries,
            self.oldest_ms,
            self.newest_ms if is_exact else None,
            _shares(self.by_endpoint),
            _shares(self.by_tenant),
        )


def preview(verb: str, tenant_id: str | None, selection: Selection, until: datetime) -> Preview:
    """What a run would do that is started at `until`. Changes nothing."""
    walk = walk_of(verb, tenant_id, selection, until)
    if isinstance(walk, Letters):
        return _of_letters(walk)
    assert isinstance(walk, Replay)
    return _of_events(walk)


def _of_letters(walk: Letters) -> Preview:
    tally = Tally()
    groups, is_all = groups_of(walk)
    for group in groups:
        tally.add(group.tenant_id, group.count, [group.endpoint_id], group.oldest_ms, group.newest_ms)
    return tally.told(is_exact=is_all, deliveries=0 if isinstance(walk, Discard) else tally.count)


def _of_events(walk: Replay) -> Preview:
    """Goes the way of the run, and counts instead."""
    tally, place = Tally(), walk.place_of(None)
    for _ in range(MOST_EVENTS // READ_AT_ONCE):
        if place is None:
            break
        stretch = walk.stretch(place, NO_LIMIT)
        place = stretch.end
        for item in stretch.items:
            if item.routes:
                endpoint_ids = [route.endpoint_id for route in item.routes]
                tally.add(item.tenant_id, 1, endpoint_ids, item.at, item.at)
    return tally.told(is_exact=place is None, deliveries=tally.by_endpoint.total())


def _shares(counts: Counter[UUID] | Counter[str]) -> list[Share]:
    return [Share(str(name), count) for name, count in counts.most_common(MOST_SHARES)]
