"""The walk through events: each is matched against the subscriptions of today and gets new jobs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from deliveries import intake, routing
from deliveries.documents import STORED, Stored
from deliveries.missed import failed, missed
from deliveries.models import Event
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.rules import topics
from deliveries.runs.selection import Mode, Selection
from deliveries.runs.walk import Acted, Item, Walk
from hookline.ids import first_foreign, first_uuid7
from hookline.times import EPOCH, MILLISECOND
from tenants.models import Tenant

# Payloads that are in memory at once hold about as much, however large they are.
PAYLOAD_BYTES = 16 * 1024 * 1024

WANTED: dict[Mode, Callable[[list[NewJob]], list[NewJob]]] = {
    Mode.ALL: lambda jobs: jobs,
    Mode.FAILED: failed,
    Mode.MISSED: missed,
}
COLUMNS = ("tenant_id", "occurred_at", "id", "topic", "payload_removed")


@dataclass(frozen=True, slots=True)
class Again(Item):
    """An event and the jobs it gets."""

    at: int
    topic: str
    payload_removed: str | None
    jobs: tuple[NewJob, ...] = ()

    @property
    def cost(self) -> int:
        return len(self.jobs)


class Replay(Walk[Again]):
    columns = ("occurred_at", "id")

    def narrowed(self) -> "QuerySet[Event]":
        end, asked = first_uuid7(self.until + MILLISECOND), self.selection
        events = Event.objects.filter(Q(id__lt=end) | Q(id__gte=first_foreign()))
        if self.tenant_id is not None:
            events = events.filter(tenant_id=self.tenant_id)
        if asked.ids:
            events = events.filter(id__in=asked.ids)
        if asked.from_ms is not None:
            events = events.filter(occurred_at__gte=asked.from_ms)
        if asked.to_ms is not None:
            events = events.filter(occurred_at__lte=asked.to_ms)
        return events

    def read(self, rows: "QuerySet[Event]") -> list[Again]:
        return [Again(*row) for row in rows.values_list(*COLUMNS)]

    def choose(self, items: Sequence[Again]) -> list[Again]:
        topic = self.selection.topic
        chosen = [item for item in items if not topic or topics.matches(topic, item.topic)]
        made = _matched([item for item in chosen if not item.payload_removed], self.selection)
        return [replace(item, jobs=tuple(made.get(item.id, ()))) for item in chosen]

    def act(self, items: Sequence[Again], run_id: UUID) -> Acted:
        """Events are locked, so that retention does not remove them meanwhile and no other run gives
        them jobs; after that it is judged once more who still misses them."""
        if not (wanted := [item for item in items if item.jobs]):
            return Acted(0, 0)
        events = Event.objects.filter(id__in=[item.id for item in wanted], payload_removed=None)
        locked = set(events.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
        jobs = [job for item in wanted if item.id in locked for job in item.jobs]
        jobs = WANTED[self.selection.mode](jobs)
        enqueue([], jobs, run_id)
        return Acted(len({job.event_id for job in jobs}), len(jobs))


def _matched(items: Sequence[Again], selection: Selection) -> dict[UUID, list[NewJob]]:
    """The jobs that these events of one tenant get, by event."""
    if not items:
        return {}
    tenant = Tenant.objects.only("routes_version").get(id=items[0].tenant_id)
    routes = routing.routes_of(tenant.id, tenant.routes_version)
    events = _read(items) if routes.has_filters else map(_stored, items)
    jobs = [job for event in events for job in intake.match(event, routes)]
    made: dict[UUID, list[NewJob]] = {}
    for job in WANTED[selection.mode](jobs):
        if selection.endpoint_id in (None, job.endpoint_id):
            made.setdefault(job.event_id, []).append(job)
    return made


def _stored(item: Again) -> Stored:
    """As much of the event as matching needs where no filter reads it."""
    return Stored(item.id, item.tenant_id, item.topic, None, None, None, 0, EPOCH)


def _read(items: Sequence[Again]) -> Iterator[Stored]:
    """The events, as many at a time as memory is meant for."""
    at_once = max(1, PAYLOAD_BYTES // settings.HL_MAX_PAYLOAD_BYTES)
    for start in range(0, len(items), at_once):
        ids = [item.id for item in items[start : start + at_once]]
        for row in Event.objects.filter(id__in=ids).values_list(*STORED):
            yield Stored(*row)
