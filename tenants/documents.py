"""What programs are told of tenants and keys, by the API and by commands alike."""

from typing import Any

from hookline.times import milliseconds
from tenants.models import ApiKey, Tenant


def of_tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "tenant_id": tenant.id,
        "name": tenant.name,
        "status": tenant.status,
        "max_queue_depth": tenant.max_queue_depth,
        "created_at": milliseconds(tenant.created_at),
    }


def of_key(key: ApiKey) -> dict[str, Any]:
    """Without its token, which nothing tells."""
    return {
        "id": key.id,
        "key_id": key.id,
        "tenant_id": key.tenant_id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "created_by": key.created_by,
        "created_at": milliseconds(key.created_at),
        "expires_at": key.expires_at and milliseconds(key.expires_at),
    }
