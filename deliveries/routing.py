"""Which subscriptions an event matches.

Each process keeps a copy of a tenant's subscriptions for as long as the tenant's
`routes_version` stays the same, which every request reads anyway to know who is asking.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.db.models import F

from deliveries.models import Subscription
from deliveries.rules import filters, topics
from deliveries.rules.values import Document
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Route:
    subscription_id: UUID
    endpoint_id: UUID
    pattern: str
    filter: str | None


class Routes:
    """The active subscriptions of one tenant, those with an exact topic found by its name."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.exact: defaultdict[str, list[Route]] = defaultdict(list)
        self.patterns: list[Route] = []
        for route in routes:
            of_its_kind = self.exact[route.pattern] if topics.is_exact(route.pattern) else self.patterns
            of_its_kind.append(route)

    def match(self, topic: str, document: Document) -> list[Route]:
        return [route for route in self.on(topic) if filters.passes(route.filter, document)]

    def on(self, topic: str) -> Iterator[Route]:
        """By the topic alone, whatever their filters say."""
        yield from self.exact.get(topic, ())
        yield from (route for route in self.patterns if topics.matches(route.pattern, topic))


@lru_cache(maxsize=5000)
def routes_of(tenant_id: str, version: int) -> Routes:
    """The tenant's routes as they were at this version, or newer."""
    return read(tenant_id)


def read(tenant_id: str) -> Routes:
    active = Subscription.objects.active().filter(tenant_id=tenant_id).order_by("id")
    return Routes(Route(*row) for row in active.values_list("id", "endpoint_id", "topic_pattern", "filter"))


def changed(tenant_id: str) -> None:
    """To be called in every transaction that changes a tenant's subscriptions."""
    Tenant.objects.filter(id=tenant_id).update(routes_version=F("routes_version") + 1)
