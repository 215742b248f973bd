"""What became of events at endpoints: where they failed, and where they need not be sent again."""

from collections.abc import Collection
from uuid import UUID

from deliveries.models import DeadLetter, Job

# An event and an endpoint.
Pair = tuple[UUID, UUID]


def served(event_ids: Collection[UUID]) -> set[Pair]:
    """Where they arrived, or are on their way. Where none of their subscriptions wanted them, and where
    they failed, they are missed."""
    alive = Job.objects.filter(event_id__in=event_ids).exclude(status=Job.Status.DEAD)
    return set(alive.values_list("event_id", "endpoint_id"))


def failed(event_ids: Collection[UUID]) -> set[Pair]:
    """Where they are dead letters now."""
    letters = DeadLetter.objects.filter(event_id__in=event_ids)
    return set(letters.values_list("event_id", "endpoint_id"))
