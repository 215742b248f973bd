"""The walk through events: each is matched against the subscriptions of today and gets new jobs."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from deliveries import documents, routing
from deliveries.documents import STORED, Stored
from deliveries.missed import Pair, failed, served
from deliveries.models import Event
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.routing import Route, Routes
from deliveries.rules import filters, topics
from deliveries.rules.values import Document
from deliveries.runs.selection import Mode
from deliveries.runs.walk import Acted, Item, Walk
from hookline.ids import first_foreign, first_uuid7, uuid7
from hookline.times import MILLISECOND
from tenants.models import Tenant

# Payloads that are in memory at once hold about as much, however large they are.
PAYLOAD_BYTES = 16 * 1024 * 1024

COLUMNS = ("tenant_id", "occurred_at", "id", "topic", "payload_removed")


@dataclass(frozen=True, slots=True)
class Again(Item):
    """An event and the subscriptions that get it."""

    at: int
    topic: str
    payload_removed: str | None
    routes: Sequence[Route] = ()

    @property
    def cost(self) -> int:
        return len(self.routes)

    def job_for(self, route: Route) -> NewJob:
        return NewJob(uuid7(), self.tenant_id, self.id, route.endpoint_id, route.subscription_id)


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
        matched = self._matched([item for item in chosen if not item.payload_removed])
        needs = self._needs(matched)
        return [
            replace(item, routes=[to for to in matched.get(item.id, ()) if needs((item.id, to.endpoint_id))])
            for item in chosen
        ]

    def act(self, items: Sequence[Again], run_id: UUID) -> Acted:
        """Events are locked, so that retention does not remove them meanwhile and no other run gives
        them jobs; after that it is judged once more who still needs them."""
        ids = [item.id for item in items if item.routes]
        whole = Event.objects.filter(id__in=ids, payload_removed=None).order_by("id")
        locked = set(whole.select_for_update(no_key=True).values_list("id", flat=True))
        needs = self._needs(locked)
        jobs = [
            item.job_for(route)
            for item in items
            for route in item.routes
            if item.id in locked and needs((item.id, route.endpoint_id))
        ]
        enqueue([], jobs, run_id)
        return Acted(len({job.event_id for job in jobs}), len(jobs))

    def _matched(self, items: Sequence[Again]) -> dict[UUID, list[Route]]:
        """The subscriptions that get each event, all of one tenant."""
        if not items:
            return {}
        tenant = Tenant.objects.only("routes_version").get(id=items[0].tenant_id)
        routes = routing.routes_of(tenant.id, tenant.routes_version)
        on = {topic: self._on(routes, topic) for topic in {item.topic for item in items}}
        filtered = {topic for topic, found in on.items() if any(route.filter for route in found)}
        matched = {item.id: on[item.topic] for item in items if item.topic not in filtered}
        for event in _read([item.id for item in items if item.topic in filtered]):
            matched[event.id] = _passing(event, on[event.topic])
        return matched

    def _on(self, routes: Routes, topic: str) -> list[Route]:
        endpoint_id = self.selection.endpoint_id
        return [route for route in routes.on(topic) if endpoint_id in (None, route.endpoint_id)]

    def _needs(self, event_ids: Collection[UUID]) -> Callable[[Pair], bool]:
        """Whether an endpoint needs an event of these, by the mode."""
        match self.selection.mode:
            case Mode.FAILED:
                return failed(event_ids).__contains__
            case Mode.MISSED:
                done = served(event_ids)
                return lambda pair: pair not in done
        return lambda pair: True


def _passing(event: Stored, routes: Sequence[Route]) -> list[Route]:
    document = Document(lambda: documents.fields_of(event))
    return [route for route in routes if filters.passes(route.filter, document)]


def _read(ids: Sequence[UUID]) -> Iterator[Stored]:
    """The events, as many at a time as memory is meant for."""
    at_once = max(1, PAYLOAD_BYTES // settings.HL_MAX_PAYLOAD_BYTES)
    for start in range(0, len(ids), at_once):
        events = Event.objects.filter(id__in=ids[start : start + at_once])
        for row in events.values_list(*STORED):
            yield Stored(*row)
