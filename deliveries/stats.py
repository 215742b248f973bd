"""Counts, each over an index."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, OuterRef, Q, Subquery, Sum

from deliveries.models import (
    Attempt,
    DeadLetter,
    Endpoint,
    Event,
    Job,
    Lane,
    Subscription,
)
from hookline.database import now
from hookline.models import Process

# A process that has not been heard of for so long is taken for gone.
SILENCE = timedelta(seconds=15)


def pending(tenant_id: str) -> int:
    """Jobs that wait, whether due or not. From the partial index of pending jobs."""
    return Job.objects.filter(tenant_id=tenant_id, status=Job.Status.PENDING).count()


def in_flight(tenant_id: str) -> int:
    total = Lane.objects.filter(tenant_id=tenant_id).aggregate(n=Sum("in_flight"))["n"]
    return int(total or 0)


def of_tenant(tenant_id: str) -> dict[str, int]:
    mine = {"tenant_id": tenant_id}
    return {
        "queue_depth": pending(tenant_id),
        "in_flight": in_flight(tenant_id),
        "dlq_count": DeadLetter.objects.filter(**mine).count(),
        "event_count": Event.objects.filter(**mine).count(),
        "endpoint_count": Endpoint.objects.filter(**mine).count(),
        "subscription_count": Subscription.objects.active().filter(**mine).count(),
        "delivery_count": Attempt.objects.filter(**mine).count(),
    }


def queue_depths() -> Iterator[tuple[str, int]]:
    waiting = Job.objects.filter(status=Job.Status.PENDING).order_by("tenant_id").values("tenant_id")
    yield from waiting.annotate(n=Count("*")).values_list("tenant_id", "n")


def oldest_due() -> dict[str, datetime]:
    """By tenant, since when its oldest job that nothing but time could hold back has been due. One look
    into the index of due jobs for each lane."""
    moment = now()
    held = Q(state__in=[Lane.State.OFF, Lane.State.FULL]) | Q(state=Lane.State.LIMITED, wake_at__gt=moment)
    due = Job.objects.filter(
        tenant_id=OuterRef("tenant_id"), endpoint_id=OuterRef("endpoint_id"), status=Job.Status.PENDING
    ).order_by("next_attempt_at")
    lanes = Lane.objects.exclude(held).annotate(due_at=Subquery(due.values("next_attempt_at")[:1]))
    oldest: dict[str, datetime] = {}
    for tenant, due_at in lanes.values_list("tenant_id", "due_at").iterator():
        if due_at and due_at <= moment:
            oldest[tenant] = min(due_at, oldest.get(tenant, due_at))
    return oldest


def requests_in_flight() -> Iterator[tuple[str, int]]:
    for lane in Lane.objects.filter(in_flight__gt=0).order_by("endpoint_id"):
        yield str(lane.endpoint_id), lane.in_flight


def processes() -> list[Process]:
    """Those that serve or deliver at this moment."""
    return list(Process.objects.filter(seen_at__gt=now() - SILENCE).order_by("kind", "host", "pid"))


def open_streams() -> int:
    return sum(process.streams for process in processes())
