"""/v1/replay: past events once more, in all its forms."""

from typing import Any

import pytest

from deliveries.models import DeadLetter, Event, Job
from tenants.models import AuditEntry, Tenant
from tests.api import Api, api_of
from tests.factories import deliver, make_endpoint, make_subscription, publish
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

REPLAY = "/v1/replay"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


@pytest.fixture
def events(acme: Tenant, receiver: Receiver) -> list[Event]:
    """Three that were delivered, at 1000, 2000 and 3000 ms."""
    make_subscription(make_endpoint(acme, receiver.url("/hook")))
    for number in (1, 2, 3):
        publish(acme, {"topic": f"orders.{number}", "payload": number, "occurred_at": number * 1000})
    deliver()
    return list(Event.objects.order_by("occurred_at"))


def replayed(api: Api, **asked: Any) -> list[str]:
    """The ids of the events that went round again."""
    answer = api.post(REPLAY, asked)
    assert answer.status == 200
    document = answer.json
    assert document["replayed"] == len(document["results"])
    assert document["scheduled"] == sum("error" not in result for result in document["results"])
    assert api.get(f"{REPLAY}/{document['replay_id']}").json == document
    return [result["event_id"] for result in document["results"]]


def test_one_event_is_delivered_again_under_its_old_id(
    api: Api, events: list[Event], receiver: Receiver
) -> None:
    assert replayed(api, event_id=str(events[0].id)) == [str(events[0].id)]
    deliver()
    again = receiver.at("/hook")[-1]
    assert again.headers["x-hl-event-id"] == str(events[0].id)
    assert again.headers["x-hookline-attempt"] == "1"
    assert Job.objects.filter(event_id=events[0].id).count() == 2


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ({}, [0, 1, 2]),
        ({"from_ms": 2000}, [1, 2]),
        ({"to_ms": 2000}, [0, 1]),
        ({"from_ms": 2000, "to_ms": 2000}, [1]),
        ({"topic": "orders.2"}, [1]),
        ({"topic": "orders.*", "limit": 2}, [0, 1]),
        ({"limit": 1}, [0]),
        ({"limit": 1, "topic": "orders.3"}, []),
        ({"mode": "failed_only"}, []),
        ({"mode": "whatever"}, [0, 1, 2]),
        ({"endpoint_id": UNKNOWN}, [0, 1, 2]),
    ],
)
def test_a_batch_is_chosen_by_time_topic_and_mode(
    api: Api, events: list[Event], asked: dict[str, Any], chosen: list[int]
) -> None:
    assert replayed(api, **asked) == [str(events[number].id) for number in chosen]


def test_only_the_endpoint_that_was_asked_for_gets_them(
    api: Api, acme: Tenant, events: list[Event], receiver: Receiver
) -> None:
    late = make_endpoint(acme, receiver.url("/late"))
    make_subscription(late)
    replayed(api, endpoint_id=str(late.id))
    deliver()
    assert len(receiver.at("/hook")) == 3
    assert {request.json["event"]["payload"] for request in receiver.at("/late")} == {1, 2, 3}


def test_what_failed_is_chosen_and_its_letters_are_left_alone(
    api: Api, acme: Tenant, events: list[Event], receiver: Receiver
) -> None:
    receiver.reply("/hook", Reply(404), Reply(200))
    publish(acme, {"topic": "orders.4", "occurred_at": 4000})
    deliver()
    letter = DeadLetter.objects.get()
    assert replayed(api, mode="failed_only") == [str(letter.event_id)]
    deliver()
    assert len(receiver.at("/hook")) == 5
    assert DeadLetter.objects.get() == letter


def test_subscriptions_are_those_of_today(api: Api, acme: Tenant, receiver: Receiver) -> None:
    """So that an event nobody wanted when it came can be sent to who wants it now."""
    publish(acme, {"topic": "skipped"})
    make_subscription(make_endpoint(acme, receiver.url("/hook")))
    replayed(api)
    deliver()
    assert [request.json["event"]["topic"] for request in receiver.at("/hook")] == ["skipped"]


def test_a_list_of_events_tells_of_each(api: Api, events: list[Event]) -> None:
    answer = api.post(REPLAY, {"event_ids": [str(events[1].id), UNKNOWN]}).json
    assert (answer["replayed"], answer["scheduled"]) == (2, 1)
    assert answer["results"][1] == {"event_id": UNKNOWN, "error": "Event not found"}


@pytest.mark.parametrize("body", [b"[]", b'"all"', b"1", b"null"])
def test_what_is_no_object_asks_for_nothing(api: Api, body: bytes) -> None:
    assert api.post(REPLAY, body).fault == (400, "validation_error", "event_id or time range required")


def test_an_unknown_event_or_replay_is_not_found(api: Api) -> None:
    assert api.post(REPLAY, {"event_id": UNKNOWN}).status == 404
    assert api.get(f"{REPLAY}/{UNKNOWN}").fault == (404, "not_found", "Replay not found")


def test_another_tenants_events_and_replays_do_not_exist(
    api: Api, globex: Tenant, events: list[Event]
) -> None:
    made = api.post(REPLAY, {}).json["replay_id"]
    other = api_of(globex)
    assert other.post(REPLAY, {"event_id": str(events[0].id)}).status == 404
    assert other.post(REPLAY, {}).json["results"] == []
    assert other.get(f"{REPLAY}/{made}").status == 404


def test_a_replay_is_in_the_audit_log(api: Api, events: list[Event]) -> None:
    made = api.post(REPLAY, {}).json["replay_id"]
    assert AuditEntry.objects.get(action="replay.created").target == made
