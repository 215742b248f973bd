"""What is amiss at this moment. Each question is answered down an index, and none of them counts far."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from deliveries import breaker, pausing, stats
from deliveries.models import Alert, Attempt, DeadLetter, Endpoint
from deliveries.retries import LEASE_LOST
from hookline.heartbeat import DELIVERERS
from hookline.models import Process

Kind = Alert.Kind

# Beyond so many the first are enough to know.
MOST_ENDPOINTS = 1000
WORKER_SILENCE = timedelta(seconds=60)
LEASES_WINDOW, LEASES_LOST = timedelta(minutes=10), 10


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing amiss, `since` when, and how bad on a scale of its own. `facts` are for its sentence."""

    key: str
    kind: Alert.Kind
    since: datetime
    level: int = 1
    endpoint: Endpoint | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def found(moment: datetime) -> list[Condition]:
    questions = (_failing, _turned_off, _late, _dead_letters, _no_worker, _lost_leases)
    return [condition for ask in questions for condition in ask(moment)]


def key_of(endpoint_id: object) -> str:
    return f"endpoint/{endpoint_id}"


def _failing(moment: datetime) -> Iterator[Condition]:
    """Endpoints that have failed for half the time after which they are turned off."""
    longest = breaker.patience()
    lanes = breaker.failing(moment - longest / 2)[:MOST_ENDPOINTS] if longest else ()
    since = {lane.endpoint_id: lane.failing_since for lane in lanes}
    for endpoint in Endpoint.objects.filter(id__in=since):
        failing_since = since[endpoint.id]
        assert failing_since
        assert longest
        facts = {"until": failing_since + longest}
        yield Condition(key_of(endpoint.id), Kind.ENDPOINT_FAILING, failing_since, 1, endpoint, facts)


def _turned_off(moment: datetime) -> Iterator[Condition]:
    for endpoint in Endpoint.objects.exclude(disabled_for="").order_by("disabled_at")[:MOST_ENDPOINTS]:
        since = endpoint.failing_since or endpoint.disabled_at or moment
        yield Condition(key_of(endpoint.id), Kind.ENDPOINT_DISABLED, since, 2, endpoint)


def _late(moment: datetime) -> Iterator[Condition]:
    limit = timedelta(seconds=settings.HL_ALERT_LATE_SECS)
    oldest = stats.oldest_due() if limit else {}
    if oldest:
        tenant, due_at = min(oldest.items(), key=lambda found: found[1])
        if moment - due_at >= limit:
            facts = {"tenant": tenant, "is_paused": pausing.is_paused()}
            yield Condition("deliveries_late", Kind.DELIVERIES_LATE, due_at, facts=facts)


def _dead_letters(moment: datetime) -> Iterator[Condition]:
    """Worse with each doubling, so that it is told again."""
    limit = settings.HL_ALERT_DLQ_SIZE
    number = DeadLetter.objects.count() if limit else 0
    if limit and number >= limit:
        facts = {"number": number, "limit": limit}
        level = (number // limit).bit_length()
        yield Condition("dead_letters", Kind.DEAD_LETTERS, moment, level, facts=facts)


def _no_worker(moment: datetime) -> Iterator[Condition]:
    deliverers = Process.objects.filter(kind__in=DELIVERERS)
    latest = deliverers.order_by("-seen_at").values_list("seen_at", flat=True).first()
    if latest is None or latest < moment - WORKER_SILENCE:
        yield Condition("no_worker", Kind.NO_WORKER, latest or moment)


def _lost_leases(moment: datetime) -> Iterator[Condition]:
    failed = Attempt.objects.filter(status=Attempt.Status.FAILURE, started_at__gt=moment - LEASES_WINDOW)
    lost = failed.filter(error=LEASE_LOST).values_list("started_at", flat=True)
    first = sorted(lost[:LEASES_LOST])
    if len(first) == LEASES_LOST:
        facts = {"number": LEASES_LOST, "minutes": LEASES_WINDOW // timedelta(minutes=1)}
        yield Condition("leases_lost", Kind.LEASES_LOST, first[0], facts=facts)
