"""How the line is doing at this moment, of all tenants or one. Counts go no further than anybody reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from deliveries import pausing, stats
from deliveries.models import Bell, DeadLetter, Endpoint, Job, Lane
from hookline.models import Process

MOST_WAITING = 100_000
MOST_LETTERS = 10_000
MOST_BELLS = 10_000
AT_WORK = (Lane.State.READY, Lane.State.FRESH, Lane.State.FULL, Lane.State.LIMITED)


@dataclass(frozen=True, slots=True)
class Pulse:
    """`waiting` and `letters` are counted up to MOST_WAITING and MOST_LETTERS."""

    waiting: int
    oldest_due: datetime | None
    letters: int
    failing: int
    disabled: int
    processes: list[Process]
    is_paused: bool

    @property
    def workers(self) -> int:
        return sum(process.delivers for process in self.processes)


def take(tenant_id: str, moment: datetime) -> Pulse:
    """Of the tenant, or of all if there is none."""
    mine: dict[str, Any] = {"tenant_id": tenant_id} if tenant_id else {}
    pending = Job.objects.filter(**mine, status=Job.Status.PENDING)
    lanes = Lane.objects.filter(**mine)
    return Pulse(
        waiting=pending.order_by()[:MOST_WAITING].count(),
        oldest_due=_oldest_due(lanes, moment),
        letters=DeadLetter.objects.filter(**mine).order_by()[:MOST_LETTERS].count(),
        failing=lanes.filter(failing_since__isnull=False).exclude(state=Lane.State.OFF).count(),
        disabled=Endpoint.objects.filter(**mine, is_enabled=False).count(),
        processes=stats.processes(),
        is_paused=pausing.is_paused(),
    )


def _oldest_due(lanes: "QuerySet[Lane]", moment: datetime) -> datetime | None:
    """Since when the first job has been due that a worker should have taken. The first of each lane is
    the beginning of an index; jobs of endpoints that are off are held, not late."""
    rung = Bell.objects.order_by("id").values("endpoint_id")[:MOST_BELLS]
    is_late = Q(state=Lane.State.WAITING, wake_at__lte=moment)
    is_new = Q(state=Lane.State.IDLE, endpoint_id__in=rung)
    here = {"tenant_id": OuterRef("tenant_id"), "endpoint_id": OuterRef("endpoint_id")}
    waiting = Job.objects.filter(**here, status=Job.Status.PENDING).order_by("next_attempt_at")
    first = lanes.annotate(due=Subquery(waiting.values("next_attempt_at")[:1]))
    late = first.filter(Q(state__in=AT_WORK) | is_late | is_new, due__lte=moment).order_by("due")
    return late.values_list("due", flat=True).first()
