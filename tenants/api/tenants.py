"""/v1/tenants: the customers of the installation, for its administrators."""

from datetime import timedelta
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import purge, stats
from hookline.api import Resource
from hookline.errors import BadRequest, Conflict, Invalid, NotFound
from hookline.ids import parse_uuid, uuid7
from hookline.times import milliseconds
from tenants import documents, keys, lifecycle, names
from tenants.api import schema
from tenants.api.keys import issued, listed, revoked
from tenants.models import ApiKey, Tenant

IDEMPOTENCY_LENGTH = 255
DEFAULT_OVERLAP_SECONDS = 3600
LONGEST_OVERLAP_SECONDS = 30 * 86_400


@schema.tenants
class Tenants(Resource):
    def get(self, request: Request) -> Response:
        active = Tenant.objects.filter(status=Tenant.Status.ACTIVE).order_by("created_at", "id")
        items = [documents.of_tenant(tenant) for tenant in active]
        return Response({"tenants": items, "items": items, "total": len(items), "count": len(items)})

    def post(self, request: Request) -> Response:
        key = _idempotency_key(request)
        if key and (earlier := lifecycle.created_with(key)):
            return Response(documents.of_tenant(earlier))
        try:
            tenant, token = self._create(key)
        except Conflict:
            if key and (earlier := lifecycle.created_with(key)):  # by the same request, sent twice at once
                return Response(documents.of_tenant(earlier))
            raise
        return Response(documents.of_tenant(tenant) | {"api_key": token}, status=201)

    def _create(self, key: str | None) -> tuple[Tenant, str]:
        document = self.optional_document()
        return lifecycle.create(_id(document), _name(document), key, self.tenant_id, self.caller.actor)


@schema.tenant
class TenantDetail(Resource):
    def get(self, request: Request, tenant_id: str) -> Response:
        return Response(documents.of_tenant(lifecycle.find(tenant_id)))

    def patch(self, request: Request, tenant_id: str) -> Response:
        tenant = lifecycle.active(tenant_id)
        if values := _changes(self.document()):
            lifecycle.change(tenant, values, self.caller.actor)
        return Response(documents.of_tenant(tenant))

    def delete(self, request: Request, tenant_id: str) -> Response:
        purge.delete_tenant(lifecycle.find(tenant_id), self.caller.actor)
        return Response(status=204)


@schema.tenant_stats
class TenantStats(Resource):
    def get(self, request: Request, tenant_id: str) -> Response:
        tenant = lifecycle.active(tenant_id)
        counts = stats.of_tenant(tenant.id) | {"api_keys": len(listed(tenant.id))}
        return Response({"tenant_id": tenant.id} | counts)


@schema.tenant_keys
class TenantKeys(Resource):
    def get(self, request: Request, tenant_id: str) -> Response:
        tenant = lifecycle.active(tenant_id)
        return Response({"items": listed(tenant.id), "tenant_id": tenant.id})

    def post(self, request: Request, tenant_id: str) -> Response:
        tenant = lifecycle.active(tenant_id)
        return issued(tenant.id, self.optional_document(), self.tenant_id, self.caller.actor)

    def delete(self, request: Request, tenant_id: str) -> Response:
        raise Invalid("key_id required")


@schema.tenant_key
class TenantKeyDetail(Resource):
    def delete(self, request: Request, tenant_id: str, key_id: str) -> Response:
        return revoked(key_id, lifecycle.active(tenant_id).id, self.caller.actor)


@schema.key_rotation
class KeyRotation(Resource):
    def post(self, request: Request, tenant_id: str) -> Response:
        tenant, document = lifecycle.active(tenant_id), self.optional_document()
        if not document.get("key_id"):
            raise BadRequest("key_id is required")
        overlap = _overlap(document.get("overlap_seconds"))
        usable = ApiKey.objects.usable().filter(tenant_id=tenant.id)
        old = usable.filter(id=parse_uuid(str(document["key_id"]))).first()
        if old is None:
            raise NotFound("Key not found")
        new, token = keys.rotate(old, overlap, self.caller.actor)
        assert old.expires_at
        return Response(
            {
                "key_id": new.id,
                "token": token,
                "old_key_id": old.id,
                "old_key_expires_at": milliseconds(old.expires_at) // 1000,
            }
        )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > IDEMPOTENCY_LENGTH:
        raise Invalid(f"Invalid header 'Idempotency-Key': must not be longer than {IDEMPOTENCY_LENGTH}")
    return key or None


def _id(document: dict[str, Any]) -> str:
    given = document.get("id")
    return str(uuid7()) if given in (None, "") else names.tenant_id(given)


def _name(document: dict[str, Any]) -> str:
    given = document.get("name")
    return (names.printable(given) if isinstance(given, str) else "") or "unnamed"


def _changes(document: dict[str, Any]) -> dict[str, Any]:
    """What a request asks to be changed; a name that is no use is taken for absent."""
    values: dict[str, Any] = {}
    if isinstance(name := document.get("name"), str) and (printable := names.printable(name)):
        values["name"] = printable
    if "max_queue_depth" in document:
        values["max_queue_depth"] = names.queue_depth(document["max_queue_depth"])
    return values


def _overlap(seconds: Any) -> timedelta:
    if seconds is None:
        seconds = DEFAULT_OVERLAP_SECONDS
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 <= seconds <= LONGEST_OVERLAP_SECONDS:
        raise Invalid(f"Invalid field 'overlap_seconds': must be 0 to {LONGEST_OVERLAP_SECONDS}")
    return timedelta(seconds=seconds)
