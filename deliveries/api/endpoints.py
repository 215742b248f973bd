"""/v1/endpoints: where deliveries go."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import documents, endpoints, trial
from deliveries.api import schema
from deliveries.documents import Fields
from deliveries.fields import EndpointFields, RotationFields
from deliveries.models import Endpoint
from hookline import jsontext
from hookline.api import Resource
from hookline.errors import Invalid, NotFound
from hookline.ids import parse_uuid
from hookline.times import milliseconds
from hookline.wire import json_response

HIDDEN = "***"
SET_BY_SERVER = {
    "id",
    "endpoint_id",
    "tenant_id",
    "created_at",
    "updated_at",
    "disabled_reason",
    "disabled_at",
    "failing_since",
}


@schema.endpoints
class Endpoints(Resource):
    def get(self, request: Request) -> HttpResponse:
        items = [present(endpoint) for endpoint in of_tenant(self.tenant_id)]
        return json_response(b'{"items":[%b],"count":%d,"ok":true}' % (b",".join(items), len(items)))

    def post(self, request: Request) -> HttpResponse:
        known, unknown = split(self.fields())
        values = EndpointFields.read(known)
        if values["secret"] == HIDDEN:  # anybody could sign with it
            raise Invalid("Invalid field 'secret': *** only stands for a secret; send the secret itself")
        endpoint = endpoints.create(self.tenant_id, values, unknown, self.caller.actor)
        return json_response(present(endpoint), 201)

    def patch(self, request: Request) -> HttpResponse:
        raise Invalid("endpoint id required")

    delete = patch


@schema.endpoint
class EndpointDetail(Resource):
    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        return json_response(present(find(self.tenant_id, endpoint_id)))

    def patch(self, request: Request, endpoint_id: str) -> HttpResponse:
        endpoint = find(self.tenant_id, endpoint_id)
        known, unknown = split(self.fields())
        values = EndpointFields.read(known, only_given=True)
        if values.get("secret") == HIDDEN:  # a document that was read and is sent back
            del values["secret"]
        endpoints.change(endpoint.id, values, unknown, self.caller.actor)
        return json_response(present(find(self.tenant_id, endpoint_id)))

    def delete(self, request: Request, endpoint_id: str) -> Response:
        endpoints.delete(find(self.tenant_id, endpoint_id), self.caller.actor)
        return Response(status=204)


@schema.secret_rotation
class SecretRotation(Resource):
    """Makes a new `whsec_` secret and shows it once."""

    def post(self, request: Request, endpoint_id: str) -> Response:
        endpoint = find(self.tenant_id, endpoint_id)
        seconds = RotationFields.read(self.optional_document())["overlap_seconds"]
        secret = endpoints.rotate_secret(endpoint.id, timedelta(seconds=seconds), self.caller.actor)
        return Response({"id": str(endpoint.id), "secret": secret, "overlap_seconds": seconds})


@schema.endpoint_test
class EndpointTest(Resource):
    """Sends the endpoint an event of ours."""

    def post(self, request: Request, endpoint_id: str) -> Response:
        sent = trial.send_test(find(self.tenant_id, endpoint_id), self.caller.actor)
        return Response({"event_id": sent.event_id, "job_id": sent.job_id}, 201)


def of_tenant(tenant_id: str) -> QuerySet[Endpoint]:
    return Endpoint.objects.with_health().filter(tenant_id=tenant_id).order_by("id")


def find(tenant_id: str, endpoint_id: str) -> Endpoint:
    endpoint = of_tenant(tenant_id).filter(id=parse_uuid(endpoint_id)).first()
    if endpoint is None:
        raise NotFound("Endpoint not found")
    return endpoint


def split(fields: Fields) -> tuple[dict[str, Any], Fields]:
    """The fields that we know, parsed, and those to be echoed, as text."""
    names = EndpointFields().fields.keys()
    known = {name: jsontext.parse(raw) for name, raw in fields.items() if name in names}
    unknown = {name: raw for name, raw in fields.items() if name not in names | SET_BY_SERVER}
    return known, unknown


def present(endpoint: Endpoint) -> bytes:
    """The endpoint's document. Its secret is only ever written."""
    document: dict[str, Any] = {
        "id": endpoint.id,
        "endpoint_id": endpoint.id,
        "tenant_id": endpoint.tenant_id,
        "url": endpoint.url,
        "enabled": endpoint.is_enabled,
        "timeout_ms": endpoint.timeout_ms,
        "max_in_flight": endpoint.max_in_flight,
        "rate_limit_rps": endpoint.rate_limit_rps,
        "headers": endpoint.headers,
        "payload_format": endpoint.payload_format,
        "created_at": milliseconds(endpoint.created_at),
    }
    optional = {
        "name": endpoint.name,
        "description": endpoint.description,
        "secret": HIDDEN if endpoint.secret_box else "",
        "max_retries": endpoint.max_retries,
        "retry_schedule": endpoint.retry_schedule,
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": _milliseconds(endpoint.disabled_at),
        "failing_since": _milliseconds(getattr(endpoint, "lane_fails_since", None)),
        "updated_at": _milliseconds(endpoint.updated_at),
    }
    document |= {name: value for name, value in optional.items() if value}
    extra = jsontext.fields(endpoint.extra.encode()) if endpoint.extra else {}
    return documents.encode(extra | {name: msgspec.json.encode(value) for name, value in document.items()})


def _milliseconds(moment: datetime | None) -> int | None:
    return milliseconds(moment) if moment else None
