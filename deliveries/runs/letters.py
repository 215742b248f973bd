"""The walk through dead letters: their jobs are sent round again, or they are let go."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from deliveries import dead_letters
from deliveries.models import DeadLetter, Event
from deliveries.queue.requeue import requeue
from deliveries.runs.selection import moment_of
from deliveries.runs.walk import Acted, Item, Walk, on_topic

COLUMNS = ("tenant_id", "created_at", "job_id", "event_id", "reason")


@dataclass(frozen=True, slots=True)
class Letter(Item):
    event_id: UUID
    reason: str


class Letters(Walk[Letter]):
    columns = ("created_at", "job_id")

    @property
    def is_choosy(self) -> bool:
        return bool(self.selection.reason or self.selection.topic)

    def narrowed(self) -> "QuerySet[DeadLetter]":
        letters, asked = DeadLetter.objects.filter(created_at__lte=self.until), self.selection
        if self.tenant_id is not None:
            letters = letters.filter(tenant_id=self.tenant_id)
        if asked.endpoint_id:
            letters = letters.filter(endpoint_id=asked.endpoint_id)
        if asked.ids:
            letters = letters.filter(job_id__in=asked.ids)
        if asked.from_ms is not None:
            letters = letters.filter(created_at__gte=moment_of(asked.from_ms))
        if asked.to_ms is not None:
            letters = letters.filter(created_at__lt=moment_of(asked.to_ms + 1))
        return letters

    def read(self, rows: "QuerySet[DeadLetter]") -> list[Letter]:
        return [Letter(*row) for row in rows.values_list(*COLUMNS)]

    def choose(self, items: Sequence[Letter]) -> list[Letter]:
        reason, topic = self.selection.reason, self.selection.topic
        chosen = [letter for letter in items if reason in ("", letter.reason)]
        if topic:
            events = on_topic(topic, [letter.event_id for letter in chosen])
            chosen = [letter for letter in chosen if letter.event_id in events]
        return chosen


class Requeue(Letters):
    def act(self, items: Sequence[Letter], run_id: UUID) -> Acted:
        """Passes over those of which nothing is left to send."""
        events = Event.objects.filter(id__in=[letter.event_id for letter in items])
        removed = set(events.exclude(payload_removed=None).values_list("id", flat=True))
        made_due = requeue([letter.id for letter in items if letter.event_id not in removed])
        return Acted(made_due, made_due)


class Discard(Letters):
    def act(self, items: Sequence[Letter], run_id: UUID) -> Acted:
        return Acted(dead_letters.discard_all([letter.id for letter in items]), 0)
