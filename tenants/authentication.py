"""Who is asking: the tenant and scopes behind an API key."""

import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hookline.database import from_text, now, retried, rows, write
from hookline.errors import InsufficientScope, Unauthorized
from tenants import scopes
from tenants.models import ApiKey

BEARER = "Bearer "
TOUCH_SECONDS = 60.0

STORED_KEY = """
SELECT k.id, k.tenant_id, k.scopes, k.expires_at, t.routes_version, t.max_queue_depth
FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
WHERE k.digest = %s AND k.revoked_at IS NULL AND t.status = 'active'
"""

OWN_TENANT = "SELECT routes_version, max_queue_depth FROM tenants WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's tenant and rights. `key_id` is None for the keys of the environment, which
    belong to whoever runs the installation."""

    tenant_id: str
    scopes: tuple[str, ...]
    key_id: UUID | None
    routes_version: int
    # Of the tenant's own, where it has one.
    max_queue_depth: int | None = None

    is_authenticated = True

    @property
    def is_operator(self) -> bool:
        return self.key_id is None

    @property
    def actor(self) -> str:
        """How the audit log names the caller."""
        return f"key {self.key_id}" if self.key_id else "installation key"

    def may(self, scope: str, *, installation_wide: bool = False) -> bool:
        star_is_admin = self.is_operator or not installation_wide
        return scopes.is_granted(scope, self.scopes, star_is_admin=star_is_admin)


class KeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Caller, Caller]:
        caller = caller_of(_token(request))
        if caller is None:
            raise Unauthorized
        return caller, caller


class HasScope(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        scope = scopes.required(request.path, request.method or "")
        wide = request.path.startswith(scopes.INSTALLATION_WIDE)
        caller: Caller = request.auth  # type: ignore[assignment]
        if scope and not caller.may(scope, installation_wide=wide):
            raise InsufficientScope(scope)
        return True


def caller_of(token: str) -> Caller | None:
    """The caller behind a token; None if it is unknown, revoked or expired."""
    for key, granted in ((settings.HL_ADMIN_KEY, ("admin", "*")), (settings.HL_API_KEY, ("*",))):
        if key and hmac.compare_digest(token.encode(), key.encode()):
            return Caller(settings.HL_TENANT_ID, granted, None, *_of_the_installation())
    return _stored(token) if token else None


def _token(request: Request) -> str:
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    if header.startswith(BEARER):
        return header.removeprefix(BEARER)
    return request.GET.get("token", "")


def _stored(token: str) -> Caller | None:
    found = retried(lambda: rows(STORED_KEY, [ApiKey.digest_of(token)]))
    for row_id, tenant_id, granted, expires_at, version, depth in found:
        expiry = from_text(expires_at)
        if expiry is None or expiry > datetime.now(UTC):
            key_id = UUID(str(row_id))
            names = granted if isinstance(granted, list) else json.loads(granted)
            _touch(key_id)
            return Caller(tenant_id, tuple(names), key_id, version, depth)
    return None


def _touch(key_id: UUID) -> None:
    """Notes that a key is in use, at most once a minute for each process."""
    moment = time.monotonic()
    if moment - _touched.get(key_id, -TOUCH_SECONDS) >= TOUCH_SECONDS:
        _touched[key_id] = moment
        with write(durable=False):
            ApiKey.objects.filter(id=key_id).update(last_used_at=now())


_touched: dict[UUID, float] = {}


def _of_the_installation() -> tuple[int, int | None]:
    """What a caller needs to know of the tenant of the environment's keys."""
    [found] = retried(lambda: rows(OWN_TENANT, [settings.HL_TENANT_ID])) or [(0, None)]
    return found[0], found[1]
