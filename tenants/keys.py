"""API keys: issued once shown, revoked at once, rotated with an overlap."""

from datetime import datetime, timedelta
from uuid import UUID

from hookline.database import now, write
from hookline.errors import Conflict, NotFound
from hookline.ids import uuid7
from tenants import audit
from tenants.models import TOKEN_PREFIX, ApiKey

SHOWN = len(TOKEN_PREFIX) + 6


def issue(
    tenant_id: str,
    name: str,
    scopes: list[str],
    created_by: str,
    by: str,
    expires_at: datetime | None = None,
    key_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its token, which nothing shows again. Raises Conflict if there is such an id."""
    token = ApiKey.new_token()
    with write():
        if key_id and ApiKey.objects.filter(id=key_id).exists():
            raise Conflict("This key was issued already, and its token was shown then")
        key = ApiKey.objects.create(
            id=key_id or uuid7(),
            tenant_id=tenant_id,
            name=name,
            prefix=token[:SHOWN],
            digest=ApiKey.digest_of(token),
            scopes=scopes,
            created_by=created_by,
            expires_at=expires_at,
        )
        end = {"expires_at": expires_at.isoformat()} if expires_at else {}
        audit.record(tenant_id, by, "apikey.created", key.id, name=name, scopes=scopes, **end)
    return key, token


def revoke(key: ApiKey, by: str) -> None:
    """Ends a key at once. Raises NotFound if it has ended."""
    with write():
        if not ApiKey.objects.usable().filter(id=key.id).update(revoked_at=now()):
            raise NotFound("Key not found")
        audit.record(key.tenant_id, by, "apikey.revoked", key.id, name=key.name)


def rotate(key: ApiKey, overlap: timedelta, by: str, key_id: UUID | None = None) -> tuple[ApiKey, str]:
    """A key with the same rights and its token; the old one works until the overlap ends, or as
    long as an earlier rotation left it. Raises NotFound if it has ended."""
    with write():
        usable = ApiKey.objects.usable().filter(id=key.id).select_for_update().first()
        if usable is None:
            raise NotFound("Key not found")
        end = now() + overlap
        key.expires_at = min(end, usable.expires_at or end)
        key.save(update_fields=["expires_at"])
        new, token = issue(key.tenant_id, "rotated", key.scopes, "rotation", by, key_id=key_id)
        seconds = round(overlap.total_seconds())
        audit.record(key.tenant_id, by, "apikey.rotated", key.id, new=str(new.id), overlap_seconds=seconds)
    return new, token
