"""What is finished and old goes; what is young, owed, or waits for an operator stays."""

import time
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db.models import Model
from pytest_django import Settings

from deliveries import retention
from deliveries.models import Attempt, DeadLetter, Event, InboxMessage, Job
from deliveries.retention import Gone
from hookline.database import now, rows
from tenants.models import Tenant
from tests.commands import said, told
from tests.factories import publish
from tests.queueing import bury, fail, make_target, succeed, take

pytestmark = pytest.mark.django_db(transaction=True)

HISTORY: tuple[type[Model], ...] = (Event, Job, Attempt)
NOTHING = Gone()


@pytest.fixture
def nothing_is_young(settings: Settings) -> None:
    settings.HL_RETENTION_SECS = 0


def counts() -> list[int]:
    return [model._default_manager.count() for model in HISTORY]


def prune() -> Gone:
    """What went, which is what had been foretold."""
    time.sleep(0.005)  # ids tell the time in ms
    foretold = retention.count()
    gone = retention.prune()
    assert gone == foretold
    return gone


def test_what_is_young_stays(acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    assert prune() == NOTHING
    assert counts() == [1, 1, 1]


def test_an_old_event_goes_with_its_jobs_and_attempts(acme: Tenant, nothing_is_young: None) -> None:
    publish(acme, {"topic": "for nobody"})
    make_target(acme)
    make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    assert prune() == Gone(events=2, jobs=2, attempts=2)
    assert counts() == [0, 0, 0]


def test_what_is_owed_or_dead_stays_however_old(acme: Tenant, nothing_is_young: None) -> None:
    make_target(acme)
    for _ in range(3):
        publish(acme, {"topic": "a"})
    retried, dead, running = take()
    fail([retried], retry_in=3600)
    bury([dead])
    assert prune() == NOTHING
    assert Event.objects.count() == 3
    assert DeadLetter.objects.get().job_id == dead.id
    assert Job.objects.get(id=running.id).status == "running"


def test_one_unfinished_job_keeps_its_event(acme: Tenant, nothing_is_young: None) -> None:
    for _ in range(2):
        make_target(acme)
    publish(acme, {"topic": "a"})
    first, second = take()
    succeed([first])
    assert prune() == NOTHING
    succeed([second])
    assert prune().events == 1


def test_a_command_tells_what_would_go_and_then_removes_it(acme: Tenant, settings: Settings) -> None:
    settings.HL_PAYLOAD_RETENTION_SECS = 0.001
    make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    time.sleep(0.005)

    only_payload = {"events": 0, "jobs": 0, "attempts": 0, "payloads": 1}
    assert told("prune", "--dry-run") == [only_payload | {"dry_run": True}]
    assert told("prune") == [only_payload | {"dry_run": False}]
    settings.HL_RETENTION_SECS = 0
    everything = {"events": 1, "jobs": 1, "attempts": 1, "payloads": 0}
    assert told("prune", "--dry-run") == [everything | {"dry_run": True}]
    assert counts() == [1, 1, 1]
    assert said("prune") == "Removed: events 1, jobs 1, attempts 1, payloads 0.\n"
    assert counts() == [0, 0, 0]


@pytest.mark.embedded
def test_the_embedded_store_uses_the_space_again(acme: Tenant, nothing_is_young: None) -> None:
    sizes = []
    for _ in range(3):
        for _ in range(30):
            publish(acme, {"topic": "a", "payload": "x" * 20_000})
        sizes.append(rows("PRAGMA page_count")[0][0])
        assert prune().events == 30
    assert sizes[0] > 100
    assert max(sizes) < sizes[0] * 1.1


def test_sessions_of_the_console_go_when_they_have_ended() -> None:
    day = timedelta(days=1)
    for key, end in (("ended", now() - day), ("open", now() + day)):
        Session.objects.create(session_key=key, session_data="", expire_date=end)
    retention.prune()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["open"]


def test_progress_is_told_up_to_its_end(acme: Tenant, nothing_is_young: None) -> None:
    publish(acme, {"topic": "a"})
    time.sleep(0.005)
    told: list[tuple[str, int, float]] = []
    retention.prune(lambda *progress: told.append(progress))
    assert [(part, done) for part, done, _ in told] == [("events", 1), ("events", 1)]
    assert [share for *_, share in told] == sorted(share for *_, share in told)
    assert told[-1] == ("events", 1, 1)


def test_the_inbox_keeps_payloads_no_longer_than_events_do(settings: Settings) -> None:
    InboxMessage.objects.create(token="a", body=b"{}", headers={})
    retention.prune()
    assert InboxMessage.objects.count() == 1
    settings.HL_PAYLOAD_RETENTION_SECS = 0.001
    time.sleep(0.01)
    retention.prune()
    assert InboxMessage.objects.count() == 0
