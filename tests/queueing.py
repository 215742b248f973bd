"""How the tests of the queue put jobs in, take them out, and see whether all agrees."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, F

from deliveries.documents import Stored
from deliveries.models import Attempt, Bell, DeadLetter, Endpoint, Job, Lane, Subscription
from deliveries.queue.claim import Claimer
from deliveries.queue.enqueue import NewJob, enqueue
from deliveries.queue.settle import settle
from deliveries.work import Answer, ClaimedJob, Dead, Outcome, RetryAt, Settlement, Succeeded, Verdict
from hookline import database
from hookline.ids import uuid7
from tenants.models import Tenant
from tests.factories import make_endpoint, make_subscription

T = TypeVar("T")
State = Lane.State
URL = "http://127.0.0.1:9/"
UNLIMITED: dict[str, Any] = {"max_in_flight": 1000, "rate_limit_rps": 0}
OK = Answer(200, duration_ms=3, address="127.0.0.1")
AWAY = Answer(503, error="http_5xx", detail="The endpoint answered 503.", duration_ms=3)


def make_target(tenant: Tenant, **limits: Any) -> Endpoint:
    """An endpoint without limits but those given, and with a subscription."""
    endpoint = make_endpoint(tenant, URL, **{**UNLIMITED, **limits})
    make_subscription(endpoint)
    return endpoint


def give(endpoint: Endpoint, jobs: int = 1) -> list[UUID]:
    """As many events for this endpoint alone, and their jobs; returns the ids of the jobs."""
    moment, subscription = datetime.now(UTC), Subscription.objects.get(endpoint=endpoint)
    events = [Stored(uuid7(), endpoint.tenant_id, "test", "{}", None, None, 0, moment) for _ in range(jobs)]
    made = [NewJob(uuid7(), event.tenant_id, event.id, endpoint.id, subscription.id) for event in events]
    enqueue(events, made)
    return [job.id for job in made]


def take(most: int = 1000, by: Claimer | None = None) -> list[ClaimedJob]:
    """One claim, of a worker that is new unless it is given."""
    claimer = by or Claimer()
    return claimer.claim(most, claimer.look(far_back=True))


def ids(jobs: Iterable[ClaimedJob]) -> list[UUID]:
    return [job.id for job in jobs]


def settlement(job: ClaimedJob, verdict: Verdict | None = None, answer: Answer = OK) -> Settlement:
    return Settlement(job, Outcome(uuid7(), database.now(), answer), verdict or Succeeded())


def succeed(jobs: Iterable[ClaimedJob]) -> list[Settlement]:
    return settle([settlement(job) for job in jobs])


def fail(jobs: Iterable[ClaimedJob], *, retry_in: float) -> list[Settlement]:
    moment = database.now() + timedelta(seconds=retry_in)
    return settle([settlement(job, RetryAt(moment), AWAY) for job in jobs])


def bury(jobs: Iterable[ClaimedJob], reason: str = "http_400", disables: str = "") -> list[Settlement]:
    refusal = Answer(400, error="http_4xx")
    return settle([settlement(job, Dead(reason, disables), refusal) for job in jobs])


def lane_of(endpoint: Endpoint) -> Lane:
    return Lane.objects.get(endpoint_id=endpoint.id)


def state_of(endpoint: Endpoint) -> State:
    return State(lane_of(endpoint).state)


def let_pass(seconds: float) -> None:
    """Moves all that the queue remembers into the past, as if so much time had gone by."""
    gone = timedelta(seconds=seconds)
    for model, columns in {
        Job: ["next_attempt_at", "lease_until"],
        Lane: ["wake_at", "served_at", "refilled_at", "failing_since"],
        Endpoint: ["disabled_at", "failing_since", "probe_at"],
        Attempt: ["started_at"],
    }.items():
        model.objects.update(**{column: F(column) - gone for column in columns})  # type: ignore[attr-defined]


def in_threads(count: int, work: Callable[[int], T]) -> list[T]:
    """Does the work in so many threads at once, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        try:
            barrier.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def assert_consistent() -> None:
    """What holds between any two transactions, whatever was done."""
    with transaction.atomic():
        running = dict(_by_endpoint(Job.objects.filter(status="running")))
        lanes = {lane.endpoint_id: lane for lane in Lane.objects.all()}
        assert {id: lane.in_flight for id, lane in lanes.items() if lane.in_flight} == running
        _assert_history_is_whole()
        _assert_nobody_sleeps_over_work(lanes)


def _assert_history_is_whole() -> None:
    tried = dict(Attempt.objects.values_list("job_id").annotate(n=Count("*")))
    counted = dict(Job.objects.filter(attempt_count__gt=0).values_list("id", "attempt_count"))
    assert tried == counted
    numbers = list(Attempt.objects.values_list("job_id", "attempt_n"))
    assert len(numbers) == len(set(numbers))
    buried = set(DeadLetter.objects.values_list("job_id", flat=True))
    assert buried == set(Job.objects.filter(status="dead").values_list("id", flat=True))


def _assert_nobody_sleeps_over_work(lanes: dict[UUID, Lane]) -> None:
    """Every lane with a waiting job has something to come that will have it looked at in time."""
    rung = set(Bell.objects.values_list("endpoint_id", flat=True))
    enabled = dict(Endpoint.objects.values_list("id", "is_enabled"))
    pending = Job.objects.filter(status="pending").order_by("-next_attempt_at")
    for endpoint_id, due_at in dict(pending.values_list("endpoint_id", "next_attempt_at")).items():
        lane = lanes[endpoint_id]
        wakes = {
            State.READY: True,
            State.FRESH: True,
            State.IDLE: endpoint_id in rung,
            State.WAITING: endpoint_id in rung or (lane.wake_at is not None and lane.wake_at <= due_at),
            State.LIMITED: lane.wake_at is not None and lane.wake_at <= database.now() + timedelta(seconds=2),
            State.FULL: lane.in_flight > 0,
            State.OFF: enabled.get(endpoint_id) is False,
        }
        assert wakes[State(lane.state)], f"{lane} sleeps over a job that is due at {due_at}"


def _by_endpoint(jobs: Any) -> Any:
    return jobs.order_by().values_list("endpoint_id").annotate(n=Count("*"))
