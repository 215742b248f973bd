"""Whom it is for, and what was noticed on the way."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from deliveries.moving.items import Item
from deliveries.moving.sealed import Box


@dataclass
class Target:
    tenant_id: str
    by: str
    now: datetime
    box: Box | None
    # Those of the tenant, whether they were there or were just taken in.
    endpoint_ids: set[UUID]
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, item: Item, reason: str) -> None:
        self.left_out.append(f"{item.place} is left out: {reason}.")
