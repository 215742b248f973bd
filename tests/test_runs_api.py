"""/v1/dlq/runs, /v1/replay/runs and dry runs: bulk work as clients ask for it."""

from typing import Any
from uuid import UUID

import pytest

from deliveries.models import DeadLetter, Job, Run
from deliveries.runs import control
from hookline.times import milliseconds
from tenants.models import AuditEntry, Tenant
from tests.api import Api, api_of
from tests.factories import publish
from tests.queueing import make_target, succeed, take
from tests.running import bury_some, finish, letters, pending, start, step_once

pytestmark = pytest.mark.django_db

DLQ, REPLAY = "/v1/dlq/runs", "/v1/replay/runs"
REQUEUE = {"verb": "requeue", "all": True}
UNKNOWN = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


def started(api: Api, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.post(path, body)
    assert answer.status == 201, answer.body
    return dict(answer.json)


def finished(api: Api, path: str, run: dict[str, Any]) -> dict[str, Any]:
    finish(Run.objects.get(id=run["id"]))
    return dict(api.get(f"{path}/{run['id']}").json)


def test_letters_are_requeued_by_a_run_that_tells_how_far_it_is(api: Api, acme: Tenant) -> None:
    ids = bury_some(make_target(acme), 3, "http_404")
    bury_some(make_target(acme), 2)
    run = started(api, DLQ, {"verb": "requeue", "reason": "http_404", "rate": 50})
    asked_by = AuditEntry.objects.get(action="run.started").actor
    expected = {
        "id": run["id"],
        "tenant_id": "acme",
        "verb": "requeue",
        "state": "waiting",
        "selection": {"reason": "http_404"},
        "rate": 50,
        "total": 3,
        "is_exact": True,
        "done": 0,
        "skipped": 0,
        "deliveries": 0,
        "held_because": None,
        "last_error": None,
        "asked_by": asked_by,
        "created_at": milliseconds(Run.objects.get().created_at),
        "started_at": None,
        "finished_at": None,
    }
    assert run == expected
    assert asked_by.startswith("key ")
    assert pending() == set()
    done = finished(api, DLQ, run)
    assert (done["state"], done["done"], done["deliveries"]) == ("done", 3, 3)
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    assert pending() == set(ids)
    assert api.get(DLQ).json == {"items": [done]}


def test_letters_are_discarded_by_their_ids(api: Api, acme: Tenant) -> None:
    one, other = bury_some(make_target(acme), 2)
    run = started(api, DLQ, {"verb": "discard", "job_ids": [str(one), "nonsense"]})
    assert run["selection"] == {"job_ids": [str(one), "00000000-0000-0000-0000-000000000000"]}
    assert finished(api, DLQ, run)["done"] == 1
    assert letters() == {other}


def test_what_a_customer_missed_is_replayed(api: Api, acme: Tenant) -> None:
    publish(acme, {"topic": "orders.1"})
    endpoint = make_target(acme)
    run = started(api, REPLAY, {"endpoint_id": str(endpoint.id), "mode": "missed_only"})
    assert run["selection"] == {"endpoint_id": str(endpoint.id), "mode": "missed_only"}
    assert finished(api, REPLAY, run)["deliveries"] == 1
    assert Job.objects.get().endpoint_id == endpoint.id
    assert Job.objects.get().replay_id == UUID(run["id"])


def test_a_run_is_paused_resumed_and_cancelled(api: Api, acme: Tenant) -> None:
    bury_some(make_target(acme), 3)
    run = started(api, DLQ, REQUEUE)
    for action, state in (("pause", "paused"), ("resume", "waiting"), ("cancel", "cancelled")):
        answer = api.post(f"{DLQ}/{run['id']}/{action}")
        assert (answer.status, answer.json["state"]) == (200, state)
    assert api.post(f"{DLQ}/{run['id']}/resume").fault == (409, "conflict", "The run is cancelled already")
    assert api.post(f"{DLQ}/{run['id']}/explode").fault == (404, "not_found", "No such path")
    assert len(letters()) == 3


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(api: Api, acme: Tenant) -> None:
    endpoint = make_target(acme)
    bury_some(endpoint, 3)
    times = sorted(milliseconds(at) for at in DeadLetter.objects.values_list("created_at", flat=True))
    answer = api.post(DLQ, REQUEUE | {"dry_run": True})
    assert (answer.status, answer.json) == (
        200,
        {
            "dry_run": True,
            "count": 3,
            "is_exact": True,
            "deliveries": 3,
            "oldest": times[0],
            "newest": times[-1],
            "by_endpoint": [{"endpoint_id": str(endpoint.id), "count": 3}],
        },
    )
    assert api.post(REPLAY, {"dry_run": True}).json["count"] == 3
    assert (Run.objects.count(), pending(), len(letters())) == (0, set(), 3)


def test_a_dry_run_of_a_replay_tells_of_what_that_request_would_do(api: Api, acme: Tenant) -> None:
    endpoint = make_target(acme)
    for moment in (1000, 2000, 3000):
        publish(acme, {"topic": "orders.1", "occurred_at": moment})
    asked = {"limit": 2, "dry_run": True}
    before = Job.objects.count()
    told = api.post("/v1/replay", asked).json
    assert told == {
        "dry_run": True,
        "count": 2,
        "is_exact": True,
        "deliveries": 2,
        "oldest": 1000,
        "newest": 2000,
        "by_endpoint": [{"endpoint_id": str(endpoint.id), "count": 2}],
    }
    assert Job.objects.count() == before
    assert api.post("/v1/replay", asked | {"dry_run": False}).json["replayed"] == 2
    assert api.post("/v1/replay", {"event_id": UNKNOWN, "dry_run": True}).status == 404
    assert api.post("/v1/replay", {"dry_run": "yes"}).status == 400


def test_a_replay_of_what_was_missed_leaves_out_what_arrived(api: Api, acme: Tenant) -> None:
    make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    late = make_target(acme)
    [result] = api.post("/v1/replay", {"mode": "missed_only"}).json["results"]
    [job] = Job.objects.filter(id__in=result["job_ids"])
    assert job.endpoint_id == late.id
    [again] = api.post("/v1/replay", {"mode": "missed_only"}).json["results"]
    assert again["job_ids"] == []


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        (DLQ, {}, "Missing field: verb"),
        (DLQ, {"verb": "replay", "all": True}, "Invalid field 'verb': must be requeue, discard"),
        (DLQ, {"verb": {}}, "Invalid field 'verb': must be requeue, discard"),
        (DLQ, {"verb": "discard"}, "no field narrows it"),
        (DLQ, {"verb": "discard", "endpoint": "a typing mistake"}, "no field narrows it"),
        (DLQ, {"verb": "discard", "all": False, "topic": ""}, "no field narrows it"),
        (DLQ, REQUEUE | {"rate": 0}, "Invalid field 'rate': must be integer from 1 to 10000"),
        (DLQ, REQUEUE | {"rate": 10_001}, "Invalid field 'rate': must be integer from 1 to 10000"),
        (DLQ, REQUEUE | {"job_ids": []}, "Invalid field 'job_ids': must be a list of 1 to 1000 ids"),
        (REPLAY, {}, "no field narrows it"),
        (REPLAY, {"mode": "sometimes"}, "'mode': must be all, failed_only, missed_only"),
        (REPLAY, {"topic": "a" * 1001}, "'topic': must not be longer than 1000 characters"),
        (REPLAY, {"from_ms": "yesterday"}, "Invalid field 'from_ms'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_starts_nothing(
    api: Api, path: str, body: dict[str, Any], detail: str
) -> None:
    status, code, told = api.post(path, body).fault
    assert (status, code) == (400, "validation_error")
    assert detail in told
    assert not Run.objects.exists()


def test_no_tenant_has_more_than_ten_runs_that_are_not_over(api: Api, acme: Tenant, globex: Tenant) -> None:
    bury_some(make_target(acme))
    runs = [started(api, DLQ, REQUEUE) for _ in range(control.MOST_OPEN)]
    told = "10 runs are not over yet: wait for the end of one, or cancel it"
    assert api.post(REPLAY, {"all": True}).fault == (409, "conflict", told)
    assert api.post(DLQ, REQUEUE | {"dry_run": True}).status == 200
    started(api_of(globex), DLQ, REQUEUE)
    api.post(f"{DLQ}/{runs[0]['id']}/cancel")
    started(api, REPLAY, {"all": True})


def test_a_run_is_found_under_its_own_kind_only(api: Api, acme: Tenant) -> None:
    run = started(api, REPLAY, {"all": True})
    assert api.get(f"{DLQ}/{run['id']}").fault == (404, "not_found", "Run not found")
    assert api.post(f"{DLQ}/{run['id']}/cancel").status == 404
    assert api.get(DLQ).json == {"items": []}
    assert api.get(f"{REPLAY}/{UNKNOWN}").status == 404


def test_another_tenants_run_is_not_found_and_goes_on(api: Api, acme: Tenant, globex: Tenant) -> None:
    for path, verb in ((DLQ, Run.Verb.REQUEUE), (REPLAY, Run.Verb.REPLAY)):
        theirs = start(verb, globex)
        assert api.get(f"{path}/{theirs.id}").status == 404
        assert {api.post(f"{path}/{theirs.id}/{word}").status for word in ("pause", "resume", "cancel")} == {
            404
        }
        assert api.get(path).json == {"items": []}
    everyones = start(Run.Verb.REQUEUE, None)
    assert api.post(f"{DLQ}/{everyones.id}/cancel").status == 404
    assert set(Run.objects.values_list("state", flat=True)) == {"waiting"}


def test_a_run_reaches_nothing_of_another_tenant(api: Api, acme: Tenant, globex: Tenant) -> None:
    endpoint = make_target(globex)
    ids = bury_some(endpoint, 2)
    event_ids = [str(id) for id in Job.objects.values_list("event_id", flat=True)]
    requests: list[tuple[str, dict[str, Any]]] = [
        (DLQ, {"verb": "requeue", "endpoint_id": str(endpoint.id)}),
        (DLQ, {"verb": "discard", "job_ids": [str(id) for id in ids]}),
        (REPLAY, {"endpoint_id": str(endpoint.id)}),
        (REPLAY, {"event_ids": event_ids}),
        (REPLAY, {"mode": "failed_only"}),
    ]
    for path, asked in requests:
        assert api.post(path, asked | {"dry_run": True}).json["by_endpoint"] == []
        run = started(api, path, asked)
        assert (run["total"], finished(api, path, run)["done"]) == (0, 0)
    assert letters() == set(ids)
    assert Job.objects.count() == 2


def test_a_key_needs_the_scope_of_what_the_run_does(acme: Tenant) -> None:
    for path, body, scope in (
        (DLQ, REQUEUE, "dlq.replay"),
        (REPLAY, {"all": True}, "deliveries.retry"),
    ):
        run = started(api_of(acme, scope), path, body)
        assert api_of(acme, "dlq.read", "deliveries.read").post(path, body).json["required_scope"] == scope
        reader = api_of(acme, "dlq.read", "deliveries.read")
        assert reader.get(f"{path}/{run['id']}").status == 200
        assert reader.post(f"{path}/{run['id']}/cancel").json["required_scope"] == scope
        assert api_of(acme, scope).post(f"{path}/{run['id']}/cancel").status == 200


def test_progress_is_told_while_the_run_goes_on(api: Api, acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = started(api, DLQ, REQUEUE | {"rate": 40})
    step_once()
    told = api.get(f"{DLQ}/{run['id']}").json
    assert (told["state"], told["total"], told["done"]) == ("running", 25, 10)
