"""Lets go of the series in /metrics of endpoints and tenants that are no longer there.

A series that ends is nothing that Prometheus minds, and their room is for others. What still exists is
never touched: counters do not fall.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from deliveries.models import Endpoint, Lane
from hookline.counters import SUM
from hookline.families import FAMILIES
from hookline.ids import parse_uuid
from hookline.labels import ENDPOINT, OTHER, TENANT
from hookline.models import Counter
from tenants.models import Tenant

AT_ONCE = 500


def forget() -> int:
    """Returns how many series went. An endpoint's go with its lane, a day after it was deleted."""
    places: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for name, labels in Counter.objects.values_list("name", "labels"):
        for label, value in _labels(name, labels):
            places[label, value].append((name, labels))
    endpoints = {value for label, value in places if label == ENDPOINT}
    tenants = {value for label, value in places if label == TENANT}
    gone = [(ENDPOINT, value) for value in endpoints - _living(endpoints)]
    gone += [(TENANT, value) for value in tenants - _tenants(tenants)]
    return sum(_forget(row) for row in {row for place in gone for row in places[place]})


def _labels(name: str, labels: str) -> Iterable[tuple[str, str]]:
    """Those of a series that name an endpoint or a tenant."""
    family = FAMILIES.get(name) or FAMILIES.get(name.removesuffix(SUM))
    pairs = zip(family.labels, json.loads(labels), strict=False) if family else ()
    return [(label, value) for label, value in pairs if label in (ENDPOINT, TENANT) and value != OTHER]


def _living(endpoints: Iterable[str]) -> set[str]:
    ids = [parse_uuid(text) for text in endpoints]
    found: set[UUID] = set()
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        found.update(Endpoint.objects.filter(id__in=some).values_list("id", flat=True))
        found.update(Lane.objects.filter(endpoint_id__in=some).values_list("endpoint_id", flat=True))
    return set(map(str, found))


def _tenants(ids: Iterable[str]) -> set[str]:
    """Those that exist, also those of which something is still to be removed."""
    return set(Tenant.objects.filter(id__in=list(ids), purged_at=None).values_list("id", flat=True))


def _forget(row: tuple[str, str]) -> int:
    name, labels = row
    return Counter.objects.filter(name=name, labels=labels).delete()[0]
