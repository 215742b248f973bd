"""Turns off endpoints that only fail, tries them now and then, and turns on those that answer again.

Nothing is lost meanwhile: the deliveries of an endpoint that is off are held. How long one has failed
is kept by its lane; whoever settles a success there ends it.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from deliveries.models import Attempt, Endpoint, Job, Lane
from deliveries.models.endpoints import DisabledFor
from deliveries.queue import lanes
from hookline.database import now, write
from tenants import audit

logger = logging.getLogger(__name__)

FIRST_PROBE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
REASON = (
    "Every attempt since {:%Y-%m-%d %H:%M} UTC failed. HookLine tries one held delivery now and then, "
    "and enables the endpoint when that succeeds."
)


def tend() -> int:
    """What is due of all three; returns how many endpoints were turned off, tried, or turned on."""
    done = (*map(_disable, _failed_for_long()), *map(_probe, _to_probe()), *map(_recover, _answered()))
    return sum(done)


def patience() -> timedelta | None:
    """How long an endpoint may fail; None if for ever."""
    return timedelta(seconds=settings.HL_DISABLE_AFTER_SECS) or None


def failing(since: datetime) -> "QuerySet[Lane]":
    """The lanes of enabled endpoints that have failed since then, or for longer."""
    is_enabled = Exists(Endpoint.objects.filter(id=OuterRef("endpoint_id"), is_enabled=True))
    return Lane.objects.filter(is_enabled, failing_since__lte=since).order_by("failing_since")


def _failed_for_long() -> list[Lane]:
    longest = patience()
    return [lane for lane in failing(now() - longest) if _still_fails(lane, longest)] if longest else []


def _still_fails(lane: Lane, longest: timedelta) -> bool:
    """Whether it was tried in the second half of the time, too: a single failure days ago, after
    which nothing was published, says little."""
    assert lane.failing_since
    attempts = Attempt.objects.filter(endpoint_id=lane.endpoint_id).order_by("-id")
    latest = attempts.values_list("started_at", flat=True).first()
    return latest is not None and latest >= lane.failing_since + longest / 2


def _disable(lane: Lane) -> bool:
    with write():
        endpoint = _locked(lane.endpoint_id)
        since = Lane.objects.filter(endpoint_id=lane.endpoint_id).values_list("failing_since", flat=True)
        if endpoint is None or not endpoint.is_enabled or since.first() != lane.failing_since:
            return False
        assert lane.failing_since
        moment = now()
        endpoint.disable(REASON.format(lane.failing_since), moment, DisabledFor.FAILURES)
        endpoint.failing_since, endpoint.probe_at = lane.failing_since, moment + FIRST_PROBE
        endpoint.updated_at = moment
        endpoint.save()
        told = {"reason": endpoint.disabled_reason}
        audit.record(endpoint.tenant_id, audit.OURSELVES, "endpoint.disabled", endpoint.id, **told)
    logger.warning("Endpoint %s is disabled: it failed for too long", endpoint.id, extra=_place(endpoint))
    return True


def _to_probe() -> "QuerySet[Endpoint]":
    """Those with a job to try them with. The others wait until they have one."""
    moment = now()
    due = Job.objects.filter(
        tenant_id=OuterRef("tenant_id"), endpoint_id=OuterRef("id"), status=Job.Status.PENDING,
        next_attempt_at__lte=moment,
    )  # fmt: skip
    return Endpoint.objects.filter(Exists(due), disabled_for=DisabledFor.FAILURES, probe_at__lte=moment)


def _probe(endpoint: Endpoint) -> bool:
    """One job is let through, as a normal attempt. The pauses in between double."""
    moment = now()
    assert endpoint.disabled_at
    pause = min(max(moment - endpoint.disabled_at, FIRST_PROBE), LONGEST_PAUSE)
    with write():
        mine = Endpoint.objects.filter(id=endpoint.id, probe_at=endpoint.probe_at)
        if not mine.update(probe_at=moment + pause):
            return False  # somebody else was faster
        lanes.probe(endpoint.id)
    return True


def _answered() -> "QuerySet[Endpoint]":
    success = Lane.objects.filter(endpoint_id=OuterRef("id"), failing_since=None)
    return Endpoint.objects.filter(Exists(success), disabled_for=DisabledFor.FAILURES)


def _recover(answered: Endpoint) -> bool:
    with write():
        endpoint = _locked(answered.id)
        if endpoint is None or endpoint.disabled_for != DisabledFor.FAILURES:
            return False
        endpoint.enable()
        endpoint.updated_at = now()
        endpoint.save()
        lanes.start_slowly(endpoint.id)
        audit.record(endpoint.tenant_id, audit.OURSELVES, "endpoint.recovered", endpoint.id)
    logger.info("Endpoint %s answered and is enabled again", endpoint.id, extra=_place(endpoint))
    return True


def _locked(endpoint_id: UUID) -> Endpoint | None:
    return Endpoint.objects.select_for_update().filter(id=endpoint_id).first()


def _place(endpoint: Endpoint) -> dict[str, str]:
    return {"tenant_id": endpoint.tenant_id, "endpoint_id": str(endpoint.id)}
