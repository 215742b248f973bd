"""How a tenant begins and changes. How it ends is told in deliveries.purge, where its data is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError

from hookline.database import now, write
from hookline.errors import Conflict, NotFound
from tenants import audit, keys
from tenants.models import Tenant

IDEMPOTENCY_LIVES = timedelta(hours=24)


def create(
    tenant_id: str, name: str, created_with: str | None, created_by: str, by: str
) -> tuple[Tenant, str]:
    """A new tenant, or a deleted one's id used again, and the token of its first key. Raises
    Conflict if the id is in use, also by data of a deleted tenant that is still being removed."""
    try:
        with write():
            Tenant.objects.filter(created_with=created_with).update(created_with=None)
            tenant = Tenant(id=tenant_id, name=name, created_with=created_with)
            _save(tenant)
            audit.record(tenant_id, by, "tenant.created", tenant_id, name=name)
            token = keys.issue(tenant_id, "default", ["*"], created_by, by)[1]
    except IntegrityError:  # made by somebody else at the same moment
        raise Conflict("Tenant already exists") from None
    return tenant, token


def change(tenant: Tenant, values: Mapping[str, Any], by: str) -> None:
    """Changes what is named, for the next request on."""
    with write():
        for name, value in values.items():
            setattr(tenant, name, value)
        tenant.save(update_fields=list(values))
        audit.record(tenant.id, by, "tenant.updated", tenant.id, **values)


def created_with(key: str) -> Tenant | None:
    """The tenant that a request with this Idempotency-Key made in the last 24 hours."""
    recent = Tenant.objects.filter(created_at__gt=now() - IDEMPOTENCY_LIVES)
    return recent.filter(created_with=key).first()


def find(tenant_id: str) -> Tenant:
    """A tenant, also a deleted one. Raises NotFound."""
    tenant = Tenant.objects.filter(id=tenant_id).first()
    if tenant is None:
        raise NotFound("Tenant not found")
    return tenant


def active(tenant_id: str) -> Tenant:
    tenant = find(tenant_id)
    if tenant.status != Tenant.Status.ACTIVE:
        raise NotFound("Tenant not found")
    return tenant


def _save(tenant: Tenant) -> None:
    earlier = Tenant.objects.select_for_update().filter(id=tenant.id).first()
    if earlier is None:
        tenant.save(force_insert=True)
        return
    if earlier.status == Tenant.Status.ACTIVE or earlier.purged_at is None:
        raise Conflict("Tenant already exists")
    tenant.routes_version = earlier.routes_version + 1
    tenant.save(force_update=True)
