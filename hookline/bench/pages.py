"""How long each page of the console takes on a full store: a program of its own, for the empty store that
its environment names. `python -m hookline.bench.pages 1000000` fills it with so many events, and prints the
ms of each page as JSON."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import django
from django.core.management import call_command

django.setup()

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from deliveries.models import Attempt, DeadLetter, Event, Job
from hookline.bench import full_store
from hookline.console.pages import pages
from hookline.console.rows import Rows
from hookline.database import now

PLAYS = 5
ENDLESS = ("live_stream",)
BUSY, QUIET = "tenant-00", "tenant-45"


def measure(events: int) -> dict[str, float]:
    """The median of some answers to each address, the first of which may be the slowest."""
    call_command("migrate", verbosity=0)
    full_store.fill(events, now())
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    return {place: _median(client, place) for place in dict.fromkeys(_places())}


def _median(client: Client, place: str) -> float:
    times = []
    for _ in range(PLAYS):
        began = time.perf_counter()
        answer = client.get(place)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code in (200, 302), (place, answer.status_code)
    return sorted(times)[PLAYS // 2]


def _places() -> Iterator[str]:
    for rows in admin.site._registry.values():
        if isinstance(rows, Rows):
            yield from _of_list(rows)
    for page in pages:
        if page.look and "<" not in page.route and page.name not in ENDLESS:
            yield reverse(f"admin:{page.name}")
    for window in ("1h", "24h", "72h"):
        yield f"/console/?window={window}"
        yield f"/console/?window={window}&tenant={BUSY}"
    for term in _terms():
        yield f"/console/search/?q={term}"


def _of_list(rows: Rows) -> Iterator[str]:
    """The list, each of its views and filters, a page from the middle of it, and the page of a row."""
    opts = rows.opts
    place = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    yield place
    yield from (f"{place}?{view.narrowing}" for view in rows.views if view.narrowing)
    for name in rows.narrowed_by:
        yield from (f"{place}?{name}={value}" for value in _values(rows, name))
    found = rows.model._default_manager.order_by(*rows.order)
    middle = found[found.count() // 2 :].first()
    if middle is not None:
        key = "~".join(_text(getattr(middle, column.removeprefix("-"))) for column in rows.order)
        yield f"{place}?after={key}"
        yield reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[middle.pk])


def _values(rows: Rows, name: str) -> Iterator[str]:
    if name == "tenant_id":
        yield from (BUSY, QUIET)
    elif name == "topic":
        yield from ("order.paid", "rare.topic", "no.such.topic")
    elif name.endswith("_id") and hasattr(rows.model, name):
        middle = rows.model._default_manager.order_by(*rows.order)[100:].first()
        if middle is not None and getattr(middle, name):
            yield str(getattr(middle, name))


def _terms() -> Iterator[str]:
    models: tuple[Any, ...] = (Event, Job, Attempt)
    for model in models:
        yield str(model.objects.order_by("id")[500].id)
    yield str(DeadLetter.objects.order_by("job_id")[5].job_id)
    yield from ("key-0", "tenant-07", "no.such.thing", "http://127.0.0.1:9/7/7")


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


if __name__ == "__main__":
    json.dump(measure(int(sys.argv[1])), sys.stdout)
