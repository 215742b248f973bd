"""/v1/subscriptions: which events an endpoint gets."""

from typing import Any

import msgspec
from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import documents, endpoints
from deliveries.api import schema
from deliveries.api.endpoints import find as find_endpoint
from deliveries.documents import Fields
from deliveries.fields import SubscriptionFields
from deliveries.models import Subscription
from hookline import jsontext
from hookline.api import Resource
from hookline.errors import Invalid, NotFound
from hookline.ids import parse_uuid
from hookline.times import milliseconds
from hookline.wire import json_response

SET_BY_SERVER = {"id", "subscription_id", "tenant_id", "created_at"}


@schema.subscriptions
class Subscriptions(Resource):
    def get(self, request: Request) -> HttpResponse:
        subscriptions = of_tenant(self.tenant_id)
        if endpoint_id := request.GET.get("endpoint_id"):
            subscriptions = subscriptions.filter(endpoint_id=parse_uuid(endpoint_id))
        items = [present(subscription) for subscription in subscriptions]
        return json_response(b'{"items":[%b],"count":%d,"ok":true}' % (b",".join(items), len(items)))

    def post(self, request: Request) -> HttpResponse:
        fields = self.fields()
        values, unknown = read(fields)
        endpoint = find_endpoint(self.tenant_id, values.pop("endpoint_id"))
        subscription = endpoints.subscribe(endpoint, values, unknown, self.caller.actor)
        return json_response(present(subscription), 201)

    def delete(self, request: Request) -> HttpResponse:
        raise Invalid("subscription_id required")


@schema.subscription
class SubscriptionDetail(Resource):
    def get(self, request: Request, subscription_id: str) -> HttpResponse:
        return json_response(present(find(self.tenant_id, subscription_id)))

    def delete(self, request: Request, subscription_id: str) -> Response:
        endpoints.unsubscribe(find(self.tenant_id, subscription_id), self.caller.actor)
        return Response(status=204)


def of_tenant(tenant_id: str) -> QuerySet[Subscription]:
    return Subscription.objects.active().filter(tenant_id=tenant_id).order_by("id")


def find(tenant_id: str, subscription_id: str) -> Subscription:
    subscription = of_tenant(tenant_id).filter(id=parse_uuid(subscription_id)).first()
    if subscription is None:
        raise NotFound("Subscription not found")
    return subscription


def read(fields: Fields) -> tuple[dict[str, Any], Fields]:
    """The columns to store, and the fields to be echoed."""
    known = SubscriptionFields().fields.keys() | SET_BY_SERVER
    unknown = {name: raw for name, raw in fields.items() if name not in known}
    return SubscriptionFields.read_text(fields), unknown


def present(subscription: Subscription) -> bytes:
    document = {
        "id": subscription.id,
        "subscription_id": subscription.id,
        "tenant_id": subscription.tenant_id,
        "endpoint_id": subscription.endpoint_id,
        "topic_pattern": subscription.topic_pattern,
        "created_at": milliseconds(subscription.created_at),
    }
    fields = jsontext.fields(subscription.extra.encode()) if subscription.extra else {}
    fields |= {name: msgspec.json.encode(value) for name, value in document.items()}
    fields |= {
        rule: text.encode()
        for rule in SubscriptionFields.RULES
        if (text := getattr(subscription, rule)) is not None
    }
    if subscription.description:
        fields["description"] = msgspec.json.encode(subscription.description)
    return documents.encode(fields)
