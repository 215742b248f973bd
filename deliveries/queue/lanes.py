"""Lanes from outside the claim: made with their endpoint, woken by a change, rebuilt when in doubt."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from deliveries import bell
from deliveries.models import Attempt, Bell, Endpoint, Job, Lane
from deliveries.retries import LEASE_LOST
from hookline.database import now, write

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
AT_ONCE = 500
ORPHANS_KEPT = timedelta(days=1)
# No claim writes a time that is further ahead than this, unless the clock was set back since.
FARTHEST_AHEAD = timedelta(minutes=1)

# An endpoint and its tenant.
Place = tuple[UUID, str]


def open_lanes(endpoints: Iterable[Endpoint]) -> None:
    """The lanes of new endpoints, in the transaction that makes those."""
    _open((endpoint.id, endpoint.tenant_id) for endpoint in endpoints)


def _open(places: Iterable[Place]) -> None:
    lanes = [
        Lane(endpoint_id=endpoint_id, tenant_id=tenant_id, served_at=NEVER, refilled_at=NEVER)
        for endpoint_id, tenant_id in places
    ]
    Lane.objects.bulk_create(lanes, batch_size=AT_ONCE, ignore_conflicts=True)


def ring(places: Iterable[Place]) -> None:
    """Says that these endpoints got work, in the transaction that gave it to them. The lane of a
    deleted endpoint may be gone by then, and is needed to find out that the endpoint is."""
    rung = set(places)
    _open(rung)
    Bell.objects.bulk_create([Bell(endpoint_id=endpoint_id) for endpoint_id, _ in rung])
    transaction.on_commit(bell.ring)


def wake(endpoint_id: UUID) -> None:
    """Has a lane looked at again, after a change that may let more of its jobs start.

    No state is excepted: a claim may be parking the lane at this moment, on what it read before.
    """
    Lane.objects.filter(endpoint_id=endpoint_id).update(state=Lane.State.READY, wake_at=None)
    transaction.on_commit(bell.ring)


def forget_failures(endpoint_id: UUID) -> None:
    """For an endpoint that is to have its whole time again."""
    Lane.objects.filter(endpoint_id=endpoint_id).update(failing_since=None)


def probe(endpoint_id: UUID) -> None:
    """Lets the next claim take one job of an endpoint that is off."""
    Lane.objects.filter(endpoint_id=endpoint_id).update(is_probing=True)
    wake(endpoint_id)


def start_slowly(endpoint_id: UUID) -> None:
    """Opens a lane again behind which much may have gathered: one request first, and another one
    for each success."""
    Lane.objects.filter(endpoint_id=endpoint_id).update(ramp=1)
    wake(endpoint_id)


def repair() -> int:
    """Makes every lane agree with the jobs again; returns how many did not.

    Nothing but edits by hand, a restored backup, or a clock set back should make that necessary.
    """
    _open(_without_lane())
    repaired, after = 0, UUID(int=0)
    while True:
        with write():
            following = Lane.objects.filter(endpoint_id__gt=after).order_by("endpoint_id")
            ids = following.select_for_update(no_key=True).values_list("endpoint_id", flat=True)
            locked = list(ids[:AT_ONCE])
            repaired += _repair_locked(locked)
        if len(locked) < AT_ONCE:
            return repaired
        after = locked[-1]


def _without_lane() -> set[Place]:
    """Endpoints without a lane, and deleted ones that jobs still wait for."""
    endpoints = Endpoint.objects.exclude(Exists(Lane.objects.filter(endpoint_id=OuterRef("id"))))
    jobs = Job.objects.exclude(Exists(Lane.objects.filter(endpoint_id=OuterRef("endpoint_id"))))
    waited_for = jobs.filter(status=Job.Status.PENDING).values_list("endpoint_id", "tenant_id").distinct()
    return {*endpoints.values_list("id", "tenant_id"), *waited_for}


def _repair_locked(ids: list[UUID]) -> int:
    """Reads what is so after the locks were taken: only then does it stay so until they are let go."""
    moment, running = now(), _running(ids)
    return sum(_repair(lane, running.get(lane.endpoint_id, 0), moment) for lane in _with_facts(ids))


def _running(ids: list[UUID]) -> dict[UUID, int]:
    running = Job.objects.filter(status=Job.Status.RUNNING, endpoint_id__in=ids).order_by()
    return dict(running.values_list("endpoint_id").annotate(n=Count("*")))


def _with_facts(ids: list[UUID]) -> "QuerySet[Lane]":
    jobs = Job.objects.filter(tenant_id=OuterRef("tenant_id"), endpoint_id=OuterRef("endpoint_id"))
    pending = jobs.filter(status=Job.Status.PENDING).order_by("next_attempt_at")
    endpoint = Endpoint.objects.filter(id=OuterRef("endpoint_id"))
    attempts = Attempt.objects.filter(endpoint_id=OuterRef("endpoint_id")).order_by("-id")
    answered = attempts.exclude(error=LEASE_LOST)  # of those it is not known
    return Lane.objects.filter(endpoint_id__in=ids).annotate(
        due=Subquery(pending.values("next_attempt_at")[:1]),
        is_enabled=Subquery(endpoint.values("is_enabled")),
        latest=Subquery(answered.values("status")[:1]),
    )


def _repair(lane: Lane, running: int, moment: datetime) -> bool:
    """Whether something was amiss. `lane` carries the annotations of `_with_facts`."""
    due, is_enabled = lane.due, lane.is_enabled  # type: ignore[attr-defined]
    is_over = is_enabled is None and not running and due is None and lane.state == Lane.State.IDLE
    if is_over and lane.served_at < moment - ORPHANS_KEPT:
        lane.delete()
        return True
    sleeps = due is not None and _sleeps(lane, running, due, is_enabled, moment)
    is_ahead = lane.refilled_at > moment + FARTHEST_AHEAD
    recovered = lane.failing_since is not None and lane.latest == Attempt.Status.SUCCESS  # type: ignore[attr-defined]
    if lane.in_flight == running and not (sleeps or is_ahead or recovered):
        return False
    lane.in_flight = running
    lane.state = Lane.State.READY if sleeps else lane.state
    lane.refilled_at = moment if is_ahead else lane.refilled_at
    lane.failing_since = None if recovered else lane.failing_since
    lane.save(update_fields=["in_flight", "state", "refilled_at", "failing_since"])
    return True


def _sleeps(lane: Lane, running: int, due: datetime, is_enabled: bool | None, moment: datetime) -> bool:
    """Whether the lane has a job waiting and nothing that would wake it in time."""
    match lane.state:
        case Lane.State.IDLE:
            return True
        case Lane.State.WAITING:
            return lane.wake_at is None or lane.wake_at > due
        case Lane.State.LIMITED:
            return lane.wake_at is None or lane.wake_at > moment + FARTHEST_AHEAD
        case Lane.State.FULL:
            return not running
        case Lane.State.OFF:
            return is_enabled is not False
    return False
