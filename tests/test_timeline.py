"""A job's life in steps, and what set the time of the next one."""

from datetime import timedelta
from typing import Any

import pytest

from deliveries import trial
from deliveries.models import Attempt, Event, Job
from deliveries.queue.settle import settle
from deliveries.why import fates, timeline
from deliveries.why.timeline import Step
from deliveries.work import Answer, RetryAt
from hookline import database
from hookline.heartbeat import Heartbeat
from tenants.models import Tenant
from tests.factories import BY, publish
from tests.queueing import bury, fail, let_pass, make_target, settlement, succeed, take

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _worker(tenants: dict[str, Tenant]) -> None:
    Heartbeat("worker").beat()


def steps(most: int = timeline.MOST_ATTEMPTS) -> list[Step]:
    job = Job.objects.get()
    attempts = list(job.attempts.order_by("attempt_n"))[-most:]
    event = Event.objects.filter(id=job.event_id).first()
    return list(
        timeline.steps(job, event, job.subscription, job.endpoint, attempts, fates.of_job(job))
    )  # fmt: skip


def told(most: int = timeline.MOST_ATTEMPTS) -> list[tuple[str, str]]:
    return [(step.title, step.sentence) for step in steps(most)]


def wait(tenant: Tenant, seconds: float, answer: Answer, **limits: Any) -> str:
    """The sentence that ends a timeline, of a job whose attempt got this answer."""
    make_target(tenant, **limits)
    publish(tenant, {"topic": "a"})
    [job] = take()
    moment = database.now() + timedelta(seconds=seconds)
    settle([settlement(job, RetryAt(moment), answer)])
    return steps()[-1].sentence


def test_a_life_is_told_from_the_event_to_its_end(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "orders.paid"})
    fail(take(), retry_in=0)
    let_pass(1)
    succeed(take())
    assert told() == [
        ("Event received", "On topic orders.paid."),
        ("Job made", "Matched when it was published, for #."),
        ("Attempt 1: 503", "The endpoint answered 503. It is overloaded or being restarted."),
        ("Attempt 2: 200", ""),
        ("Delivered", "Delivered at attempt 2."),
    ]
    job, attempt = Job.objects.get(), Attempt.objects.latest("id")
    assert [step.at for step in steps()][-2:] == [attempt.started_at, job.finished_at]
    assert steps()[-2].attempt == attempt


def test_of_many_attempts_the_latest_are_told(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a"})
    for _ in range(4):
        fail(take(), retry_in=0)
        let_pass(1)
    assert [title for title, _ in told(most=2)][2:5] == [
        "2 earlier attempts not shown", "Attempt 3: 503", "Attempt 4: 503",
    ]  # fmt: skip


def test_a_job_is_told_when_all_else_is_gone(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a"})
    bury(take())
    event, job = Event.objects.get(), Job.objects.get()
    received, made, *_ = timeline.steps(job, None, None, None, [], fates.of_job(job))
    assert received.sentence == f"Event {event.id} is no longer kept."
    assert made.sentence == "Matched when it was published; its subscription is no longer kept."


def test_a_test_event_is_told_as_one(acme: Tenant) -> None:
    trial.send_test(make_target(acme), BY)
    assert told()[1] == ("Job made", "For this endpoint alone.")


def test_a_wait_is_told_by_the_delay_of_the_schedule(acme: Tenant) -> None:
    failure = Answer(500, "http_5xx", "The receiver failed. (HTTP 500)")
    assert wait(acme, 5.5, failure) == (
        "Waits for attempt 2. Delay 1 of 11 of the installation's schedule: 5 s, and up to 20 % more."
    )


def test_a_wait_by_an_endpoints_own_schedule_says_so(acme: Tenant) -> None:
    sentence = wait(acme, 7300, Answer(500, "http_5xx"), retry_schedule=[7200, 60])
    assert sentence.endswith("Delay 1 of 2 of its endpoint's schedule: 2 h, and up to 20 % more.")


def test_a_wait_that_the_receiver_asked_for_says_so(acme: Tenant) -> None:
    asking = Answer(429, "http_4xx", headers=(("retry-after", "600"),))
    assert wait(acme, 600, asking).endswith("The receiver asked for 10 min with Retry-After.")


@pytest.mark.parametrize("seconds", [0.5, 60])
def test_a_wait_of_another_length_is_not_explained_by_the_schedule(acme: Tenant, seconds: float) -> None:
    sentence = wait(acme, seconds, Answer(500, "http_5xx"))
    assert sentence == "Waits for attempt 2."


def test_no_wait_is_explained_where_the_schedule_has_become_shorter(acme: Tenant) -> None:
    sentence = wait(acme, 60, Answer(500, "http_5xx"), max_retries=1, retry_schedule=[60])
    assert sentence.endswith("60 s, and up to 20 % more.")
    Job.objects.update(attempt_count=5)
    Attempt.objects.update(attempt_n=5)
    assert "Delay" not in steps()[-1].sentence
