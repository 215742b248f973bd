"""Lets go of payloads before their events: by HL_PAYLOAD_RETENTION_SECS, or of one event by order.

What was sent goes, and what receivers answered. That it was sent, to whom, when and with what result
stays until the event itself is old. Such an event cannot be delivered again.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from deliveries import finished
from deliveries.models import Attempt, Event
from deliveries.queue.hasten import hasten_event
from hookline.database import is_postgres, now, rows, write
from hookline.errors import NotFound
from hookline.ids import NO_ID, first_uuid7
from hookline.pace import gently
from hookline.progress import Progress, unseen
from tenants import audit

ANSWERED = ~Q(response_body=None) | ~Q(response_headers=None)


def remove_old(progress: Progress = unseen, after: UUID = NO_ID) -> tuple[int, UUID]:
    """Returns of how many events, and the id up to which all was looked at."""
    if not settings.HL_PAYLOAD_RETENTION_SECS:
        return 0, after
    before = now() - timedelta(seconds=settings.HL_PAYLOAD_RETENTION_SECS)
    removed = sum(map(_remove, _old(before, progress, after)))
    return removed, first_uuid7(before)


def count_old(progress: Progress = unseen) -> int:
    """Of how many events `remove_old` would remove the payload now, besides those that retention
    removes as a whole."""
    if not 0 < settings.HL_PAYLOAD_RETENTION_SECS < settings.HL_RETENTION_SECS:
        return 0
    before, gone = (
        now() - timedelta(seconds=seconds)
        for seconds in (settings.HL_PAYLOAD_RETENTION_SECS, settings.HL_RETENTION_SECS)
    )
    return sum(map(len, _old(before, progress, first_uuid7(gone))))


def expunge(event: Event, by: str) -> None:
    """Of one event, at once. What is still to be delivered of it is given up. Raises NotFound if the
    event is gone."""
    with write():
        if not Event.objects.select_for_update().filter(id=event.id).exists():
            raise NotFound("Event not found")
        _blank([event.id], Event.PayloadRemoved.EXPUNGED)
        hasten_event(event.id)
        audit.record(event.tenant_id, by, "event.expunged", event.id)


def _old(before: datetime, progress: Progress, after: UUID) -> Iterator[list[UUID]]:
    whole = Event.objects.filter(payload_removed=None)
    return finished.older(whole, before, "payloads", progress, after)


def _remove(ids: list[UUID]) -> int:
    with gently(), write(durable=False):
        return _blank(finished.hold(ids), Event.PayloadRemoved.RETENTION)


# In arrays, for the same reason as in retention.
BLANK = """
WITH attempt AS (
  UPDATE attempts SET response_body = NULL, response_headers = NULL
  WHERE job_id = ANY (ARRAY(SELECT id FROM jobs WHERE event_id = ANY (%(ids)b::uuid[])))
    AND (response_body IS NOT NULL OR response_headers IS NOT NULL))
UPDATE events SET payload = NULL, extra = NULL, payload_removed = %(reason)s
WHERE id = ANY (%(ids)b::uuid[])
"""


def _blank(ids: list[UUID], reason: str) -> int:
    if is_postgres():
        rows(BLANK, {"ids": ids, "reason": reason})
    else:
        answered = Attempt.objects.filter(ANSWERED, job__event_id__in=ids)
        answered.update(response_body=None, response_headers=None)
        Event.objects.filter(id__in=ids).update(payload=None, extra=None, payload_removed=reason)
    return len(ids)
