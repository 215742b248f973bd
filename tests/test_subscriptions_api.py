"""/v1/subscriptions: which events an endpoint gets, from the next publish on."""

import json
from typing import Any
from uuid import uuid4

import pytest

from deliveries.models import Job, Subscription
from tenants.models import Tenant
from tests.api import Api, api_of
from tests.factories import NO_ID, deliver, make_endpoint, publish
from tests.receiver import Receiver

SUBSCRIPTIONS = "/v1/subscriptions"
URL = "https://hooks.example/in"
NOT_FOUND = (404, "not_found", "Subscription not found")
NO_ENDPOINT = (404, "not_found", "Endpoint not found")
FILTER = {"and": [{"gt": "payload.total", "value": 1.5}, {"not": {"eq": "topic", "value": "x"}}]}
TRANSFORM = [{"op": "remove_field", "field": "internal"}]


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


@pytest.fixture
def endpoint_id(acme: Tenant) -> str:
    return str(make_endpoint(acme, URL).id)


def invalid(sentence: str) -> tuple[int, str, str]:
    return 400, "validation_error", sentence


def subscribe(api: Api, endpoint_id: str, topic_pattern: str = "#", **fields: Any) -> dict[str, Any]:
    document = {"endpoint_id": endpoint_id, "topic_pattern": topic_pattern, **fields}
    answer = api.post(SUBSCRIPTIONS, document)
    assert answer.status == 201
    return dict(answer.json)


@pytest.mark.django_db
def test_a_subscription_is_shown_as_it_was_sent(api: Api, endpoint_id: str) -> None:
    given = {"filter": FILTER, "transform": TRANSFORM, "description": "all of it", "team": {"a": [1.0]}}
    subscription = subscribe(api, endpoint_id, "orders.*", **given)
    assert subscription == given | {
        "id": subscription["subscription_id"],
        "subscription_id": str(Subscription.objects.get().id),
        "tenant_id": "acme",
        "endpoint_id": endpoint_id,
        "topic_pattern": "orders.*",
        "created_at": subscription["created_at"],
    }
    assert isinstance(subscription["created_at"], int)
    assert api.get(f"{SUBSCRIPTIONS}/{subscription['id']}").json == subscription
    assert api.get(SUBSCRIPTIONS).json == {"items": [subscription], "count": 1, "ok": True}


@pytest.mark.django_db
def test_rules_and_unknown_fields_are_echoed_as_they_were_spelled(api: Api, endpoint_id: str) -> None:
    spelled = b'"filter":{"eq":"payload.n","value":1.10},"transform":{"op":"x","to":"\\u0041"},"other":2e5'
    body = b'{"endpoint_id":"%b","topic_pattern":"#",%b}' % (endpoint_id.encode(), spelled)
    for part in spelled.split(b',"'):
        assert part.strip(b'"') in api.post(SUBSCRIPTIONS, body).body


@pytest.mark.django_db
def test_subscriptions_are_listed_in_the_order_of_creation_and_by_endpoint(
    api: Api, acme: Tenant, globex: Tenant, endpoint_id: str
) -> None:
    other = str(make_endpoint(acme, URL).id)
    mine = [
        subscribe(api, id, pattern) for id, pattern in ((endpoint_id, "b"), (other, "a"), (endpoint_id, "c"))
    ]
    theirs = subscribe(api_of(globex), str(make_endpoint(globex, URL).id))

    def listed(query: str = "") -> Any:
        return api.get(SUBSCRIPTIONS + query).json["items"]

    assert listed() == listed("?endpoint_id=") == mine
    assert listed(f"?endpoint_id={endpoint_id}") == [mine[0], mine[2]]
    assert listed(f"?endpoint_id={theirs['endpoint_id']}") == []
    assert listed(f"?endpoint_id={uuid4()}") == listed("?endpoint_id=nonsense") == []


@pytest.mark.django_db
def test_another_tenants_subscription_and_endpoint_are_not_found(
    api: Api, globex: Tenant, endpoint_id: str
) -> None:
    path = f"{SUBSCRIPTIONS}/{subscribe(api, endpoint_id)['id']}"
    stranger = api_of(globex)
    assert stranger.get(path).fault == stranger.delete(path).fault == NOT_FOUND
    foreign = {"endpoint_id": endpoint_id, "topic_pattern": "#"}
    assert stranger.post(SUBSCRIPTIONS, foreign).fault == NO_ENDPOINT
    assert api.get(path).status == 200


@pytest.mark.django_db
@pytest.mark.parametrize("unknown", [NO_ID, "no-uuid"])
def test_an_unknown_subscription_is_not_found(api: Api, unknown: str) -> None:
    path = f"{SUBSCRIPTIONS}/{unknown}"
    assert api.get(path).fault == api.delete(path).fault == NOT_FOUND


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("PUT", ""), ("PATCH", "/1"), ("POST", "/1")])
def test_subscriptions_cannot_be_changed(api: Api, method: str, path: str) -> None:
    assert api.call(method, SUBSCRIPTIONS + path, {}).status == 405


@pytest.mark.django_db
def test_a_deletion_without_an_id_says_so(api: Api) -> None:
    assert api.delete(SUBSCRIPTIONS).fault == invalid("subscription_id required")


@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["endpoint_id", "topic_pattern"])
@pytest.mark.parametrize("value", [None, ""])
def test_endpoint_and_pattern_are_required(
    api: Api, endpoint_id: str, missing: str, value: str | None
) -> None:
    document = {"endpoint_id": endpoint_id, "topic_pattern": "#"}
    for body in (document | {missing: value}, {key: document[key] for key in document if key != missing}):
        assert api.post(SUBSCRIPTIONS, body).fault == invalid(f"Missing: {missing}")


FILTERS = 'must be an object such as {"eq": "payload.type", "value": "paid"}'
TRANSFORMS = 'must be an operation or a list of operations such as {"op": "remove_field", "field": "x"}'
TOO_LONG = "must not be longer than 65536 bytes"


def nested(levels: int) -> Any:
    return {"not": nested(levels - 1)} if levels else {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("endpoint_id", 5, "must be string"),
        ("topic_pattern", 5, "must be string"),
        ("topic_pattern", ["#"], "must be string"),
        ("topic_pattern", "a\0", "must not hold NUL or half of a surrogate pair"),
        ("topic_pattern", "a." * 501, "must not be longer than 1000 characters"),
        ("filter", [], FILTERS),
        ("filter", "payload.total > 100", FILTERS),
        ("filter", 5, FILTERS),
        ("filter", False, FILTERS),
        ("filter", nested(40), "must not be nested deeper than 32 levels"),
        ("filter", {"eq": "topic", "value": "x" * 70_000}, TOO_LONG),
        ("transform", "remove", TRANSFORMS),
        ("transform", 5, TRANSFORMS),
        ("transform", ["remove"], TRANSFORMS),
        ("transform", [{"op": "set_field", "field": "x", "value": "x" * 70_000}], TOO_LONG),
        ("description", 5, "must be string"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(
    api: Api, endpoint_id: str, field: str, value: object, sentence: str
) -> None:
    document = {"endpoint_id": endpoint_id, "topic_pattern": "#", field: value}
    assert api.post(SUBSCRIPTIONS, document).fault == invalid(f"Invalid field '{field}': {sentence}")
    assert not Subscription.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("unknown", [NO_ID, "no-uuid"])
def test_nobody_can_subscribe_for_an_endpoint_that_does_not_exist(api: Api, unknown: str) -> None:
    assert api.post(SUBSCRIPTIONS, {"endpoint_id": unknown, "topic_pattern": "#"}).fault == NO_ENDPOINT


@pytest.mark.django_db
@pytest.mark.parametrize("rules", [{}, {"filter": None, "transform": None}, {"filter": {}, "transform": []}])
def test_rules_may_be_left_empty(api: Api, acme: Tenant, endpoint_id: str, rules: dict[str, Any]) -> None:
    shown = subscribe(api, endpoint_id, **rules)
    assert {rule: shown.get(rule) for rule in rules} == rules
    publish(acme, {"topic": "any"})
    assert Job.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"'])
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    answer = api.post(SUBSCRIPTIONS, body)
    assert (answer.status, answer.json["error"]) == (400, "invalid_json")


@pytest.mark.django_db(transaction=True)
def test_a_subscription_begins_and_ends_with_the_next_publish(api: Api, endpoint_id: str) -> None:
    """Over the API, as a process keeps a copy of a tenant's subscriptions."""

    def jobs_of_a_publish() -> int:
        return len(api.post("/v1/events", {"topic": "orders.created"}).json["job_ids"])

    assert jobs_of_a_publish() == 0
    first = subscribe(api, endpoint_id, "orders.*")
    assert jobs_of_a_publish() == 1
    subscribe(api, endpoint_id, "#")
    assert jobs_of_a_publish() == 2
    assert api.delete(f"{SUBSCRIPTIONS}/{first['id']}").status == 204
    assert jobs_of_a_publish() == 1
    assert api.delete(f"/v1/endpoints/{endpoint_id}").status == 204
    assert jobs_of_a_publish() == 0


@pytest.mark.django_db
def test_a_deleted_subscription_is_gone(api: Api, endpoint_id: str) -> None:
    path = f"{SUBSCRIPTIONS}/{subscribe(api, endpoint_id)['id']}"
    answer = api.delete(path)
    assert (answer.status, answer.body) == (204, b"")
    assert api.get(path).fault == api.delete(path).fault == NOT_FOUND
    assert api.get(SUBSCRIPTIONS).json == {"items": [], "count": 0, "ok": True}


@pytest.mark.django_db(transaction=True)
def test_what_was_matched_is_delivered_with_its_transform_after_the_subscription_is_gone(
    api: Api, acme: Tenant, receiver: Receiver
) -> None:
    endpoint = make_endpoint(acme, receiver.url("/hook"), payload_format="event")
    transform = [
        {"op": "remove_field", "field": "internal"},
        {"op": "set_field", "path": "channel", "value": "web"},
    ]
    subscription = subscribe(api, str(endpoint.id), transform=transform)
    publish(acme, {"topic": "orders.created", "internal": "not for them", "payload": {"n": 1}})
    assert api.delete(f"{SUBSCRIPTIONS}/{subscription['id']}").status == 204
    deliver()
    (request,) = receiver.at("/hook")
    body = json.loads(request.body)
    assert ("internal" in body, body["channel"], body["payload"]) == (False, "web", {"n": 1})
