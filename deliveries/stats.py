"""Counts, each over an index."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum

from deliveries.models import (
    Alert,
    Attempt,
    DeadLetter,
    Endpoint,
    Event,
    Job,
    Lane,
    Notice,
    Subscription,
)
from deliveries.models.endpoints import DisabledFor
from hookline.database import now
from hookline.heartbeat import DELIVERERS
from hookline.models import Process
from tenants.models import ApiKey

ENDPOINT_STATES = ("healthy", "failing", *DisabledFor.values, "disabled")

MOST_COUNTED = 10_000

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


def holdings(tenant_id: str) -> dict[str, int]:
    """What a tenant has, each counted no further than MOST_COUNTED."""
    mine = {"tenant_id": tenant_id}
    kinds: dict[str, QuerySet[Any]] = {
        "endpoints": Endpoint.objects.filter(**mine),
        "subscriptions": Subscription.objects.active().filter(**mine),
        "events": Event.objects.filter(**mine),
        "jobs that wait": Job.objects.filter(**mine, status=Job.Status.PENDING),
        "dead letters": DeadLetter.objects.filter(**mine),
        "keys": ApiKey.objects.usable().filter(**mine),
    }
    return {kind: rows.order_by()[:MOST_COUNTED].count() for kind, rows in kinds.items()}


def letters() -> dict[str, int]:
    """Dead letters by tenant. From the index of each tenant's newest."""
    buried = DeadLetter.objects.order_by().values_list("tenant_id")
    return dict(buried.annotate(n=Count("*")))


def lane_states() -> dict[str, int]:
    """Lanes by what they wait for."""
    counted = dict(Lane.objects.order_by().values_list("state").annotate(n=Count("*")))
    return {state.name.lower(): counted.get(state, 0) for state in Lane.State}


def endpoint_states() -> dict[str, int]:
    """Endpoints by their health: on, on and failing, turned off by us, turned off by a person."""
    is_failing = Exists(Lane.objects.filter(endpoint_id=OuterRef("id"), failing_since__isnull=False))
    found = Endpoint.objects.order_by().annotate(is_failing=is_failing)
    counted = Counter[str]()
    for is_enabled, disabled_for, is_failing_now, number in found.values_list(
        "is_enabled", "disabled_for", "is_failing"
    ).annotate(n=Count("*")):
        state = "failing" if is_failing_now else "healthy"
        counted[state if is_enabled else disabled_for or "disabled"] += number
    return {state: counted[state] for state in ENDPOINT_STATES}


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


def firing_alerts() -> dict[str, int]:
    counted = dict(Alert.objects.filter(is_firing=True).order_by().values_list("kind").annotate(n=Count("*")))
    return {kind: counted.get(kind, 0) for kind in Alert.Kind.values}


def untold_notices() -> dict[str, int]:
    """Notices that wait, by channel."""
    return dict(Notice.objects.order_by().values_list("channel").annotate(n=Count("*")))


def requests_in_flight() -> Iterator[tuple[str, int]]:
    for lane in Lane.objects.filter(in_flight__gt=0).order_by("endpoint_id"):
        yield str(lane.endpoint_id), lane.in_flight


def processes() -> list[Process]:
    """Those that serve or deliver at this moment."""
    return list(Process.objects.filter(seen_at__gt=now() - SILENCE).order_by("kind", "host", "pid"))


def has_deliverers() -> bool:
    """Whether any process delivers, and takes the steps of runs."""
    return any(process.kind in DELIVERERS for process in processes())
