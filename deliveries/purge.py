"""Deletes a tenant: its keys stop at once, then all it had is removed."""

import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from deliveries import traffic
from deliveries.finished import at_once
from deliveries.models import (
    Attempt,
    DeadLetter,
    Endpoint,
    Event,
    IdempotencyKey,
    Job,
    Lane,
    Replay,
    Run,
)
from deliveries.retention import remove_events
from hookline.database import now, write
from hookline.errors import Conflict
from hookline.pace import gently
from tenants import audit
from tenants.models import Tenant

# How long a request may spend on removing; a chore does the rest.
PATIENCE_SECONDS = 5.0
STRAGGLERS_COME = timedelta(minutes=10)


def delete_tenant(tenant: Tenant, by: str) -> None:
    """Does nothing if it is deleted already. Raises Conflict for the installation's own."""
    if tenant.id == settings.HL_TENANT_ID:
        raise Conflict("This is the installation's own tenant, HL_TENANT_ID; it cannot be deleted")
    if tenant.status != Tenant.Status.ACTIVE:
        return
    with write():
        Run.objects.filter(tenant=tenant).delete()  # before the log, as a step locks them in this order
        audit.record(tenant.id, by, "tenant.deleted", tenant.id)
        tenant.api_keys.all().delete()
        Tenant.objects.filter(id=tenant.id).update(status=Tenant.Status.DELETED, purged_at=None)
    purge(tenant.id, PATIENCE_SECONDS)


def purge(tenant_id: str, seconds: float) -> int:
    """Removes what a deleted tenant had, for about that long; returns how many events went."""
    removed, end = 0, time.monotonic() + seconds
    with write():
        Endpoint.objects.filter(tenant_id=tenant_id).delete()
    while ids := _some_events(tenant_id):
        with gently():
            removed += remove_events(ids, owed_too=True).events
        if time.monotonic() > end:
            return removed
    _purge_rest(tenant_id)
    Tenant.objects.filter(id=tenant_id, status=Tenant.Status.DELETED, purged_at=None).update(purged_at=now())
    return removed


def purge_all() -> int:
    """The chore: goes on where a request stopped, and removes what a publisher committed that
    had shown its key just before."""
    lately = Q(purged_at=None) | Q(purged_at__gt=now() - STRAGGLERS_COME)
    deleted = Tenant.objects.filter(lately, status=Tenant.Status.DELETED)
    return sum(purge(tenant.id, float("inf")) for tenant in deleted)


def _some_events(tenant_id: str) -> list[UUID]:
    events = Event.objects.filter(tenant_id=tenant_id).order_by("id")
    return list(events.values_list("id", flat=True)[: at_once()])


def _purge_rest(tenant_id: str) -> None:
    """Lanes last and in order: settling locks them so, and the orphans among them must still be
    found by claims as long as there are jobs."""
    for model in (Attempt, DeadLetter, Job, IdempotencyKey, Replay):
        model.objects.filter(tenant_id=tenant_id).delete()
    traffic.forget(tenant_id)
    with write():
        lanes = Lane.objects.filter(tenant_id=tenant_id).order_by("endpoint_id").select_for_update()
        Lane.objects.filter(endpoint_id__in=list(lanes.values_list("endpoint_id", flat=True))).delete()
