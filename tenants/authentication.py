"""Who is asking: the tenant and scopes behind an API key."""

import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hookline.database import Row, from_text, now, retried, rows_among, write
from hookline.errors import InsufficientScope, Unauthorized
from hookline.together import Together
from tenants import scopes
from tenants.models import ApiKey

BEARER = "Bearer "
TOUCH_SECONDS = 60.0

STORED_KEYS = """
SELECT k.digest, k.id, k.tenant_id, k.scopes, k.expires_at, t.routes_version, t.max_queue_depth
FROM api_keys k JOIN tenants t ON t.id = k.tenant_id
WHERE k.digest {among} AND k.revoked_at IS NULL AND t.status = 'active'
"""
TENANTS = "SELECT id, routes_version, max_queue_depth FROM tenants WHERE id {among}"
MOST_TOGETHER = 100


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
    found = _stored_keys.do(ApiKey.digest_of(token))
    if found is None:
        return None
    row_id, tenant_id, granted, expires_at, version, depth = found
    expiry = from_text(expires_at)
    if expiry is not None and expiry <= datetime.now(UTC):
        return None
    key_id = UUID(str(row_id))
    names = granted if isinstance(granted, list) else json.loads(granted)
    _touch(key_id)
    return Caller(tenant_id, tuple(names), key_id, version, depth)


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
    found = _tenants.do(settings.HL_TENANT_ID) or (0, None)
    return found[0], found[1]


def _lookup(sql: str) -> "Together[Any, Row | None]":
    """Finds a row by its first column, in one query for all requests that ask at the same time. Each is
    asked about after its request came, so that a key stops at once when it is revoked."""

    def find(wanted: Sequence[Any]) -> list[Row | None]:
        found = {row[0]: row[1:] for row in retried(lambda: rows_among(sql, wanted))}
        return [found.get(key) for key in wanted]

    return Together(find, MOST_TOGETHER)


_stored_keys = _lookup(STORED_KEYS)
_tenants = _lookup(TENANTS)
