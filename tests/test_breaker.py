"""Endpoints that only fail are turned off, tried now and then, and come back by themselves."""

from datetime import timedelta
from itertools import pairwise

import pytest
from pytest_django import Settings

from deliveries import breaker, endpoints
from deliveries.models import Attempt, Endpoint, Job
from deliveries.models.endpoints import DisabledFor
from deliveries.queue import lanes
from deliveries.queue.settle import release, rescue
from hookline.database import now
from tenants.models import AuditEntry, Tenant
from tests.api import api_of
from tests.factories import deliver, make_endpoint, make_subscription, publish
from tests.queueing import (
    State,
    assert_consistent,
    bury,
    fail,
    give,
    lane_of,
    let_pass,
    make_target,
    state_of,
    succeed,
    take,
)
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 86_400


@pytest.fixture(autouse=True)
def _five_days(settings: Settings) -> None:
    settings.HL_DISABLE_AFTER_SECS = 5 * DAY


def fail_for(endpoint: Endpoint, days: float) -> None:
    """One job fails at the beginning of that time and another at its end."""
    give(endpoint, 2)
    fail(take(1), retry_in=10 * DAY)
    let_pass(days * DAY)
    fail(take(1), retry_in=DAY)


def turned_off(endpoint: Endpoint) -> Endpoint:
    fail_for(endpoint, 5)
    assert breaker.tend() == 1
    endpoint.refresh_from_db()
    assert not endpoint.is_enabled
    return endpoint


def actions(endpoint: Endpoint) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(target=str(endpoint.id)).exclude(actor="the tests")
    return list(entries.order_by("number").values_list("actor", "action"))


# --- How long one has failed --------------------------------------------------------------


def test_a_lane_knows_since_when_it_has_failed_until_a_success(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint, 4)
    assert lane_of(endpoint).failing_since is None
    began = now()
    fail(take(1), retry_in=60)
    first = lane_of(endpoint).failing_since
    assert first
    assert began <= first <= now()
    bury(take(1))
    assert lane_of(endpoint).failing_since == first
    succeed(take(1))
    assert lane_of(endpoint).failing_since is None


def test_a_success_beside_failures_in_one_batch_counts(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint, 2)
    jobs = take()
    fail(jobs[:1], retry_in=60)
    succeed(jobs[1:])
    assert lane_of(endpoint).failing_since is None


def test_what_was_not_the_endpoints_fault_does_not_count(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint, 2)
    release(take(1))
    take(1)
    let_pass(120)
    assert rescue() == 1
    assert lane_of(endpoint).failing_since is None


def test_one_endpoints_failures_are_not_its_neighbours(acme: Tenant) -> None:
    ill, well = make_target(acme), make_target(acme)
    give(ill)
    give(well)
    jobs = take()
    fail([job for job in jobs if job.endpoint_id == ill.id], retry_in=60)
    succeed([job for job in jobs if job.endpoint_id == well.id])
    assert lane_of(ill).failing_since
    assert lane_of(well).failing_since is None


def test_clients_see_since_when(acme: Tenant) -> None:
    endpoint = make_target(acme)
    path = f"/v1/endpoints/{endpoint.id}"
    assert "failing_since" not in api_of(acme).get(path).json
    give(endpoint)
    fail(take(), retry_in=60)
    since = lane_of(endpoint).failing_since
    assert since
    for document in (api_of(acme).get(path).json, api_of(acme).get("/v1/endpoints").json["items"][0]):
        assert document["failing_since"] == int(since.timestamp() * 1000)


def test_a_repair_forgets_failures_before_the_latest_success(acme: Tenant) -> None:
    endpoint, failing = make_target(acme), make_target(acme)
    for each, end in ((endpoint, succeed), (failing, bury)):
        give(each)
        end(take())
        lane = lane_of(each)
        lane.failing_since = now()
        lane.save()
    assert lanes.repair() == 1
    assert lane_of(endpoint).failing_since is None
    assert lane_of(failing).failing_since


# --- Turned off ---------------------------------------------------------------------------


def test_one_that_has_only_failed_for_long_is_turned_off(acme: Tenant) -> None:
    endpoint = make_target(acme)
    fail_for(endpoint, 5)
    since = lane_of(endpoint).failing_since
    assert breaker.tend() == 1

    endpoint.refresh_from_db()
    assert not endpoint.is_enabled
    assert (endpoint.disabled_for, endpoint.failing_since) == (DisabledFor.FAILURES, since)
    assert endpoint.disabled_reason.startswith(f"Every attempt since {since:%Y-%m-%d %H:%M} UTC failed.")
    assert actions(endpoint) == [("HookLine", "endpoint.disabled")]
    document = api_of(acme).get(f"/v1/endpoints/{endpoint.id}").json
    assert (document["enabled"], document["disabled_reason"]) == (False, endpoint.disabled_reason)
    assert document["disabled_at"]


def test_what_is_published_meanwhile_is_held_and_not_lost(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme))
    give(endpoint, 3)
    assert take() == []
    assert Job.objects.filter(status="pending").count() == 5
    assert state_of(endpoint) == State.OFF


@pytest.mark.parametrize("days", [1, 4.9])
def test_one_that_failed_for_less_is_left_alone(acme: Tenant, days: float) -> None:
    fail_for(make_target(acme), days)
    assert breaker.tend() == 0


def test_a_single_failure_long_ago_is_no_reason(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    bury(take())
    let_pass(30 * DAY)
    assert breaker.tend() == 0


def test_never_is_an_answer(acme: Tenant, settings: Settings) -> None:
    settings.HL_DISABLE_AFTER_SECS = 0
    fail_for(make_target(acme), 300)
    assert breaker.tend() == 0


def test_one_that_succeeds_at_the_last_moment_is_left_alone(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_target(acme)
    fail_for(endpoint, 5)
    seen = breaker._failed_for_long()
    give(endpoint)
    succeed(take())
    monkeypatch.setattr(breaker, "_failed_for_long", lambda: seen)
    assert breaker.tend() == 0
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


def test_whoever_turns_it_on_again_gives_it_its_whole_time(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme))
    endpoints.change(endpoint.id, {"enabled": True}, {}, "ada")
    assert breaker.tend() == 0
    endpoint.refresh_from_db()
    assert (endpoint.disabled_for, endpoint.disabled_at, endpoint.probe_at) == ("", None, None)
    assert lane_of(endpoint).failing_since is None


def test_another_url_gets_its_whole_time(acme: Tenant) -> None:
    endpoint = make_target(acme)
    fail_for(endpoint, 5)
    endpoints.change(endpoint.id, {"url": "http://127.0.0.1:9/moved"}, {}, "ada")
    assert breaker.tend() == 0


# --- Tried, and back ----------------------------------------------------------------------


def test_one_held_job_at_a_time_is_let_through_with_growing_pauses(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme))
    give(endpoint, 50)
    let_pass(DAY)  # all are due
    Endpoint.objects.update(disabled_at=now(), probe_at=now())
    tried = []
    for minute in range(0, 36 * 60, 5):
        breaker.tend()
        if jobs := take():
            assert len(jobs) == 1
            fail(jobs, retry_in=DAY)
            tried.append(minute)
        assert take() == []
        let_pass(300)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 5
    assert pauses[-1] in (360, 365)  # the longest, and up to the next look
    assert 8 <= len(pauses) <= 12
    assert_consistent()


def test_a_probe_is_an_attempt_like_any_other(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme))
    let_pass(DAY)
    breaker.tend()
    [job] = take()
    assert job.attempt_count == 1
    fail([job], retry_in=DAY)
    assert Attempt.objects.filter(job_id=job.id).count() == 2
    assert Job.objects.get(id=job.id).status == "pending"
    assert (state_of(endpoint), lane_of(endpoint).in_flight) == (State.OFF, 0)


def test_without_a_due_job_it_waits_for_one(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme))
    let_pass(600)
    assert breaker.tend() == 0
    give(endpoint)
    assert breaker.tend() == 1
    assert len(take()) == 1


def test_it_comes_back_when_a_probe_succeeds_one_request_first(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme, max_in_flight=100))
    give(endpoint, 20)
    let_pass(600)
    assert breaker.tend() == 1
    succeed(take())
    assert take() == [], "not before it is on again"
    assert breaker.tend() == 1

    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason, endpoint.probe_at) == (True, "", None)
    assert actions(endpoint) == [("HookLine", "endpoint.disabled"), ("HookLine", "endpoint.recovered")]
    started = []
    while jobs := take():
        started.append(len(jobs))
        succeed(jobs)
    assert started[:3] == [1, 2, 4]
    assert sum(started) == 19
    assert_consistent()


def test_an_answer_to_what_was_under_way_brings_it_back_too(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    [late] = take()
    fail_for(endpoint, 5)
    Job.objects.filter(id=late.id).update(lease_until=now() + timedelta(minutes=1))
    assert breaker.tend() == 1
    succeed([late])
    assert breaker.tend() == 1
    endpoint.refresh_from_db()
    assert endpoint.is_enabled


@pytest.mark.parametrize("was_off", [False, True])
def test_what_a_person_turned_off_stays_off(acme: Tenant, was_off: bool) -> None:
    endpoint = make_target(acme)
    if was_off:
        turned_off(endpoint)
    else:
        fail_for(endpoint, 5)
    endpoints.change(endpoint.id, {"enabled": False}, {}, "ada")
    give(endpoint)
    let_pass(DAY)
    assert breaker.tend() == 0
    assert take() == []
    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "Disabled by ada."


def test_a_document_that_is_read_and_sent_back_does_not_keep_it_off(acme: Tenant) -> None:
    endpoint = turned_off(make_target(acme))
    path = f"/v1/endpoints/{endpoint.id}"
    api_of(acme).patch(path, api_of(acme).get(path).json)
    endpoint.refresh_from_db()
    assert endpoint.disabled_for == DisabledFor.FAILURES


def test_one_that_said_it_is_gone_is_not_tried(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint, 2)
    bury(take(1), "http_410", disables="The endpoint answered 410 Gone.")
    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_for) == (False, DisabledFor.GONE)
    assert actions(endpoint) == [("HookLine", "endpoint.disabled")]
    let_pass(30 * DAY)
    assert breaker.tend() == 0
    assert take() == []


def test_two_who_tend_at_once_let_one_job_through(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = turned_off(make_target(acme))
    give(endpoint, 5)
    let_pass(600)
    seen = list(breaker._to_probe())
    monkeypatch.setattr(breaker, "_to_probe", lambda: seen)
    assert breaker.tend() == 1
    assert breaker.tend() == 0
    assert len(take()) == 1


def test_a_real_receiver_goes_and_comes_back(acme: Tenant, receiver: Receiver) -> None:
    receiver.reply("/", Reply(500), Reply(500), Reply(500), Reply(200))
    endpoint = make_endpoint(acme, receiver.url("/"))
    make_subscription(endpoint)
    for days in (5, 1):
        publish(acme, {"topic": "a"})
        deliver()
        let_pass(days * DAY)
    publish(acme, {"topic": "a"})
    breaker.tend()
    for _ in range(8):
        let_pass(DAY)
        breaker.tend()
        deliver()
    endpoint.refresh_from_db()
    assert endpoint.is_enabled
    assert set(Job.objects.values_list("status", flat=True)) == {"succeeded"}
