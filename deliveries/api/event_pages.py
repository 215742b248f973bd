"""A page of a tenant's events, oldest first, and where the next one begins."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet, Value
from django.http import QueryDict

from deliveries import documents
from deliveries.api.pages import limit_of, milliseconds_of
from deliveries.models import Event
from deliveries.rules import topics
from hookline.ids import first_foreign, parse_uuid

# A page ends early rather than hold more than this, or look through more events than that.
PAGE_BYTES = 16 * 1024 * 1024
MOST_LOOKED_AT = 100_000
LOOKED_AT_ONCE = 100
LONGEST_PREFIX = 1000


class Page(NamedTuple):
    items: list[bytes]
    next_id: UUID | None


def page_of(tenant_id: str, query: QueryDict) -> Page:
    """The events that the query selects. Their payloads are read last, and not all at once."""
    events = Event.objects.filter(tenant_id=tenant_id)
    pattern = query.get("topic", "")
    selected = [_on_topic(_within(part, query), pattern) for part in _from_position(events, query)]
    ids, next_id = _matching(selected, pattern, limit_of(query, default=50, beyond=50))
    items: list[bytes] = []
    size = 0
    for event in _read(events, ids):
        if size > PAGE_BYTES:
            return Page(items, event.id)
        items.append(documents.document_of(event))
        size += len(items[-1])
    return Page(items, next_id)


def _from_position(events: "QuerySet[Event]", query: QueryDict) -> list["QuerySet[Event]"]:
    """From the cursor on, or after `after_id`, which wins; an unknown id means from the start. What was
    imported comes before what was published here, whatever its ids."""
    foreign, ours = events.filter(id__gte=first_foreign()), events.filter(id__lt=first_foreign())
    for name, lookup in (("after_id", "id__gt"), ("cursor", "id__gte")):
        if text := query.get(name):
            position = parse_uuid(text)
            if not events.filter(id=position).exists():
                break
            if position < first_foreign():
                return [ours.filter(**{lookup: position})]
            return [foreign.filter(**{lookup: position}), ours]
    return [foreign, ours]


def _within(events: "QuerySet[Event]", query: QueryDict) -> "QuerySet[Event]":
    if (earliest := milliseconds_of(query, "from_ms")) is not None:
        events = events.filter(occurred_at__gte=earliest)
    if (latest := milliseconds_of(query, "to_ms")) is not None:
        events = events.filter(occurred_at__lte=latest)
    return events


def _on_topic(events: "QuerySet[Event]", pattern: str) -> "QuerySet[Event]":
    """What the database can tell of a pattern: its beginning, up to what SQLite compares."""
    if topics.is_exact(pattern):
        return events.filter(topic=pattern) if pattern else events
    return events.filter(topic__startswith=topics.literal_prefix(pattern)[:LONGEST_PREFIX])


def _matching(parts: Sequence["QuerySet[Event]"], pattern: str, limit: int) -> tuple[list[UUID], UUID | None]:
    """The ids of the first events on the topic, and the id at which to go on."""
    found: list[UUID] = []
    topics_of = chain.from_iterable(_topics(part, pattern, limit) for part in parts)
    for looked_at, (event_id, topic) in enumerate(topics_of):
        is_wanted = not pattern or topics.matches(pattern, topic)
        if looked_at == MOST_LOOKED_AT or (is_wanted and len(found) == limit):
            return found, event_id
        if is_wanted:
            found.append(event_id)
    return found, None


def _topics(events: "QuerySet[Event]", pattern: str, limit: int) -> Iterator[tuple[UUID, str]]:
    """All ids in order, with their topics where there is a pattern to compare them to."""
    topic = F("topic") if pattern else Value("")
    at_once = LOOKED_AT_ONCE if pattern else limit + 1
    ordered = events.order_by("id").values_list("id", topic)
    rows = list(ordered[:at_once])
    while rows:
        yield from rows
        rows = list(ordered.filter(id__gt=rows[-1][0])[:at_once]) if len(rows) == at_once else []


def _read(events: "QuerySet[Event]", ids: Sequence[UUID]) -> Iterator[Event]:
    """The events with these ids, as many at a time as memory is meant for."""
    at_once = max(1, min(LOOKED_AT_ONCE, PAGE_BYTES // settings.HL_MAX_PAYLOAD_BYTES))
    for start in range(0, len(ids), at_once):
        chosen = ids[start : start + at_once]
        found = {event.id: event for event in events.filter(id__in=chosen)}
        yield from (found[id] for id in chosen if id in found)
