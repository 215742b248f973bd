"""What the queue's statements read and write, the same for both stores."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from deliveries.limits import FRESH, READY, OpenLane

# A job and the id of one claim of it: it may be claimed again under another.
Claim = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Look:
    """What a glance at the queue shows: the time there, and where work may be found."""

    now: datetime
    is_paused: bool
    has_bells: bool
    has_wakes: bool
    has_fresh: bool
    has_ready: bool

    @property
    def has_lanes(self) -> bool:
        return self.has_bells or self.has_wakes or self.has_fresh or self.has_ready

    def promises(self, state: int) -> bool:
        """Whether lanes in this state can be found, once bells are answered and lanes are woken."""
        return {FRESH: self.has_fresh or self.has_bells, READY: self.has_ready or self.has_wakes}[state]


@dataclass(frozen=True, slots=True)
class Pick:
    """Locked lanes, and the tenants that were visited for them, in order."""

    now: datetime
    tenants: list[str]
    lanes: list[OpenLane]


class SettlementRow(NamedTuple):
    """One line of a settle. Without an attempt_id nothing was sent."""

    job_id: UUID
    claim_id: UUID
    status: str
    due_at: datetime | None
    reason: str | None
    is_strained: bool
    attempt_id: UUID | None
    attempt_n: int
    result: str | None
    http_status: int
    error: str | None
    error_detail: str
    started_at: datetime | None
    duration_ms: int
    address: str
    response_headers: str | None
    response_body: bytes | None
