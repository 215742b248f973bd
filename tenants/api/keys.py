"""/v1/apikeys: the keys of the caller's own tenant; and what all key routes share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from hookline.api import Resource
from hookline.database import now
from hookline.errors import Forbidden, InsufficientScope, Invalid, NotFound
from hookline.ids import parse_uuid
from hookline.times import EPOCH, MILLISECOND, milliseconds
from tenants import documents, keys, lifecycle, names, scopes
from tenants.api import schema
from tenants.models import ApiKey

# The year 9999, in which calendars end.
LATEST_MS = 253_402_300_799_999
NOTE = "Store this key now; it is not shown again."


@schema.api_keys
class ApiKeys(Resource):
    def get(self, request: Request) -> Response:
        return Response({"items": listed(self.named_tenant(request.GET))})

    def post(self, request: Request) -> Response:
        document = self.optional_document()
        tenant_id = self.named_tenant(document)
        if scopes.is_granted("admin", scopes_of(document), star_is_admin=False):
            self.require_admin()
        return issued(tenant_id, document, "self", self.caller.actor)

    def delete(self, request: Request) -> Response:
        raise Invalid("key_id required")

    def require_admin(self) -> None:
        """A key that reaches one tenant may not make one that reaches them all."""
        if not self.caller.may("admin", installation_wide=True):
            raise InsufficientScope("admin")

    def named_tenant(self, given: Mapping[str, Any]) -> str:
        """The caller's tenant, or the one that an admin names."""
        named = given.get("tenant_id")
        if isinstance(named, str) and named and self.caller.may("admin", installation_wide=True):
            return lifecycle.active(named).id
        return self.tenant_id


@schema.api_key
class ApiKeyDetail(ApiKeys):
    http_method_names = ["delete"]

    def delete(self, request: Request, key_id: str) -> Response:  # type: ignore[override]
        return revoked(key_id, self.named_tenant(request.GET), self.caller.actor)


def listed(tenant_id: str) -> list[dict[str, Any]]:
    """The keys that work, without their tokens."""
    usable = ApiKey.objects.usable().filter(tenant_id=tenant_id).order_by("id")
    return [documents.of_key(key) for key in usable]


def issued(tenant_id: str, document: Mapping[str, Any], created_by: str, by: str) -> Response:
    """The answer to a request for a key. Fields that are no use are taken for absent."""
    given = (document.get("name"), document.get("label"))
    name = next((text for text in given if isinstance(text, str) and text), "default")
    name = names.printable(name) or "default"
    key, token = keys.issue(tenant_id, name, scopes_of(document), created_by, by, _end(document))
    shown = {"key": token, "token": token, "note": NOTE}
    return Response(documents.of_key(key) | shown, status=201)


def scopes_of(document: Mapping[str, Any]) -> list[str]:
    """The scopes asked for, as they were spelled; all if there is no list of them."""
    given = document.get("scopes")
    spelled = [str(scope) for scope in given] if isinstance(given, list) else ["*"]
    if not all(map(str.isprintable, spelled)):
        raise Invalid("Invalid field 'scopes': must be a list of printable texts")
    return spelled


def _end(document: Mapping[str, Any]) -> datetime | None:
    """When the key is to end by itself. A time that is over makes no sense."""
    given: Any = document.get("expires_at")
    if given is None:
        return None
    is_number = isinstance(given, int) and not isinstance(given, bool)
    if not is_number or not milliseconds(now()) < given <= LATEST_MS:
        raise Invalid("Invalid field 'expires_at': must be a time to come, in milliseconds since 1970")
    end: datetime = EPOCH + MILLISECOND * given
    return end


def revoked(key_id: str, tenant_id: str, by: str) -> Response:
    key = ApiKey.objects.usable().filter(id=parse_uuid(key_id)).first()
    if key is None:
        raise NotFound("Key not found")
    if key.tenant_id != tenant_id:
        raise Forbidden("Key belongs to a different tenant")
    keys.revoke(key, by)
    return Response(status=204)
