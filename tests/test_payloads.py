"""Payloads go before their events, by age or by order, and nothing pretends that they are there."""

import time
from typing import Any

import pytest
from pytest_django import Settings

from deliveries import chores, dead_letters, payloads
from deliveries.models import Attempt, DeadLetter, Event, Job
from deliveries.payloads import expunge
from deliveries.queue.requeue import requeue
from hookline.errors import Conflict, NotFound
from hookline.models import Chore
from tenants.models import AuditEntry, Tenant
from tests.api import api_of
from tests.commands import refused, told
from tests.factories import BY, deliver, let_time_pass, make_endpoint, make_subscription, publish
from tests.queueing import bury, fail, make_target, succeed, take
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = {"topic": "a", "payload": {"name": "Jane"}, "also": "Doe", "idempotency_key": "k"}


@pytest.fixture
def none_is_young(settings: Settings) -> None:
    settings.HL_PAYLOAD_RETENTION_SECS = 0.001


def remove_old() -> int:
    """How many went, which is what had been foretold."""
    time.sleep(0.01)
    foretold = payloads.count_old()
    removed, _ = payloads.remove_old()
    assert removed == foretold
    return removed


def delivered(tenant: Tenant, receiver: Receiver) -> Event:
    receiver.reply("/", Reply(body=b"Hello Jane"))
    make_subscription(make_endpoint(tenant, receiver.url("/")))
    publish(tenant, DOCUMENT)
    deliver()
    assert Attempt.objects.get().response_body == b"Hello Jane"
    return Event.objects.get()


def shown(event: Event, tenant: Tenant) -> dict[str, Any]:
    return dict(api_of(tenant).get(f"/v1/events/{event.id}").json)


def test_what_was_sent_and_answered_goes_and_what_happened_stays(
    acme: Tenant, receiver: Receiver, none_is_young: None
) -> None:
    event = delivered(acme, receiver)
    before = shown(event, acme)

    assert remove_old() == 1
    assert remove_old() == 0

    after = shown(event, acme)
    assert after.pop("payload_removed") == "retention"
    assert {name: before[name] for name in after} == after
    assert before.keys() - after.keys() == {"payload", "also"}
    [told] = api_of(acme).get("/v1/deliveries").json["items"]
    assert (told["status"], told["http_status"]) == ("success", 200)
    assert "response_body" not in told
    assert Attempt.objects.get().response_headers is None


def test_they_stay_with_the_event_unless_the_setting_says_otherwise(acme: Tenant) -> None:
    publish(acme, DOCUMENT)
    assert remove_old() == 0
    assert shown(Event.objects.get(), acme)["payload"] == {"name": "Jane"}


def test_what_is_owed_or_dead_keeps_its_payload(acme: Tenant, none_is_young: None) -> None:
    make_target(acme)
    for _ in range(3):
        publish(acme, {"topic": "a", "payload": 1})
    retried, dead, _ = take()
    fail([retried], retry_in=3600)
    bury([dead])
    assert remove_old() == 0
    assert [event.payload for event in Event.objects.all()] == ["1", "1", "1"]


def test_a_chore_does_it_and_comes_back_the_next_day_for_what_was_owed(
    acme: Tenant, none_is_young: None
) -> None:
    make_target(acme)
    publish(acme, DOCUMENT)
    [owed] = take()
    time.sleep(0.01)
    run_chore()
    succeed([owed])
    run_chore()
    assert Event.objects.filter(payload_removed=None).count() == 1  # it has gone on from there

    Chore.objects.filter(name=chores.PAYLOADS).update(last_run_at="2020-01-01T00:00:00Z")
    run_chore()
    assert Event.objects.get().payload_removed == "retention"


def run_chore() -> None:
    chores.make_due(chores.PAYLOADS)
    chores.run_due()


def test_it_is_never_delivered_again_and_says_why(acme: Tenant, receiver: Receiver) -> None:
    event = delivered(acme, receiver)
    publish(acme, {"topic": "a", "payload": 2})
    deliver()
    expunge(event, BY)
    api, arrived = api_of(acme), len(receiver.received)

    alone = api.post("/v1/replay", {"event_id": str(event.id)})
    assert alone.status == 409
    assert "payload was expunged" in alone.json["detail"]
    [refused, sent] = api.post("/v1/replay", {}).json["results"]
    assert "payload was expunged" in refused["error"]
    deliver()
    assert len(receiver.received) == arrived + 1
    assert Job.objects.filter(event=event).count() == 1
    assert sent["job_ids"]


def test_to_expunge_is_recorded_and_gives_up_what_was_still_to_be_sent(
    acme: Tenant, receiver: Receiver
) -> None:
    receiver.reply("/", Reply(503))
    make_subscription(make_endpoint(acme, receiver.url("/")))
    publish(acme, DOCUMENT)
    deliver()

    expunge(Event.objects.get(), BY)
    deliver()

    assert len(receiver.received) == 1
    assert DeadLetter.objects.get().reason == "payload_removed"
    assert shown(Event.objects.get(), acme)["payload_removed"] == "expunged"
    entry = AuditEntry.objects.get(action="event.expunged")
    assert (entry.actor, entry.target) == (BY, str(Event.objects.get().id))


def test_a_dead_letter_without_a_payload_is_not_requeued(acme: Tenant, receiver: Receiver) -> None:
    receiver.reply("/", Reply(400))
    make_subscription(make_endpoint(acme, receiver.url("/")))
    publish(acme, DOCUMENT)
    deliver()
    expunge(Event.objects.get(), BY)

    letter = DeadLetter.objects.get()
    with pytest.raises(Conflict, match="expunged"):
        dead_letters.requeue(letter, BY)
    assert api_of(acme).post(f"/v1/dlq/{letter.job_id}/requeue").status == 409
    # Whoever had looked before it went, and requeues now, sends nothing either.
    requeue([letter.job_id])
    let_time_pass()
    deliver()
    assert len(receiver.received) == 1
    assert DeadLetter.objects.get().reason == "payload_removed"


def test_a_command_expunges_one_event(acme: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    publish(acme, DOCUMENT)
    publish(acme, DOCUMENT | {"idempotency_key": "other"})
    first, second = Event.objects.order_by("id")
    assert refused(capsys, "expunge", "no-id") == "Event not found\n"

    assert told("expunge", str(first.id)) == [{"event_id": str(first.id), "tenant_id": "acme"}]

    assert "payload" not in shown(first, acme)
    assert shown(second, acme)["payload"] == {"name": "Jane"}
    assert AuditEntry.objects.get(action="event.expunged").actor.startswith("shell user ")


def test_an_event_that_is_gone_cannot_be_expunged(acme: Tenant) -> None:
    publish(acme, DOCUMENT)
    event = Event.objects.get()
    Event.objects.all().delete()
    with pytest.raises(NotFound):
        expunge(event, BY)
    assert not AuditEntry.objects.filter(action="event.expunged").exists()
