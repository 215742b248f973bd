"""GET /v1/events/{id}/why: what became of an event, for programs."""

from typing import Any

import pytest

from deliveries.models import Job
from hookline.heartbeat import Heartbeat
from hookline.times import milliseconds
from tenants.models import Tenant
from tests.api import api_of
from tests.factories import make_endpoint, make_subscription
from tests.queueing import URL, fail, make_target, take

pytestmark = pytest.mark.django_db


def why(tenant: Tenant, query: str = "") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The items for a new event of 99 francs, and the whole answer."""
    api = api_of(tenant)
    event = api.post("/v1/events", {"topic": "orders.paid", "payload": {"amount": 99}}).json["id"]
    answer = api.get(f"/v1/events/{event}/why{query}")
    assert answer.status == 200
    return answer.json["items"], answer.json


def test_what_was_not_sent_says_which_clause_failed(acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    subscription = make_subscription(endpoint, "orders.#", {"gte": "payload.amount", "value": 100})
    [item], _ = why(acme)
    assert item == {
        "endpoint_id": str(endpoint.id),
        "subscription_id": str(subscription.id),
        "topic_pattern": "orders.#",
        "outcome": "not_sent",
        "detail": "Filter: payload.amount is 99, and at least 100 is wanted.",
        "until": None,
        "job_id": None,
        "jobs": 0,
        "matches": False,
        "clauses": [{"operator": "gte", "path": "payload.amount", "wanted": "100", "found": "99"}],
    }


def test_what_a_path_did_not_find_is_null(acme: Tenant) -> None:
    make_subscription(make_endpoint(acme, URL), "#", {"eq": "payload.currency", "value": None})
    [item], _ = why(acme)
    assert item["clauses"] == [
        {"operator": "eq", "path": "payload.currency", "wanted": "null", "found": None}
    ]


def test_what_waits_says_for_what_and_until_when(acme: Tenant) -> None:
    Heartbeat("worker").beat()
    make_target(acme)
    api = api_of(acme)
    event = api.post("/v1/events", {"topic": "a"}).json
    fail(take(), retry_in=60)
    [item] = api.get(f"/v1/events/{event['id']}/why").json["items"]
    job = Job.objects.get()
    assert (item["outcome"], item["job_id"], item["jobs"]) == ("retrying", str(job.id), 1)
    assert item["until"] == milliseconds(job.next_attempt_at)
    assert item["matches"] is True


def test_one_endpoint_can_be_asked_about_and_another_tenants_is_not_told_of(
    acme: Tenant, globex: Tenant
) -> None:
    make_target(acme)
    asked, theirs = make_endpoint(acme, URL), make_target(globex)
    [item], _ = why(acme, f"?endpoint_id={asked.id}")
    assert (item["endpoint_id"], item["subscription_id"]) == (str(asked.id), None)
    for nobodys in (theirs.id, "no-id"):
        assert why(acme, f"?endpoint_id={nobodys}")[0] == []


def test_pages_lead_from_one_to_the_next(acme: Tenant) -> None:
    made = [str(make_endpoint(acme, URL).id) for _ in range(3)]
    items, answer = why(acme, "?limit=2")
    following, last = why(acme, f"?limit=2&cursor={answer['next_cursor']}")
    assert [item["endpoint_id"] for item in items + following] == made
    assert (answer["count"], last["count"]) == (2, 1)
    assert "next_cursor" not in last
