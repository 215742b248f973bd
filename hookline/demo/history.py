"""Three days that have gone by: events, what became of their jobs, and the sums of the charts."""

import json
import math
import random
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pycurl

from deliveries import traffic
from deliveries.models import Attempt, Bell, DeadLetter, Event, IdempotencyKey, Job, Subscription
from deliveries.rules import filters, topics
from deliveries.rules.values import Document
from deliveries.sending.answers import judge
from hookline.database import now, write
from hookline.demo import receivers
from hookline.demo.cast import Customer, Receiver, Topic
from hookline.demo.players import Player, Target
from hookline.ids import first_uuid7
from hookline.times import milliseconds

LENGTH = timedelta(hours=72)
EVENTS_AN_HOUR = 22
FIRST_NUMBER = 20_000
AT_ONCE = 2000
JITTER = 1.1

BODIES = {
    200: b'{"received":true}',
    401: b'{"error":"token revoked"}',
    410: b'{"error":"moved to ledger.fabrikam"}',
    429: b'{"error":"quota of 5 a second"}',
    500: b'{"error":"deadlock detected"}',
}
HEADERS = '[["content-type","application/json"]]'


@dataclass
class Past:
    """The rows to write."""

    moment: datetime
    dice: random.Random
    events: list[Event] = field(default_factory=list)
    keys: list[IdempotencyKey] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    # Where nothing is sent any more.
    closed: set[str] = field(default_factory=set)
    sums: Tally[tuple[str, int, str]] = field(default_factory=Tally)

    def id_at(self, at: datetime) -> UUID:
        return UUID(int=first_uuid7(at).int | self.dice.getrandbits(62))

    def count(self, scope: str, at: datetime, name: str) -> None:
        self.sums[scope, int(at.timestamp()) // traffic.MINUTE_SECONDS, name] += 1

    def write(self) -> None:
        everything: list[list[Any]] = [self.events, self.keys, self.jobs, self.attempts, self.letters]
        with write():
            for rows in filter(None, everything):
                type(rows[0]).objects.bulk_create(rows, batch_size=AT_ONCE)
            waiting = {job.endpoint_id for job in self.jobs if job.status == Job.Status.PENDING}
            Bell.objects.bulk_create(Bell(endpoint_id=id) for id in waiting)
        traffic.write_down(self.sums)


def make(players: Sequence[Player]) -> None:
    """What went on with these customers up to now."""
    past = Past(now(), random.Random(3))
    for player in players:
        for at, topic, number in _happenings(player.customer, past):
            _happen(past, player, at, topic, number)
    past.write()


def _happenings(customer: Customer, past: Past) -> Iterator[tuple[datetime, Topic, int]]:
    """More by day than by night, one after the other."""
    at, number = past.moment - LENGTH, FIRST_NUMBER
    while True:
        busy = 0.35 + 0.65 * (1 - math.cos((at.hour + at.minute / 60 - 3) / 24 * 2 * math.pi)) / 2
        at += timedelta(hours=past.dice.expovariate(EVENTS_AN_HOUR * busy))
        if at > past.moment - timedelta(seconds=5):
            return
        age = (past.moment - at).total_seconds()
        open_topics = [topic for topic in customer.topics if _is_open(topic, age)]
        number += 1
        yield at, past.dice.choices(open_topics, [topic.weight for topic in open_topics])[0], number


def _is_open(topic: Topic, age: float) -> bool:
    return (topic.began is None or age < topic.began) and (topic.ended is None or age >= topic.ended)


def _happen(past: Past, player: Player, at: datetime, topic: Topic, number: int) -> None:
    tenant, payload = player.customer.id, topic.make(past.dice, number)
    key = key_of(topic, payload)
    event = Event(
        id=past.id_at(at), tenant_id=tenant, topic=topic.name, payload=json.dumps(payload),
        idempotency_key=key, occurred_at=milliseconds(at), created_at=at,
    )  # fmt: skip
    past.events.append(event)
    past.count(traffic.of_tenant(tenant), at, traffic.PUBLISHED)
    if past.moment - at < IdempotencyKey.LIVES:
        past.keys.append(IdempotencyKey(tenant_id=tenant, key=key, event_id=event.id, created_at=at))
    for target in player.targets:
        for subscription in target.subscriptions:
            if _matches(subscription, event):
                _deliver(past, target, subscription, event)


def key_of(topic: Topic, payload: dict[str, Any]) -> str:
    """As a producer would choose it: what it is about, and what happened to it."""
    return f"{payload[topic.key]}-{topic.name}"


def first_key(topic: str) -> str:
    """The key of the first event of this topic that can still be found by it."""
    keys = IdempotencyKey.objects.filter(key__endswith=f"-{topic}").order_by("created_at")
    return str(keys.values_list("key", flat=True).first())


def _matches(subscription: Subscription, event: Event) -> bool:
    fields = {"topic": json.dumps(event.topic).encode(), "payload": str(event.payload).encode()}
    return topics.matches(subscription.topic_pattern, event.topic) and filters.passes(
        subscription.filter, Document(lambda: fields)
    )


def _deliver(past: Past, target: Target, subscription: Subscription, event: Event) -> None:
    """One job, through all its attempts up to now."""
    job = Job(
        id=past.id_at(event.created_at), tenant_id=event.tenant_id, event_id=event.id,
        endpoint_id=target.endpoint.id, subscription_id=subscription.id, created_at=event.created_at,
        next_attempt_at=event.created_at,
    )  # fmt: skip
    past.jobs.append(job)
    at = event.created_at + timedelta(milliseconds=past.dice.randint(2, 9))
    for status, wait in _answers(target.receiver, past, at):
        if at > past.moment:
            job.next_attempt_at = at
            return
        took = _attempt(past, job, at, status)
        if wait is None:
            _finish(past, job, at + took, status)
            return
        at += took + timedelta(seconds=wait * JITTER)
    job.next_attempt_at = at


def _answers(receiver: Receiver, past: Past, at: datetime) -> list[tuple[int, float | None]]:
    """What it answers one time after the other, and how long until the next; None ends it."""
    if (past.moment - at).total_seconds() > receiver.since:
        return [(200, None)]
    has_luck = past.dice.random()
    match receiver.fault:
        case "flaky" if has_luck < receivers.FLAKY:
            return [(500, 5), (200, None)]
        case "limited" if has_luck < receivers.LIMITED:
            return [(429, 15), (200, None)]
        case "locked":
            return [(401, None)]
        case "hanging":
            return [(0, 30), (0, 120), (0, 600), (0, None)]
        case "gone":
            is_first = receiver.place not in past.closed
            past.closed.add(receiver.place)
            return [(410, None)] if is_first else []
    return [(200, None)]


def _attempt(past: Past, job: Job, at: datetime, status: int) -> timedelta:
    took = 2000 if status == 0 else min(1900, max(4, round(past.dice.lognormvariate(3.5, 0.7))))
    answer = judge(
        code=0 if status else pycurl.E_OPERATION_TIMEDOUT, message="", refusal="", status=status, headers=[],
        body=b"", address="127.0.0.1", duration_ms=took,
    )  # fmt: skip
    result = Attempt.Status.FAILURE if answer.error else Attempt.Status.SUCCESS
    job.attempt_count += 1
    past.attempts.append(
        Attempt(
            id=past.id_at(at), job_id=job.id, tenant_id=job.tenant_id, event_id=job.event_id,
            endpoint_id=job.endpoint_id, attempt_n=job.attempt_count, status=result, http_status=status,
            error=answer.error, error_detail=answer.detail, started_at=at, duration_ms=took,
            address=answer.address, response_headers=HEADERS if status else None,
            response_body=BODIES.get(status),
        )
    )  # fmt: skip
    mine = traffic.of_tenant(job.tenant_id)
    for scope in (mine, traffic.of_endpoint(job.endpoint_id)):
        past.count(scope, at, traffic.FAILED if answer.error else traffic.DELIVERED)
    past.count(mine, at, f"{traffic.TOOK}{traffic.bucket_of(took)}")
    return timedelta(milliseconds=took)


def _finish(past: Past, job: Job, at: datetime, status: int) -> None:
    job.status, job.finished_at = Job.Status.SUCCEEDED, at
    if status == 200:
        return
    job.status = Job.Status.DEAD
    reason = f"http_{status}" if status else "max_attempts_exceeded"
    past.letters.append(
        DeadLetter(
            job_id=job.id, tenant_id=job.tenant_id, event_id=job.event_id, endpoint_id=job.endpoint_id,
            reason=reason, attempt_count=job.attempt_count, created_at=at,
        )
    )  # fmt: skip
    for scope in (traffic.of_tenant(job.tenant_id), traffic.of_endpoint(job.endpoint_id)):
        past.count(scope, at, traffic.DEAD)
