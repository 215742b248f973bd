"""Which dead letters, or which events and for whom. What is not given does not narrow."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from hookline.times import EPOCH, MILLISECOND


class Mode(StrEnum):
    """Who gets an event again."""

    ALL = "all"  # every endpoint that would get it today
    FAILED = "failed_only"  # of those, where it is a dead letter now
    MISSED = "missed_only"  # of those, where it neither arrived nor is on its way


@dataclass(frozen=True, slots=True)
class Selection:
    """`ids` are those of jobs, or of events; `reason` is that of a dead letter. Times are when a
    letter was written, or when an event occurred, both ends included."""

    ids: tuple[UUID, ...] = ()
    endpoint_id: UUID | None = None
    reason: str = ""
    topic: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    mode: Mode = Mode.ALL

    @property
    def is_everything(self) -> bool:
        return not self.given()

    def given(self) -> dict[str, Any]:
        """What narrows, as JSON has it."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in fields.items() if value not in ((), [], "", None, Mode.ALL)}

    def to_json(self) -> str:
        return msgspec.json.encode(self.given()).decode()

    @staticmethod
    def from_json(text: str) -> "Selection":
        return msgspec.json.decode(text, type=Selection)


def moment_of(milliseconds: int) -> datetime:
    """The time, or the nearest that a database can hold."""
    try:
        return EPOCH + milliseconds * MILLISECOND
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if milliseconds > 0 else datetime.min.replace(tzinfo=UTC)
