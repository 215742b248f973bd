"""What is finished and old goes; what is young, owed, or waits for an operator stays."""

import time

import pytest
from django.db.models import Model
from pytest_django import Settings

from deliveries import retention
from deliveries.models import Attempt, DeadLetter, Event, Job
from tenants.models import Tenant
from tests.factories import publish
from tests.queueing import bury, fail, make_target, succeed, take

pytestmark = pytest.mark.django_db(transaction=True)

HISTORY: tuple[type[Model], ...] = (Event, Job, Attempt)


@pytest.fixture
def nothing_is_young(settings: Settings) -> None:
    settings.HL_RETENTION_SECS = 0


def counts() -> list[int]:
    return [model._default_manager.count() for model in HISTORY]


def prune() -> int:
    time.sleep(0.005)  # ids tell the time in ms
    return retention.prune()


def test_what_is_young_stays(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    assert prune() == 0
    assert counts() == [1, 1, 1]


def test_an_old_event_goes_with_its_jobs_and_attempts(acme: Tenant, nothing_is_young: None) -> None:
    publish(acme, {"topic": "for nobody"})
    make_target(acme)
    make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    assert prune() == 2
    assert counts() == [0, 0, 0]


def test_what_is_owed_or_dead_stays_however_old(acme: Tenant, nothing_is_young: None) -> None:
    make_target(acme)
    for _ in range(3):
        publish(acme, {"topic": "a"})
    retried, dead, running = take()
    fail([retried], retry_in=3600)
    bury([dead])
    assert prune() == 0
    assert Event.objects.count() == 3
    assert DeadLetter.objects.get().job_id == dead.id
    assert Job.objects.get(id=running.id).status == "running"


def test_one_unfinished_job_keeps_its_event(acme: Tenant, nothing_is_young: None) -> None:
    for _ in range(2):
        make_target(acme)
    publish(acme, {"topic": "a"})
    first, second = take()
    succeed([first])
    assert prune() == 0
    succeed([second])
    assert prune() == 1
