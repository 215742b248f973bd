"""/v1/events: what is published is kept to the byte, once for each key, or refused with a sentence."""

import json
import time
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from deliveries import depth
from deliveries.models import Event, IdempotencyKey, Job
from hookline.ids import parse_uuid
from tenants.models import Tenant
from tests.api import Answer, Api, api_of
from tests.factories import deliver, let_time_pass, make_endpoint, make_subscription
from tests.live import LiveServer
from tests.receiver import Receiver, Reply

EVENTS = "/v1/events"
BATCH = "/v1/events/batch"
URL = "https://hooks.example/in"
MISSING_TOPIC = (400, "validation_error", "Missing field: topic")
TOO_LARGE = (413, "payload_too_large", "Request body exceeds maximum allowed size")
OVERLOADED = (429, "overloaded", "Queue depth exceeded; retry after 5 seconds")
PUBLISHERS_AT_ONCE = 50


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def invalid(sentence: str) -> tuple[int, str, str]:
    return 400, "validation_error", sentence


def publish(api: Api, topic: str = "orders.created", **fields: Any) -> dict[str, Any]:
    answer = api.post(EVENTS, {"topic": topic, **fields})
    assert answer.status == 201
    return dict(answer.json)


# --- One event ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_answer_is_the_stored_event_and_its_jobs(acme: Tenant, globex: Tenant, api: Api) -> None:
    endpoint = make_endpoint(acme, URL)
    wanted = [make_subscription(endpoint, pattern) for pattern in ("orders.*", "#")]
    make_subscription(endpoint, "other")
    make_subscription(make_endpoint(globex, URL), "#")
    before = time.time_ns() // 1_000_000
    event = publish(api, payload={"x": 1}, idempotency_key="k", team={"a": [1, None]}, target_user_id="u")

    jobs = event.pop("job_ids")
    assert {str(job.id) for job in Job.objects.all()} == set(jobs)
    assert {job.subscription_id for job in Job.objects.all()} == {each.id for each in wanted}
    assert before <= event["created_at"] == event["occurred_at"] <= time.time_ns() // 1_000_000
    assert event == {
        "id": event["event_id"],
        "event_id": str(Event.objects.get().id),
        "tenant_id": "acme",
        "topic": "orders.created",
        "payload": {"x": 1},
        "occurred_at": event["occurred_at"],
        "created_at": event["created_at"],
        "idempotency_key": "k",
        "team": {"a": [1, None]},
        "target_user_id": "u",
    }
    assert api.get(f"{EVENTS}/{event['id']}").json == event


@pytest.mark.django_db
def test_what_was_not_sent_is_not_in_the_answer(api: Api) -> None:
    expected = {"id", "event_id", "tenant_id", "topic", "occurred_at", "created_at", "job_ids"}
    assert publish(api).keys() == expected
    assert publish(api, data={"old": 1}).keys() == expected | {"data"}
    assert publish(api, payload=None)["payload"] is None


@pytest.mark.django_db
def test_what_only_the_server_says_cannot_be_sent(api: Api) -> None:
    sent: dict[str, Any] = {
        "id": "x",
        "event_id": "y",
        "tenant_id": "globex",
        "created_at": 1,
        "occurred_at": -5,
    }
    event = publish(api, **sent)
    assert event["id"] == event["event_id"] == str(Event.objects.get().id)
    assert (event["tenant_id"], event["occurred_at"]) == ("acme", -5)
    assert event["created_at"] > 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "topic", ["a b", "a/b", "päivä.😀", "*", "#", "..", " ", "A.a", '"\\\n', "x" * 10_000], ids=ascii
)
def test_a_topic_may_be_any_text(api: Api, topic: str) -> None:
    assert publish(api, topic)["topic"] == topic
    assert Event.objects.get().topic == topic


@pytest.mark.django_db
def test_data_stands_in_for_a_payload_in_filters(acme: Tenant, api: Api) -> None:
    endpoint = make_endpoint(acme, URL)
    make_subscription(endpoint, "#", filter={"eq": "payload.kind", "value": "big"})
    assert len(publish(api, data={"kind": "big"})["job_ids"]) == 1
    assert publish(api, data={"kind": "small"})["job_ids"] == []
    assert publish(api, data={"kind": "big"}, payload={})["job_ids"] == []


KEPT = [
    b'{"b":1,"a":2,"a":1}',
    b'{"id":9007199254740993,"total":12345678901234567890.10,"least":-0,"most":1e131071}',
    rb'{"nul":"\u0000","half":"\ud800","slash":"\/","e":"\u00e9"}',
    '"é😀\u2028\x7f"'.encode(),
    b'[ 1 ,\t2 ,\n{ } ]',
    b"null",
    b'""',
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("payload", KEPT, ids=ascii)
def test_a_payload_reaches_reader_and_receiver_byte_for_byte(
    acme: Tenant, api: Api, receiver: Receiver, payload: bytes
) -> None:
    make_subscription(make_endpoint(acme, receiver.url()))
    published = api.post(EVENTS, b'{"topic":"a","note":%b,"payload": %b }' % (payload, payload))
    one = api.get(f"{EVENTS}/{published.json['id']}")
    deliver()

    [received] = receiver.received
    for body in (published.body, one.body, api.get(EVENTS).body, received.body):
        assert b'"payload":%b,' % payload in body
        assert b'"note":%b' % payload in body


@pytest.mark.django_db
@pytest.mark.parametrize("path", [EVENTS, BATCH])
def test_the_trace_context_of_a_request_travels_with_its_event(
    acme: Tenant, api: Api, receiver: Receiver, path: str
) -> None:
    make_subscription(make_endpoint(acme, receiver.url("/in")))
    receiver.reply("/in", Reply(503), Reply())
    event = {"topic": "a", "_trace": {"traceparent": "of the body"}}
    body = {"events": [event]} if path == BATCH else event
    api.post(path, body, traceparent="not looked at", tracestate="a=b")
    deliver()
    let_time_pass()
    deliver()

    [stored] = api.get(EVENTS).json["items"]
    assert stored["_trace"] == {"traceparent": "not looked at", "tracestate": "a=b"}
    for request in receiver.at("/in"):
        assert request.headers["traceparent"] == "not looked at"
        assert request.headers["tracestate"] == "a=b"
        assert request.json["event"]["_trace"] == stored["_trace"]
    assert len(receiver.received) == 2


@pytest.mark.django_db
def test_without_a_traceparent_there_is_no_trace_but_that_of_the_body(api: Api) -> None:
    body = {"topic": "a"}
    assert "_trace" not in api.post(EVENTS, body, tracestate="a=b").json
    assert "_trace" not in api.post(EVENTS, body, traceparent="", tracestate="a=b").json
    assert api.post(EVENTS, body | {"_trace": [1]}, tracestate="a=b").json["_trace"] == [1]


# --- What cannot be stored ----------------------------------------------------------------

NO_TEXT = "must not hold NUL or half of a surrogate pair"
NO_TIME = invalid("Invalid field 'occurred_at': must be integer milliseconds since 1970")
TOO_LATE = invalid("Invalid field 'occurred_at': must fit in 64 bits")
NO_JSON = (400, "invalid_json", "")

REFUSED = [
    (b"{}", MISSING_TOPIC),
    (b'{"payload":{}}', MISSING_TOPIC),
    (b'{"topic":""}', MISSING_TOPIC),
    (b'{"topic":null}', MISSING_TOPIC),
    (b'{"topic":7}', invalid("Invalid field 'topic': must be string")),
    (b'{"topic":["a"]}', invalid("Invalid field 'topic': must be string")),
    (rb'{"topic":"a\u0000"}', invalid(f"Invalid field 'topic': {NO_TEXT}")),
    (rb'{"topic":"\ud800"}', invalid(f"Invalid field 'topic': {NO_TEXT}")),
    (b'{"topic":"a","idempotency_key":7}', invalid("Invalid field 'idempotency_key': must be string")),
    (b'{"topic":"a","idempotency_key":{}}', invalid("Invalid field 'idempotency_key': must be string")),
    (rb'{"topic":"a","idempotency_key":"\u0000"}', invalid(f"Invalid field 'idempotency_key': {NO_TEXT}")),
    (
        b'{"topic":"a","idempotency_key":"%b"}' % (b"k" * 1001),
        invalid("Invalid field 'idempotency_key': must not be longer than 1000 bytes"),
    ),
    (b'{"topic":"a","occurred_at":"now"}', NO_TIME),
    (b'{"topic":"a","occurred_at":1.5}', NO_TIME),
    (b'{"topic":"a","occurred_at":true}', NO_TIME),
    (b'{"topic":"a","occurred_at":1%b}' % (b"0" * 19), TOO_LATE),
    (b"[]", NO_JSON),
    (b'"a"', NO_JSON),
    (b"null", NO_JSON),
]  # fmt: skip
NOT_JSON = [b"", b"{", b"topic=a", b'{"topic":"a"}}', b'{"topic":NaN}', b"[" * 100_000]


@pytest.mark.django_db
@pytest.mark.parametrize(("body", "fault"), REFUSED, ids=lambda value: ascii(value)[:50])
def test_what_is_wrong_is_said_and_nothing_is_stored(
    api: Api, body: bytes, fault: tuple[int, str, str]
) -> None:
    assert api.post(EVENTS, body).fault == fault
    assert not Event.objects.exists()
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("path", [EVENTS, BATCH])
@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: ascii(body)[:50])
def test_what_is_no_json_is_refused_with_where_it_goes_wrong(api: Api, path: str, body: bytes) -> None:
    status, code, detail = api.post(path, body).fault
    assert (status, code) == (400, "invalid_json")
    assert "byte" in detail or "deeper than 128 levels" in detail
    assert not Event.objects.exists()


# --- Limits -------------------------------------------------------------------------------


def sized(size: int) -> bytes:
    head = b'{"topic":"a","payload":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


@pytest.mark.django_db
def test_a_body_may_be_as_large_as_the_limit_and_no_byte_larger(api: Api, settings: LazySettings) -> None:
    limit = settings.HL_MAX_PAYLOAD_BYTES
    assert limit == 524_288
    assert api.post(EVENTS, sized(limit)).status == 201
    assert api.post(EVENTS, sized(limit + 1)).fault == TOO_LARGE
    assert api.post(EVENTS, b"x" * (limit + 1)).fault == TOO_LARGE, "size comes before form"
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_a_full_queue_refuses_everything_but_what_is_too_large(
    acme: Tenant, api: Api, globex: Tenant, settings: LazySettings
) -> None:
    settings.HL_MAX_QUEUE_DEPTH = 2
    settings.HL_MAX_PAYLOAD_BYTES = 100
    endpoint = make_endpoint(acme, URL)
    for pattern in ("full", "#"):
        make_subscription(endpoint, pattern)
    publish(api, "full", idempotency_key="k")

    for path, body in (
        (EVENTS, b'{"topic":"b"}'),
        (EVENTS, b'{"topic":"full","idempotency_key":"k"}'),
        (EVENTS, b"no JSON"),
        (BATCH, b'{"events":[{"topic":"b"}]}'),
    ):
        answer = api.post(path, body)
        assert answer.fault == OVERLOADED
        assert answer.headers["retry-after"] == "5"
    assert api.post(EVENTS, sized(101)).fault == TOO_LARGE
    assert api_of(globex).post(EVENTS, {"topic": "b"}).status == 201
    assert Event.objects.filter(tenant_id="acme").count() == 1


@pytest.mark.django_db
def test_a_queue_takes_more_once_it_was_emptied_and_nothing_where_the_limit_is_0(
    acme: Tenant, api: Api, receiver: Receiver, settings: LazySettings
) -> None:
    settings.HL_MAX_QUEUE_DEPTH = 1
    make_subscription(make_endpoint(acme, receiver.url()))
    publish(api)
    assert api.post(EVENTS, {"topic": "a"}).fault == OVERLOADED
    deliver()
    publish(api)

    settings.HL_MAX_QUEUE_DEPTH = 0
    assert api_of(acme).post(EVENTS, {"topic": "a"}).fault == OVERLOADED


@pytest.mark.django_db
def test_the_depth_is_asked_for_once_a_batch(acme: Tenant, api: Api, settings: LazySettings) -> None:
    settings.HL_MAX_QUEUE_DEPTH = 2
    make_subscription(make_endpoint(acme, URL))
    assert api.post(BATCH, {"events": [{"topic": "a"}] * 5}).json["accepted"] == 5
    assert api.post(BATCH, {"events": [{"topic": "a"}]}).fault == OVERLOADED


@pytest.mark.django_db
def test_a_burst_between_two_counts_is_seen(
    acme: Tenant, api: Api, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "COUNT_SERVES_SECONDS", 1e6)
    monkeypatch.setattr(depth, "CHEAP_TO_COUNT", 0)
    settings.HL_MAX_QUEUE_DEPTH = 3
    make_subscription(make_endpoint(acme, URL))
    statuses = [api.post(EVENTS, {"topic": "a"}).status for _ in range(5)]
    assert statuses == [201, 201, 201, 429, 429]


# --- Idempotency --------------------------------------------------------------------------


def repeat_of(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"id": event["id"], "event_id": event["id"], "deduped": True}


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, answer.json


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["k", "", " ", "ключ\n", "k" * 1000], ids=ascii)
def test_a_repeat_names_the_first_event_and_does_nothing(acme: Tenant, api: Api, key: str) -> None:
    make_subscription(make_endpoint(acme, URL))
    first = publish(api, idempotency_key=key)

    for body in (
        {"topic": "orders.created"},
        {"topic": "other", "payload": 2},
        {},
        {"topic": 7, "occurred_at": "x"},
    ):
        assert told(api.post(EVENTS, body | {"idempotency_key": key})) == repeat_of(first)
    assert (Event.objects.count(), Job.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_no_key_and_a_null_are_no_keys(api: Api) -> None:
    assert len({publish(api)["id"], publish(api)["id"]}) == 2
    assert len({publish(api, idempotency_key=None)["id"] for _ in range(2)}) == 2


@pytest.mark.django_db
def test_a_key_is_a_tenants_own(api: Api, globex: Tenant) -> None:
    first = publish(api, idempotency_key="k")
    assert publish(api_of(globex), idempotency_key="k")["id"] != first["id"]


@pytest.mark.django_db
def test_a_refused_event_leaves_its_key_free(api: Api) -> None:
    assert api.post(EVENTS, {"idempotency_key": "k"}).fault == MISSING_TOPIC
    publish(api, idempotency_key="k")


@pytest.mark.django_db
def test_a_key_lives_24_hours(api: Api) -> None:
    first = publish(api, idempotency_key="k")
    [key] = IdempotencyKey.objects.all()
    IdempotencyKey.objects.update(created_at=key.created_at - timedelta(hours=23, minutes=59))
    assert told(api.post(EVENTS, {"topic": "a", "idempotency_key": "k"})) == repeat_of(first)

    IdempotencyKey.objects.update(created_at=key.created_at - timedelta(hours=24, seconds=1))
    second = publish(api, idempotency_key="k")
    assert second["id"] != first["id"]
    assert told(api.post(EVENTS, {"topic": "a", "idempotency_key": "k"})) == repeat_of(second)


def test_of_many_at_once_with_one_key_one_is_an_event(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    endpoint = api.post("/v1/endpoints", {"url": receiver.url("/race")}).json["id"]
    api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})

    def race(number: int) -> Answer:
        event = {"topic": "a", "payload": number, "idempotency_key": "k"}
        return api.post(BATCH, {"events": [event]}) if number % 5 == 0 else api.post(EVENTS, event)

    with ThreadPoolExecutor(PUBLISHERS_AT_ONCE) as pool:
        answers = [answer.json for answer in pool.map(race, range(PUBLISHERS_AT_ONCE))]

    results = [answer["items"][0] if "items" in answer else answer for answer in answers]
    assert Tally("deduped" in result for result in results) == {True: PUBLISHERS_AT_ONCE - 1, False: 1}
    assert len({result["event_id"] for result in results}) == 1
    [event] = api.get(EVENTS).json["items"]
    assert event["id"] == results[0]["event_id"]
    [first] = [result for result in results if "deduped" not in result]
    assert len(first["job_ids"]) == 1


def test_a_key_outlives_a_restart_and_a_crash() -> None:
    server = LiveServer()
    try:
        first = publish(server.api(), idempotency_key="k")
        for end in (server.stop, server.kill):
            end()
            server.start()
            again = server.api().post(EVENTS, {"topic": "a", "idempotency_key": "k"})
            assert told(again) == repeat_of(first)
        assert server.api().get(EVENTS).json["count"] == 1
    finally:
        server.close()


# --- Many events --------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_batch_answers_for_each_event_in_its_place(acme: Tenant, api: Api) -> None:
    make_subscription(make_endpoint(acme, URL), "orders.*")
    old = publish(api, idempotency_key="old")
    answer = api.post(
        BATCH,
        {
            "events": [
                {"topic": "orders.1", "idempotency_key": "new"},
                {"payload": 1},
                {"topic": "other"},
                {"topic": "orders.2", "idempotency_key": "new"},
                7,
                {"idempotency_key": "old"},
            ]
        },
    )
    assert answer.status == 201
    items = answer.json.pop("items")
    first, other = items[0]["id"], items[2]["id"]
    assert {name: answer.json[name] for name in ("count", "accepted", "deduped", "rejected")} == {
        "count": 6, "accepted": 2, "deduped": 2, "rejected": 2,
    }  # fmt: skip
    job = Job.objects.get(event_id=parse_uuid(first))
    assert items == [
        {"id": first, "event_id": first, "job_ids": [str(job.id)]},
        {"error": "validation_error", "detail": "Missing field: topic", "index": 1},
        {"id": other, "event_id": other, "job_ids": []},
        {"id": first, "event_id": first, "deduped": True},
        {"error": "invalid_json", "detail": "", "index": 4},
        {"id": old["id"], "event_id": old["id"], "deduped": True},
    ]
    assert [item["topic"] for item in api.get(EVENTS).json["items"]] == [
        "orders.created",
        "orders.1",
        "other",
    ]


@pytest.mark.django_db
def test_a_batch_of_nothing_but_faults_is_still_answered_for_each(api: Api) -> None:
    bodies = [body for body, _ in REFUSED]
    answer = api.post(BATCH, b'{"events":[%b]}' % b",".join(bodies))
    assert answer.status == 201
    faults = [(400, item["error"], item["detail"]) for item in answer.json["items"]]
    assert faults == [fault for _, fault in REFUSED]
    assert [item["index"] for item in answer.json["items"]] == list(range(len(REFUSED)))
    assert (answer.json["accepted"], answer.json["rejected"]) == (0, len(REFUSED))
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_the_bytes_of_a_batch_are_kept_too(api: Api) -> None:
    events = b",".join(b'{"topic":"a","payload":%b}' % payload for payload in KEPT)
    items = api.post(BATCH, b' { "events" : [%b ] , "events_of":1}' % events).json["items"]
    for item, payload in zip(items, KEPT, strict=True):
        assert b'"payload":%b,' % payload in api.get(f"{EVENTS}/{item['id']}").body


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"events":[]}', invalid("Invalid field 'events': must hold 1 to 1000 events")),
        (
            b'{"events":[%b]}' % b",".join([b'{"topic":"a"}'] * 1001),
            invalid("Invalid field 'events': must hold 1 to 1000 events"),
        ),
        (b"{}", invalid("Missing field: events, a list of event objects")),
        (b'{"events":null}', invalid("Missing field: events, a list of event objects")),
        (b'{"events":{"topic":"a"}}', invalid("Missing field: events, a list of event objects")),
        (b'[{"topic":"a"}]', NO_JSON),
        (b'{"events":[{"topic":"a"},]}', None),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_what_is_no_batch_is_refused_whole(api: Api, body: bytes, fault: tuple[int, str, str] | None) -> None:
    status, code, detail = api.post(BATCH, body).fault
    if fault:
        assert (status, code, detail) == fault
    else:
        assert (status, code) == (400, "invalid_json")
        assert "byte" in detail
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_a_batch_holds_1000_events_and_each_may_be_as_large_as_one_alone(
    api: Api, settings: LazySettings
) -> None:
    many = api.post(BATCH, {"events": [{"topic": "a"}] * 1000}).json
    assert (many["count"], many["accepted"]) == (1000, 1000)
    assert len({item["id"] for item in many["items"]}) == 1000

    limit = settings.HL_MAX_PAYLOAD_BYTES
    items = api.post(BATCH, b'{"events":[%b,%b]}' % (sized(limit), sized(limit + 1))).json["items"]
    assert "id" in items[0]
    assert (items[1]["error"], items[1]["detail"]) == TOO_LARGE[1:]


@pytest.mark.django_db
def test_a_batch_may_be_16_megabytes(api: Api) -> None:
    most = 16 * 1024 * 1024
    body = b'{"events":[%b]}' % b",".join([sized(500_000)] * 33)
    assert api.post(BATCH, body + b" " * (most - len(body))).json["accepted"] == 33
    assert api.post(BATCH, body + b" " * (most - len(body) + 1)).fault == TOO_LARGE


@pytest.mark.django_db
def test_events_of_a_batch_are_delivered_each(acme: Tenant, api: Api, receiver: Receiver) -> None:
    make_subscription(make_endpoint(acme, receiver.url()))
    api.post(BATCH, {"events": [{"topic": f"orders.{number}"} for number in range(5)]})
    deliver()
    topics = [json.loads(request.body)["event"]["topic"] for request in receiver.received]
    assert sorted(topics) == [f"orders.{number}" for number in range(5)]
