"""Takes due jobs: fairly by tenant, then by endpoint, and never more than the limits allow."""

from collections import Counter, deque
from datetime import datetime, timedelta
from itertools import compress
from uuid import UUID, uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError

from deliveries import limits
from deliveries.limits import OpenLane
from deliveries.models import Endpoint
from deliveries.queue.rows import Look, Pick
from deliveries.queue.statements import statements
from deliveries.targets import target_of
from deliveries.telemetry import count_limited
from deliveries.work import ClaimedJob, Target
from hookline import failpoints
from hookline.database import write

# Time to record an answer, beyond the time an endpoint may take to give it.
SETTLE_SECONDS = 15
# A bell may commit long after a bell with a greater number, so the search starts at least this far
# back, and for as many bells at the same place.
BELLS_LOOKED_BACK = 20_000
# Endpoints that a worker keeps in memory, about two kilobytes each.
MOST_TARGETS = 10_000


class Ring:
    """The ready lanes, or the fresh ones, and how far this worker has come round them.

    How many lanes one claim visits follows what the visits bring: few lanes leave the others
    to other workers, many fill the batch where each lane holds one job.
    """

    FEWEST, MOST = 16, 512

    def __init__(self, state: int) -> None:
        self.state = state
        self.cursor = ""
        self.width = self.FEWEST

    def pick(self, most: int) -> Pick | None:
        pick: Pick | None = statements().pick_lanes(self.state, self.cursor, min(self.width, most))
        if pick is not None:
            self.cursor = pick.tenants[-1]
        return pick

    def learn(self, most: int, lanes: int, taken: int) -> None:
        if taken >= most:
            self.width = max(self.FEWEST, self.width * 4 // 5)
        elif taken < most * 0.7 and lanes >= min(self.width, most) * 0.9:
            self.width = min(self.MOST, max(self.width, most * lanes // max(1, taken)))


class Claimer:
    """One worker's way through the queue."""

    def __init__(self) -> None:
        self.rings = deque([Ring(limits.FRESH), Ring(limits.READY)])
        self.latest_bell = 0
        self.targets: dict[UUID, tuple[datetime | None, Target]] = {}

    def look(self, *, far_back: bool = False) -> Look:
        """A glance at the queue, which tells whether a claim is worth its while."""
        if far_back:
            self.latest_bell = 0
        found: Look = statements().look(self._low())
        return found

    def claim(self, most: int, look: Look, per_endpoint: int | None = None) -> list[ClaimedJob]:
        """Up to `most` jobs that may start at once, and no more than an endpoint's limits allow or
        `per_endpoint` in flight. The rings take turns at being first."""
        if look.is_paused or not look.has_lanes or most < 1:
            return []
        self._wake(look)
        self.rings.rotate()
        jobs: list[ClaimedJob] = []
        for ring in self.rings:
            if len(jobs) < most and look.promises(ring.state):
                try:
                    jobs += self._claim_from(ring, most - len(jobs), per_endpoint)
                except (OperationalError, InterfaceError):
                    if not jobs:  # else those that are ours already must start
                        raise
        return jobs

    def _wake(self, look: Look) -> None:
        if look.has_bells:
            with write(durable=False):
                self.latest_bell = max(self.latest_bell, statements().answer_bells(self._low()))
        if look.has_wakes:
            with write(durable=False):
                statements().wake_lanes()

    def _claim_from(self, ring: Ring, most: int, per_endpoint: int | None) -> list[ClaimedJob]:
        with write(durable=False):
            pick = ring.pick(most)
            if pick is None or not pick.lanes:
                return []
            lanes = [lane.held_to(per_endpoint) for lane in pick.lanes] if per_endpoint else pick.lanes
            rooms = limits.share_out(lanes, most, pick.now)
            jobs = self._take(lanes, rooms, pick.now)
            counts = Counter(job.endpoint_id for job in jobs)
            taken = [counts[lane.endpoint_id] for lane in lanes]
            parked = [
                limits.park(lane, room, count, pick.now)
                for lane, room, count in zip(lanes, rooms, taken, strict=True)
            ]
            statements().park_lanes(lanes, parked, taken, pick.now)
            failpoints.reach("claim_before_commit")
        failpoints.reach("claim_after_commit")
        count_limited(lanes, parked)
        ring.learn(most, len(lanes), len(jobs))
        return jobs

    def _take(self, picked: list[OpenLane], rooms: list[int], now: datetime) -> list[ClaimedJob]:
        lanes, some = list(compress(picked, rooms)), [room for room in rooms if room]
        if not lanes:
            return []
        leases = [now + _lease(lane) for lane in lanes]
        jobs: list[ClaimedJob] = statements().take_jobs(lanes, some, leases, uuid4(), self._targets(lanes))
        return jobs

    def _targets(self, lanes: list[OpenLane]) -> dict[UUID, Target]:
        """The lanes' endpoints, read again only where one has changed."""
        if len(self.targets) > MOST_TARGETS:
            self.targets.clear()
        known = {lane.endpoint_id: lane.changed_at for lane in lanes if not lane.is_orphaned}
        old = [id for id, changed_at in known.items() if self.targets.get(id, (None,))[0] != changed_at]
        for id, endpoint in (Endpoint.objects.in_bulk(old) if old else {}).items():
            self.targets[id] = (known[id], target_of(endpoint))
        return {id: self.targets[id][1] for id in known if id in self.targets}

    def _low(self) -> int:
        return max(0, self.latest_bell // BELLS_LOOKED_BACK - 1) * BELLS_LOOKED_BACK


def _lease(lane: OpenLane) -> timedelta:
    longest = (lane.timeout_ms or 0) / 1000 + SETTLE_SECONDS
    return timedelta(seconds=max(settings.HL_JOB_LEASE_SECS, longest))
