"""Delivers past events again: each is matched anew and gets new jobs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from deliveries import intake
from deliveries.documents import REMOVED, STORED, Stored
from deliveries.missed import served
from deliveries.models import DeadLetter, Event, Replay
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.routing import Routes
from deliveries.rules import topics
from deliveries.runs.preview import Preview, Tally
from hookline.database import write
from hookline.ids import parse_uuid
from tenants import audit


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events go round again, and to whom. Where `event_ids` names them, only `endpoint_id`
    counts besides."""

    event_ids: Sequence[str] | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    topic: str | None = None
    endpoint_id: UUID | None = None
    failed_only: bool = False
    missed_only: bool = False
    limit: int = 100


def replay(tenant_id: str, routes: Routes, selection: Selection, by: str) -> Replay:
    """Makes the jobs and the record of them, in one transaction."""
    with write():
        events = {str(event.id): event for event in _selected(tenant_id, selection)}
        jobs = _matched(events, routes, selection)
        asked = events if selection.event_ids is None else dict.fromkeys(selection.event_ids)
        results = json.dumps([_result(id, events.get(id), jobs.get(id)) for id in asked])
        request = json.dumps(asdict(selection), default=str)
        record = Replay(tenant_id=tenant_id, request=request, results=results)
        record.save(force_insert=True)
        enqueue([], [job for made in jobs.values() for job in made], record.id)
        audit.record(tenant_id, by, "replay.created", record.id, events=len(jobs))
    return record


def dry_run(tenant_id: str, routes: Routes, selection: Selection) -> Preview:
    """What `replay` would do. Changes nothing."""
    with write():  # locks as that does, or it would tell of what is just going
        events = {str(event.id): event for event in _selected(tenant_id, selection)}
        jobs = _matched(events, routes, selection)
    tally = Tally()
    for id, made in jobs.items():
        if made:
            at = events[id].occurred_at
            tally.add(tenant_id, 1, [job.endpoint_id for job in made], at, at)
    return tally.told(is_exact=True, deliveries=tally.by_endpoint.total())


def _result(event_id: str, event: Stored | None, jobs: list[NewJob] | None) -> dict[str, Any]:
    if jobs is not None:
        return {"event_id": event_id, "job_ids": [str(job.id) for job in jobs]}
    removed = event.payload_removed if event else None
    return {"event_id": event_id, "error": REMOVED[removed] if removed else "Event not found"}


def _matched(events: dict[str, Stored], routes: Routes, selection: Selection) -> dict[str, list[NewJob]]:
    """The jobs of each event that is whole."""
    whole = {id: event for id, event in events.items() if not event.payload_removed}
    jobs = [job for event in whole.values() for job in intake.match(event, routes)]
    jobs = [job for job in jobs if selection.endpoint_id in (None, job.endpoint_id)]
    matched: dict[str, list[NewJob]] = {id: [] for id in whole}
    done = served([event.id for event in whole.values()]) if selection.missed_only else ()
    for job in jobs:
        if (job.event_id, job.endpoint_id) not in done:
            matched[str(job.event_id)].append(job)
    return matched


def _selected(tenant_id: str, selection: Selection) -> list[Stored]:
    """The events, oldest first, and locked, so that retention does not remove them meanwhile."""
    events = Event.objects.filter(tenant_id=tenant_id).order_by("id").select_for_update(no_key=True)
    if selection.event_ids is not None:
        ids = filter(None, map(parse_uuid, selection.event_ids))
        return [Stored(*row) for row in events.filter(id__in=set(ids)).values_list(*STORED)]
    if selection.from_ms is not None:
        events = events.filter(occurred_at__gte=selection.from_ms)
    if selection.to_ms is not None:
        events = events.filter(occurred_at__lte=selection.to_ms)
    return _chosen([Stored(*row) for row in events.values_list(*STORED)[: selection.limit]], selection)


def _chosen(events: list[Stored], selection: Selection) -> list[Stored]:
    """Those with the right topic and mode; the limit counted before, as clients expect."""
    if selection.topic:
        events = [event for event in events if topics.matches(selection.topic, event.topic)]
    return _failed(events) if selection.failed_only else events


def _failed(events: list[Stored]) -> list[Stored]:
    ids = [event.id for event in events]
    failed = set(DeadLetter.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
    return [event for event in events if event.id in failed]
