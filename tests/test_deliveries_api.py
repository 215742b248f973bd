"""/v1/deliveries: every attempt that was made, and how it ended."""

from typing import Any
from uuid import uuid4

import pytest

from deliveries.models import Attempt
from hookline.times import milliseconds
from tenants.models import Tenant
from tests.api import Api, api_of
from tests.factories import deliver, let_time_pass, make_endpoint, make_subscription, publish
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERIES = "/v1/deliveries"


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def attempts_at(tenant: Tenant, receiver: Receiver, path: str, *statuses: int) -> list[Attempt]:
    """One event, answered with these statuses in turn."""
    endpoint = make_endpoint(tenant, receiver.url(path))
    make_subscription(endpoint, path.strip("/"))
    receiver.reply(path, *map(Reply, statuses))
    publish(tenant, {"topic": path.strip("/"), "payload": {}})
    for _ in statuses:
        deliver()
        let_time_pass()
    return list(Attempt.objects.filter(endpoint_id=endpoint.id).order_by("id"))


def listed(api: Api, query: str = "") -> list[str]:
    document = api.get(DELIVERIES + query).json
    assert document["count"] == len(document["items"])
    return [item["attempt_id"] for item in document["items"]]


def ids(*attempts: Attempt) -> list[str]:
    return [str(attempt.id) for attempt in attempts]


def test_an_attempt_tells_what_was_tried_and_what_came_back(
    api: Api, acme: Tenant, receiver: Receiver
) -> None:
    failed, good = attempts_at(acme, receiver, "/hook", 503, 200)
    document: dict[str, Any] = api.get(f"{DELIVERIES}/{good.id}").json
    document.pop("response_body", None)
    assert document == {
        "attempt_id": str(good.id),
        "job_id": str(good.job_id),
        "event_id": str(good.event_id),
        "endpoint_id": str(good.endpoint_id),
        "tenant_id": "acme",
        "attempt_n": 2,
        "status": "success",
        "http_status": 200,
        "error": None,
        "error_detail": good.error_detail,
        "started_at": milliseconds(good.started_at),
        "duration_ms": good.duration_ms,
    }
    document = api.get(f"{DELIVERIES}/{failed.id}").json
    shown = [document[name] for name in ("attempt_n", "status", "http_status", "error")]
    assert shown == [1, "failure", 503, "http_5xx"]
    assert "503" in document["error_detail"]


def test_nobody_answering_is_status_0(api: Api, acme: Tenant) -> None:
    make_subscription(make_endpoint(acme, "http://127.0.0.1:9/"))
    publish(acme, {"topic": "x"})
    deliver()
    (item,) = api.get(DELIVERIES).json["items"]
    assert (item["status"], item["http_status"], item["error"]) == ("failure", 0, "connect")


def test_every_filter_narrows_the_list(api: Api, acme: Tenant, receiver: Receiver) -> None:
    failed, good = attempts_at(acme, receiver, "/one", 503, 200)
    (other,) = attempts_at(acme, receiver, "/two", 404)
    assert listed(api) == ids(failed, good, other)
    for name in ("event_id", "endpoint_id", "job_id"):
        assert listed(api, f"?{name}={getattr(good, name)}") == ids(failed, good)
        assert listed(api, f"?{name}={uuid4()}") == listed(api, f"?{name}=nonsense") == []
    assert listed(api, "?status=success") == ids(good)
    assert listed(api, "?status=failed") == listed(api, "?status=failure") == ids(failed, other)
    assert listed(api, "?status=pending") == []
    assert listed(api, f"?event_id={good.event_id}&endpoint_id={other.endpoint_id}") == []
    assert listed(api, f"?job_id={good.job_id}&status=failed&limit=5") == ids(failed)


def test_the_limit_counts_from_the_oldest(api: Api, acme: Tenant, receiver: Receiver) -> None:
    made = attempts_at(acme, receiver, "/hook", 503, 503, 200)
    assert listed(api, "?limit=1") == ids(made[0])
    for query in ("?limit=0", "?limit=-1", "?limit=1001", "?limit=many", "?limit=1000"):
        assert listed(api, query) == ids(*made)


def test_another_tenants_attempts_are_not_there(api: Api, globex: Tenant, receiver: Receiver) -> None:
    (theirs,) = attempts_at(globex, receiver, "/hook", 200)
    assert listed(api) == listed(api, f"?job_id={theirs.job_id}") == []
    assert listed(api, f"?event_id={theirs.event_id}") == []
    for id in (theirs.id, uuid4(), "nonsense"):
        assert api.get(f"{DELIVERIES}/{id}").fault == (404, "not_found", "Attempt not found")
