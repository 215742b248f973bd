"""Goes through rows of one tenant after another, oldest first, a bounded stretch at a time."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from deliveries.models import Event
from deliveries.rules import topics
from deliveries.runs.selection import Selection

# Rows that one stretch reads, and judges so many at a time until it has enough. They are judged here,
# as a search in the database for what is rare would have no bound.
READ_AT_ONCE = 500
JUDGED_AT_ONCE = 50

# Of dead letters and of events.
At = datetime | int


class Place(msgspec.Struct, frozen=True):
    """After this row of the tenant; before its first one where there is no id."""

    tenant_id: str
    at: At | None = None
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A row that the walk came to."""

    tenant_id: str
    at: At
    id: UUID

    @property
    def cost(self) -> int:
        """How many rows it makes or changes; 0 if there is nothing to do."""
        return 1

    @property
    def place(self) -> Place:
        return Place(self.tenant_id, self.at, self.id)


Found = TypeVar("Found", bound=Item)


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Found]):
    """What was chosen, with what needs nothing done, and where to go on; None at the end of all."""

    items: Sequence[Found]
    end: Place | None

    @property
    def cost(self) -> int:
        return _cost(self.items)


@dataclass(frozen=True, slots=True)
class Acted:
    """For how many items something was done, and how many deliveries that makes."""

    items: int
    jobs: int


class Walk(ABC, Generic[Found]):
    """Through what was there at `until`, of one tenant or, for None, of all."""

    # The column of the time, and that of the id.
    columns: tuple[str, str]

    def __init__(self, tenant_id: str | None, selection: Selection, until: datetime) -> None:
        self.tenant_id, self.selection, self.until = tenant_id, selection, until

    @abstractmethod
    def narrowed(self) -> "QuerySet[Any]":
        """The rows that an index tells apart; `choose` judges the rest."""

    @abstractmethod
    def read(self, rows: "QuerySet[Any]") -> list[Found]:
        """Rows in order, as items that were not judged yet."""

    @abstractmethod
    def choose(self, items: Sequence[Found]) -> list[Found]:
        """Those that the selection means."""

    @abstractmethod
    def act(self, items: Sequence[Found], run_id: UUID) -> Acted:
        """Does it, in a transaction of the caller's."""

    @property
    def is_choosy(self) -> bool:
        """Whether `choose` may pass over rows, so that more are read than are taken."""
        return True

    def place_of(self, text: str | None) -> Place | None:
        """Where a run stands; None if there is nothing for it to do."""
        if text is None:
            return self._next_tenant("")
        return msgspec.json.decode(text, type=Place)

    def stretch(self, place: Place, most: int) -> Stretch[Found]:
        """The next rows, up to as many as cost `most`."""
        window = self._window(most)
        rows = self._rows_after(place, window)
        chosen: list[Found] = []
        looked_at, at_once = 0, max(JUDGED_AT_ONCE, most)
        while looked_at < len(rows) and _cost(chosen) < most:
            chosen += self.choose(rows[looked_at : looked_at + at_once])
            looked_at = min(len(rows), looked_at + at_once)
        taken = _within(chosen, most)
        if len(taken) < len(chosen):
            return Stretch(taken, taken[-1].place)
        if looked_at == len(rows) < window:
            return Stretch(taken, self._next_tenant(place.tenant_id))
        return Stretch(taken, rows[looked_at - 1].place)

    def _window(self, most: int) -> int:
        """How many rows to read: all that are named, so that they are looked up by their ids."""
        if self.selection.ids:
            return len(self.selection.ids) + 1
        return READ_AT_ONCE if self.is_choosy else most

    def _rows_after(self, place: Place, window: int) -> list[Found]:
        """First the rest of those with the same time, so that each question has an index."""
        time, id = self.columns
        rows = self.narrowed().filter(tenant_id=place.tenant_id).order_by(time, id)
        if place.id is None:
            return self.read(rows[:window])
        found = self.read(rows.filter(**{time: place.at, f"{id}__gt": place.id})[:window])
        if len(found) == window:
            return found
        return found + self.read(rows.filter(**{f"{time}__gt": place.at})[: window - len(found)])

    def _next_tenant(self, after: str) -> Place | None:
        if self.tenant_id is not None:
            return None if after else Place(self.tenant_id)
        following = self.narrowed().filter(tenant_id__gt=after).order_by("tenant_id")
        found = following.values_list("tenant_id", flat=True).first()
        return Place(found) if found is not None else None


def _cost(items: Sequence[Item]) -> int:
    return sum(item.cost for item in items)


def _within(items: list[Found], most: int) -> list[Found]:
    """The first items, up to as many as cost `most`, and one in any case."""
    cost = 0
    for count, item in enumerate(items, 1):
        cost += item.cost
        if cost >= most:
            return items[:count]
    return items


def on_topic(pattern: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the events that are on the topic."""
    found = Event.objects.filter(id__in=event_ids).values_list("id", "topic")
    return {id for id, topic in found if topics.matches(pattern, topic)}
