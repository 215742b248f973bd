"""The customers on stage: their tenants, keys, endpoints and subscriptions."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from deliveries import endpoints
from deliveries.models import Endpoint, Lane, Subscription
from deliveries.models.endpoints import DisabledFor
from deliveries.sending import signatures
from hookline.database import now
from hookline.demo import receivers
from hookline.demo.cast import CUSTOMERS, Customer, Receiver
from tenants import lifecycle
from tenants.models import ApiKey, Tenant

BY = "the demo"
# For how long they have been customers.
LONG = timedelta(days=23)
LASTING = ("locked", "hanging")


@dataclass
class Target:
    """An endpoint of a receiver, with what routes events to it."""

    receiver: Receiver
    endpoint: Endpoint
    subscriptions: list[Subscription]


@dataclass
class Player:
    """A customer on stage: its tenant, the token of its key, and its endpoints."""

    customer: Customer
    token: str
    targets: list[Target] = field(default_factory=list)


def make(port: int) -> list[Player]:
    """All of the cast, with their receivers at this port."""
    return [_player(customer, port) for customer in CUSTOMERS]


def _player(customer: Customer, port: int) -> Player:
    token = lifecycle.create(customer.id, customer.name, None, BY, BY)[1]
    player = Player(customer, token)
    began = now() - LONG
    Tenant.objects.filter(id=customer.id).update(created_at=began)
    for receiver in customer.receivers:
        values = {
            "name": receiver.name,
            "description": receiver.description,
            "url": receivers.url(receiver.place, port),
            "secret": signatures.new_secret(),
            **receiver.values,
        }
        endpoint = endpoints.create(customer.id, values, {}, BY)
        player.targets.append(Target(receiver, endpoint, list(_subscribe(endpoint, receiver))))
    for model in (Endpoint, Subscription, ApiKey):
        model.objects.filter(tenant_id=customer.id).update(created_at=began)
    return player


def _subscribe(endpoint: Endpoint, receiver: Receiver) -> Iterator[Subscription]:
    for rule in receiver.rules:
        texts = {"filter": rule.filter, "transform": rule.transform}
        given = {name: json.dumps(text) for name, text in texts.items() if text is not None}
        yield endpoints.subscribe(endpoint, {"topic_pattern": rule.pattern, **given}, {}, BY)


def tell_of_troubles(players: Sequence[Player]) -> None:
    """As the pump would have at the first failure: since when nothing succeeds, and what is gone."""
    for target in [target for player in players for target in player.targets]:
        since = now() - timedelta(seconds=target.receiver.since)
        if target.receiver.fault in LASTING:
            Lane.objects.filter(endpoint_id=target.endpoint.id).update(failing_since=since)
        if target.receiver.fault == "gone":
            endpoints.change(target.endpoint.id, {"enabled": False}, {}, BY)
            Endpoint.objects.filter(id=target.endpoint.id).update(
                disabled_reason="The endpoint answered 410 Gone.",
                disabled_for=DisabledFor.GONE,
                disabled_at=since,
            )
