"""/v1/dlq: jobs that were given up, sent round again or let go."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from deliveries.models import Attempt, DeadLetter, Job
from hookline.times import milliseconds
from tenants.models import AuditEntry, Tenant
from tests.api import Api, api_of
from tests.factories import NO_ID, deliver, let_time_pass, make_endpoint, make_subscription, publish
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

DLQ = "/v1/dlq"
NOT_FOUND = (404, "not_found", "DLQ entry not found")


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def bury(tenant: Tenant, receiver: Receiver, status: int = 404, path: str = "/hook") -> DeadLetter:
    """A job that the receiver refused for good."""
    endpoint = make_endpoint(tenant, receiver.url(path))
    make_subscription(endpoint)
    receiver.reply(path, Reply(status))
    publish(tenant, {"topic": "orders.created", "payload": {"path": path}})
    deliver()
    return DeadLetter.objects.get(endpoint_id=endpoint.id)


def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    document = api.get(DLQ + query).json
    assert (document["ok"], document["count"]) == (True, len(document["items"]))
    return list(document["items"])


def test_a_dead_letter_tells_which_job_and_why(api: Api, acme: Tenant, receiver: Receiver) -> None:
    letter = bury(acme, receiver)
    expected = {
        "id": str(letter.job_id),
        "job_id": str(letter.job_id),
        "event_id": str(letter.event_id),
        "endpoint_id": str(letter.endpoint_id),
        "tenant_id": "acme",
        "reason": "http_404",
        "attempt_count": 1,
        "created_at": milliseconds(letter.created_at),
        "failed_at": milliseconds(letter.created_at),
    }
    assert listed(api) == [expected]
    assert api.get(f"{DLQ}/{letter.job_id}").json == expected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
def test_a_refusal_for_good_is_named_by_its_status(
    api: Api, acme: Tenant, receiver: Receiver, status: int
) -> None:
    bury(acme, receiver, status)
    assert [item["reason"] for item in listed(api)] == [f"http_{status}"]


def test_letters_are_listed_newest_first_by_endpoint_and_by_tenant(
    api: Api, acme: Tenant, globex: Tenant, receiver: Receiver
) -> None:
    theirs = bury(globex, receiver, path="/globex")
    first = bury(acme, receiver, path="/first")
    second = make_endpoint(acme, receiver.url("/second"))
    make_subscription(second)
    receiver.reply("/second", Reply(404))
    publish(acme, {"topic": "x"})
    deliver()

    mine = [UUID(item["job_id"]) for item in listed(api)]
    by_time = DeadLetter.objects.filter(tenant=acme).order_by("-created_at", "-job_id")
    assert mine == list(by_time.values_list("job_id", flat=True))
    assert (len(mine), mine[-1]) == (3, first.job_id)
    assert len(listed(api, "?endpoint_id=")) == len(listed(api, "?limit=1")) == 3
    assert [item["endpoint_id"] for item in listed(api, f"?endpoint_id={second.id}")] == [str(second.id)]
    for query in (f"?endpoint_id={theirs.endpoint_id}", f"?endpoint_id={uuid4()}", "?endpoint_id=nonsense"):
        assert listed(api, query) == []


def test_a_requeued_job_is_delivered_with_its_old_ids_and_a_fresh_budget(
    api: Api, acme: Tenant, receiver: Receiver
) -> None:
    endpoint = make_endpoint(acme, receiver.url("/hook"), max_retries=2)
    make_subscription(endpoint)
    receiver.reply("/hook", Reply(503))
    publish(acme, {"topic": "x"})
    for _ in range(2):
        deliver()
        let_time_pass()
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.attempt_count) == ("max_attempts_exceeded", 2)

    requeued = api.post(f"{DLQ}/{letter.job_id}/requeue")
    assert (requeued.status, requeued.json) == (200, {"ok": True})
    assert listed(api) == []
    receiver.reply("/hook", Reply(503), Reply(200))
    deliver()
    let_time_pass()
    deliver()

    assert Job.objects.get().status == Job.Status.SUCCEEDED
    assert list(Attempt.objects.order_by("id").values_list("attempt_n", flat=True)) == [1, 2, 3, 4]
    ids = {(request.headers["x-hl-event-id"], request.json["job_id"]) for request in receiver.at("/hook")}
    assert ids == {(str(letter.event_id), str(letter.job_id))}


@pytest.mark.parametrize("body", [b"", b"{}", b"garbage", b'{"job_id":"other"}'])
def test_a_requeue_asks_for_no_body(api: Api, acme: Tenant, receiver: Receiver, body: bytes) -> None:
    letter = bury(acme, receiver)
    assert api.post(f"{DLQ}/{letter.job_id}/requeue", body).json == {"ok": True}


def test_a_job_that_fails_again_is_a_dead_letter_again(api: Api, acme: Tenant, receiver: Receiver) -> None:
    letter = bury(acme, receiver)
    api.post(f"{DLQ}/{letter.job_id}/requeue")
    deliver()
    (item,) = listed(api)
    assert (item["job_id"], item["attempt_count"]) == (str(letter.job_id), 2)


def test_a_job_whose_endpoint_was_deleted_says_so_when_it_is_requeued(
    api: Api, acme: Tenant, receiver: Receiver
) -> None:
    letter = bury(acme, receiver)
    api.delete(f"/v1/endpoints/{letter.endpoint_id}")
    api.post(f"{DLQ}/{letter.job_id}/requeue")
    deliver()
    (item,) = listed(api)
    assert (item["reason"], item["attempt_count"]) == ("failed to fetch event or endpoint", 1)


def test_a_deleted_letter_is_gone_and_its_job_stays_dead(api: Api, acme: Tenant, receiver: Receiver) -> None:
    letter = bury(acme, receiver)
    path = f"{DLQ}/{letter.job_id}"
    answer = api.delete(path)
    assert (answer.status, answer.body) == (204, b"")
    assert listed(api) == []
    assert api.delete(path).fault == api.post(path + "/requeue").fault == NOT_FOUND
    assert api.get(path).fault == NOT_FOUND
    assert Job.objects.get().status == Job.Status.DEAD


def test_another_tenants_letter_is_not_found(
    api: Api, acme: Tenant, globex: Tenant, receiver: Receiver
) -> None:
    path = f"{DLQ}/{bury(acme, receiver).job_id}"
    stranger = api_of(globex)
    for answer in (stranger.get(path), stranger.delete(path), stranger.post(path + "/requeue")):
        assert answer.fault == NOT_FOUND
    assert len(listed(api)) == 1


@pytest.mark.parametrize("unknown", [NO_ID, "nonsense"])
def test_an_unknown_letter_is_not_found(api: Api, unknown: str) -> None:
    path = f"{DLQ}/{unknown}"
    assert api.delete(path).fault == api.post(path + "/requeue").fault == NOT_FOUND


def test_a_deletion_without_an_id_says_so(api: Api) -> None:
    assert api.delete(DLQ).fault == (400, "validation_error", "job_id required")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("POST", "/1"), ("PATCH", "/1"), ("GET", "/1/requeue"), ("DELETE", "/1/requeue")],
)
def test_other_methods_are_not_allowed(api: Api, method: str, path: str) -> None:
    assert api.call(method, DLQ + path).status == 405


def test_what_was_done_with_letters_is_in_the_log(api: Api, acme: Tenant, receiver: Receiver) -> None:
    letter = bury(acme, receiver)
    api.post(f"{DLQ}/{letter.job_id}/requeue")
    deliver()
    api.delete(f"{DLQ}/{letter.job_id}")
    entries = AuditEntry.objects.filter(action__startswith="dlq.").order_by("number")
    assert [(entry.action, entry.target) for entry in entries] == [
        ("dlq.requeued", str(letter.job_id)),
        ("dlq.deleted", str(letter.job_id)),
    ]
