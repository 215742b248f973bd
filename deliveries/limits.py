"""How much of an endpoint's work may start now, and what becomes of its lane afterwards. No
database and no clock.

Both limits are exact because the lane row is locked from the moment it is read until it is
written: `in_flight` and `tokens` are then the newest there are, for all workers together.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

# As deliveries.models.Lane.State, which the SQL of the queue spells as numbers.
IDLE, READY, WAITING, LIMITED, FULL, OFF, FRESH = range(7)

UNLIMITED = 10**9
# A lane that waits for a token is not looked at more often than this.
LEAST_WAIT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class OpenLane:
    """A locked lane and the limits of its endpoint, which are None if it was deleted: what
    waits for it is then taken without limit, to be dead-lettered."""

    endpoint_id: UUID
    tenant_id: str
    in_flight: int
    tokens: float
    refilled_at: datetime
    ramp: int | None
    is_enabled: bool | None
    max_in_flight: int | None
    rate_limit_rps: int | None
    timeout_ms: int | None
    changed_at: datetime | None
    is_probing: bool = False

    @property
    def is_orphaned(self) -> bool:
        return self.max_in_flight is None

    @property
    def free(self) -> int:
        """Requests that may start beside those in flight."""
        if self.max_in_flight is None:
            return UNLIMITED
        ceiling = self.max_in_flight if self.ramp is None else min(self.ramp, self.max_in_flight)
        return ceiling - self.in_flight

    def held_to(self, most: int) -> "OpenLane":
        """The same lane, as if it were ramped down to `most` requests at a time."""
        return replace(self, ramp=most if self.ramp is None else min(self.ramp, most))

    def tokens_at(self, now: datetime) -> float:
        """A bucket that holds one second's worth and fills at `rate_limit_rps` a second."""
        if not self.rate_limit_rps:
            return UNLIMITED
        elapsed = max(0.0, (now - self.refilled_at).total_seconds())
        return min(float(self.rate_limit_rps), self.tokens + self.rate_limit_rps * elapsed)

    def room(self, now: datetime, share: int) -> int:
        """How many jobs may be taken now, at most `share`."""
        if self.is_enabled is False:
            share = min(share, 1) if self.is_probing else 0
        return max(0, min(share, self.free, int(self.tokens_at(now))))


@dataclass(frozen=True, slots=True)
class Parked:
    """What is written back. IDLE means that the due jobs ran out: the queue looks whether a
    later one waits. OFF means that the endpoint was off: the queue looks whether it still is."""

    state: int
    tokens: float
    wake_at: datetime | None = None


def share_out(lanes: Sequence[OpenLane], most: int, now: datetime) -> list[int]:
    """How many jobs to take from each lane, `most` in all: as much for one tenant as for another,
    and then for one of its lanes as for another, however many it has."""
    rooms = [lane.room(now, most) for lane in lanes]
    tenants: dict[str, list[int]] = {}
    for position, lane in enumerate(lanes):
        tenants.setdefault(lane.tenant_id, []).append(position)
    of_tenants = split(most, [sum(rooms[n] for n in positions) for positions in tenants.values()])
    for positions, share in zip(tenants.values(), of_tenants, strict=True):
        for position, part in zip(positions, split(share, [rooms[n] for n in positions]), strict=True):
            rooms[position] = part
    return rooms


def split(whole: int, wants: Sequence[int]) -> list[int]:
    """Equal parts, but to none more than it wants: what it leaves is for the others. What does not
    divide evenly goes by chance, so that it favours nobody in the long run."""
    parts = [0] * len(wants)
    most_modest_first = sorted(range(len(wants)), key=lambda n: (wants[n], random.random()))
    for served, n in enumerate(most_modest_first):
        parts[n] = min(wants[n], whole // (len(wants) - served))
        whole -= parts[n]
    return parts


def park(lane: OpenLane, room: int, taken: int, now: datetime) -> Parked:
    """What becomes of a lane that had `room` and gave `taken` jobs at `now`."""
    left = lane.tokens_at(now) - taken
    tokens = min(left, float(lane.rate_limit_rps or 0))
    if lane.is_enabled is False:
        return Parked(OFF, tokens)
    if taken < room:
        return Parked(IDLE, tokens)
    if lane.free - taken <= 0:
        return Parked(FULL, tokens)
    if left < 1:
        wait = max(LEAST_WAIT_SECONDS, (1 - left) / (lane.rate_limit_rps or 1))
        return Parked(LIMITED, tokens, now + timedelta(seconds=wait))
    return Parked(READY, tokens)
