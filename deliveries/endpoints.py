"""What can be done with an endpoint and its subscriptions. The API and the console press these buttons."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from deliveries import routing
from deliveries.documents import Fields, encode
from deliveries.models import Endpoint, Subscription
from deliveries.queue import lanes
from deliveries.queue.hasten import hasten
from deliveries.sending import signatures
from hookline import jsontext
from hookline.database import now, write
from hookline.errors import Conflict, NotFound
from hookline.ids import uuid7
from tenants import audit

COLUMNS = {"enabled": "is_enabled"}


def create(
    tenant_id: str, values: Mapping[str, Any], unknown: Fields, by: str, id: UUID | None = None
) -> Endpoint:
    """A new endpoint with its lane. `unknown` fields are kept to be echoed."""
    endpoint = drafted(tenant_id, values, unknown, by, id or uuid7())
    with write():
        endpoint.save(force_insert=True)
        lanes.open_lanes([endpoint])
        audit.record(tenant_id, by, "endpoint.created", endpoint.id, url=_place(endpoint))
    return endpoint


def drafted(tenant_id: str, values: Mapping[str, Any], unknown: Fields, by: str, id: UUID) -> Endpoint:
    """An endpoint that is not stored yet."""
    endpoint = Endpoint(id=id, tenant_id=tenant_id, extra=encode(unknown).decode() if unknown else None)
    _assign(endpoint, values, by)
    return endpoint


def change(endpoint_id: UUID, values: Mapping[str, Any], unknown: Fields, by: str) -> Endpoint:
    """Changes what is named, for the next delivery on, also of jobs that wait already."""
    with write():
        endpoint = _locked(endpoint_id)
        old_url, was_enabled = endpoint.url, endpoint.is_enabled
        _assign(endpoint, values, by)
        if unknown:
            known = jsontext.fields((endpoint.extra or "{}").encode())
            endpoint.extra = encode(known | unknown).decode()
        endpoint.updated_at = now()
        endpoint.save()
        if endpoint.is_enabled and (endpoint.url != old_url or not was_enabled):
            lanes.forget_failures(endpoint.id)
        lanes.wake(endpoint.id)
        audit.record(endpoint.tenant_id, by, "endpoint.updated", endpoint.id, fields=sorted(values))
    return endpoint


def delete(endpoint: Endpoint, by: str) -> None:
    """Deletes an endpoint and its subscriptions. Jobs that still wait for it, also for a later
    attempt, are dead-lettered by the next claim, which finds their lane without an endpoint."""
    with write():
        _locked(endpoint.id)
        Endpoint.objects.filter(id=endpoint.id).delete()
        hasten(endpoint.tenant_id, endpoint.id)
        lanes.wake(endpoint.id)
        routing.changed(endpoint.tenant_id)
        audit.record(endpoint.tenant_id, by, "endpoint.deleted", endpoint.id, url=_place(endpoint))


def rotate_secret(endpoint_id: UUID, overlap: timedelta, by: str, seen: Endpoint | None = None) -> str:
    """A new secret, returned this once. The old one signs beside it until the overlap ends. Raises
    Conflict if the endpoint was changed since it was `seen`: a second new secret would end the old one."""
    secret = signatures.new_secret()
    with write():
        endpoint = _locked(endpoint_id)
        if seen and endpoint.updated_at != seen.updated_at:
            raise Conflict("The endpoint was changed this moment. Look at it again.")
        endpoint.rotate_secret(secret, now() + overlap)
        endpoint.updated_at = now()
        endpoint.save()
        seconds = round(overlap.total_seconds())
        audit.record(endpoint.tenant_id, by, "endpoint.secret_rotated", endpoint.id, overlap_seconds=seconds)
    return secret


def subscribe(endpoint: Endpoint, values: Mapping[str, Any], unknown: Fields, by: str) -> Subscription:
    """A new subscription, which the next publish matches. Rules are kept as JSON text."""
    subscription = Subscription(
        tenant_id=endpoint.tenant_id,
        endpoint=endpoint,
        extra=encode(unknown).decode() if unknown else None,
        **values,
    )
    with write():
        _locked(endpoint.id)
        subscription.save(force_insert=True)
        routing.changed(endpoint.tenant_id)
        pattern = subscription.topic_pattern
        audit.record(endpoint.tenant_id, by, "subscription.created", subscription.id, topic_pattern=pattern)
    return subscription


def unsubscribe(subscription: Subscription, by: str) -> None:
    """Ends a subscription. Jobs it made already are still delivered, with its transform."""
    with write():
        Subscription.objects.filter(id=subscription.id).update(deleted_at=now())
        routing.changed(subscription.tenant_id)
        audit.record(subscription.tenant_id, by, "subscription.deleted", subscription.id)


def _locked(endpoint_id: UUID) -> Endpoint:
    """The endpoint, which nobody else changes or deletes before the transaction ends. Raises
    NotFound if somebody just did."""
    endpoint = Endpoint.objects.select_for_update().filter(id=endpoint_id).first()
    if endpoint is None:
        raise NotFound("Endpoint not found")
    return endpoint


def _assign(endpoint: Endpoint, values: Mapping[str, Any], by: str) -> None:
    was_enabled = endpoint.is_enabled
    for name, value in values.items():
        setattr(endpoint, COLUMNS.get(name, name), value)
    if "secret" in values:
        endpoint.forget_old_secret()
    if endpoint.is_enabled:
        endpoint.enable()
    elif was_enabled or set(values) == {"enabled"}:  # not a document that was read and is sent back
        endpoint.disable(f"Disabled by {by}.", now())


def _place(endpoint: Endpoint) -> str:
    """The URL as the audit log keeps it, for ever: without the query, where people put tokens."""
    return endpoint.url.partition("?")[0]
