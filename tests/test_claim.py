"""The claim: which jobs are taken, how many, and in whose turn."""

from collections import Counter
from typing import Any

import pytest

from deliveries import endpoints
from deliveries.models import Bell, Endpoint, Job, Lane, Subscription
from deliveries.queue import claim
from deliveries.queue.claim import Claimer, Ring
from deliveries.queue.settle import release, rescue
from deliveries.targets import target_of
from deliveries.work import ClaimedJob
from hookline import database
from hookline.models import Switch
from tenants.models import Tenant
from tests.factories import make_subscription
from tests.queueing import (
    State,
    assert_consistent,
    fail,
    give,
    ids,
    in_threads,
    lane_of,
    let_pass,
    make_target,
    state_of,
    succeed,
    take,
)

pytestmark = pytest.mark.django_db(transaction=True)

WIDTH = Ring.FEWEST


def change(endpoint: Endpoint, **values: Any) -> None:
    endpoints.change(endpoint.id, values, {}, "ada")


def by_endpoint(jobs: list[ClaimedJob]) -> Counter[Any]:
    return Counter(job.endpoint_id for job in jobs)


# --- Which --------------------------------------------------------------------------------


def test_only_jobs_that_are_due_are_taken(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    fail(take(), retry_in=60)
    due = give(endpoint, 2)

    assert sorted(ids(take())) == sorted(due)
    assert take() == []
    let_pass(61)
    assert len(take()) == 1
    assert_consistent()


def test_the_longest_due_come_first(acme: Tenant) -> None:
    endpoint = make_target(acme)
    given = [give(endpoint)[0] for _ in range(5)]
    assert [ids(take(1)) for _ in given] == [[id] for id in given]


def test_a_claimed_job_carries_all_that_its_delivery_needs(acme: Tenant) -> None:
    endpoint = make_target(acme)
    Subscription.objects.update(transform='{"pick":["id"]}')
    give(endpoint)

    [job] = take()
    assert job.event
    assert (job.event.topic, job.event.payload, job.event.tenant_id) == ("test", "{}", "acme")
    assert job.target == target_of(endpoint)
    assert job.transform == '{"pick":["id"]}'
    assert (job.attempt_n, job.budget_spent, job.lost_count) == (1, 1, 0)
    stored = Job.objects.get()
    assert (stored.status, stored.claim_id, stored.lease_until) == ("running", job.claim_id, job.lease_until)


@pytest.mark.parametrize(("timeout_ms", "seconds"), [(1_000, 60), (300_000, 315)])
def test_a_lease_outlasts_the_longest_answer(acme: Tenant, timeout_ms: int, seconds: int) -> None:
    give(make_target(acme, timeout_ms=timeout_ms))
    before = database.now()
    [job] = take()
    assert seconds <= (job.lease_until - before).total_seconds() < seconds + 30


def test_a_changed_endpoint_is_used_from_the_next_claim_on(acme: Tenant) -> None:
    worker, endpoint = Claimer(), make_target(acme)
    give(endpoint)
    take(by=worker)
    change(endpoint, url="http://127.0.0.1:9/moved")
    give(endpoint)
    [job] = take(by=worker)
    assert job.target
    assert job.target.url == "http://127.0.0.1:9/moved"


def test_a_worker_that_forgets_endpoints_reads_them_again(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "MOST_TARGETS", 2)
    worker = Claimer()
    targets = [make_target(acme) for _ in range(4)]
    for _ in range(3):
        for target in targets:
            give(target)
        jobs = take(by=worker)
        assert {job.target.endpoint_id for job in jobs if job.target} == {target.id for target in targets}
        succeed(jobs)


def test_the_job_of_a_deleted_endpoint_comes_without_it(acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=1, is_enabled=False)
    give(endpoint, 3)
    assert take() == []
    endpoints.delete(endpoint, "ada")
    jobs = take()
    assert len(jobs) == 3
    assert [job.target for job in jobs] == [None] * 3


def test_a_job_whose_transform_is_gone_comes_as_if_its_endpoint_were(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    Subscription.objects.all().delete()
    make_subscription(endpoint)
    assert [job.target for job in take()] == [None]


# --- How many -----------------------------------------------------------------------------


def test_no_endpoint_has_more_in_flight_than_it_may(acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=3)
    give(endpoint, 8)
    first = take()
    assert (len(first), state_of(endpoint)) == (3, State.FULL)
    assert take() == []
    succeed(first[:2])
    assert len(take()) == 2
    assert take() == []
    assert_consistent()


def test_a_lowered_limit_holds_back_until_enough_have_ended(acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=4)
    give(endpoint, 8)
    running = take()
    change(endpoint, max_in_flight=2)
    assert take() == []
    succeed(running[:2])
    assert take() == []
    succeed(running[2:])
    assert len(take()) == 2


def test_a_raised_limit_lets_more_start_at_once(acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=1)
    give(endpoint, 5)
    take()
    assert take() == []
    change(endpoint, max_in_flight=4)
    assert len(take()) == 3


def test_no_endpoint_starts_more_than_its_rate(acme: Tenant) -> None:
    endpoint = make_target(acme, rate_limit_rps=5)
    give(endpoint, 30)
    began, started = database.now(), 0
    for _ in range(20):
        started += len(take())
    elapsed = (database.now() - began).total_seconds()
    assert 5 <= started <= 5 + 5 * elapsed
    assert state_of(endpoint) == State.LIMITED


def test_full_and_partly_used_buckets_are_written_together(acme: Tenant) -> None:
    worker, endpoints_ = Claimer(), [make_target(acme, rate_limit_rps=5) for _ in range(2)]
    give(endpoints_[0])
    take(by=worker)
    for endpoint in endpoints_:
        give(endpoint)
    assert len(take(by=worker)) == 2


def test_a_rate_is_caught_up_with_as_time_passes_but_not_saved_up(acme: Tenant) -> None:
    endpoint = make_target(acme, rate_limit_rps=5)
    give(endpoint, 30)
    take()
    let_pass(3600)
    assert len(take()) == 5


def test_waiting_for_a_limit_costs_no_attempt(acme: Tenant) -> None:
    endpoint = make_target(acme, rate_limit_rps=1, max_in_flight=1)
    give(endpoint, 3)
    for _ in range(5):
        take()
    assert set(Job.objects.filter(status="pending").values_list("attempt_count", flat=True)) == {0}


@pytest.mark.parametrize("state", [State.READY, State.FULL, State.LIMITED, State.IDLE, State.WAITING])
def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled(acme: Tenant, state: State) -> None:
    """Whatever its lane was in when it was disabled."""
    endpoint = make_target(acme, max_in_flight=2, rate_limit_rps=2)
    worker = Claimer()
    bring_to(endpoint, state, worker)
    change(endpoint, enabled=False)
    let_pass(120)
    rescue()
    assert take(by=worker) == []
    give(endpoint)
    assert take(by=worker) == []
    assert state_of(endpoint) == State.OFF

    change(endpoint, enabled=True)
    assert take(by=worker)
    assert_consistent()


def bring_to(endpoint: Endpoint, state: State, worker: Claimer) -> None:
    if state == State.READY:
        give(endpoint, 3)
        take(1, worker)
    elif state == State.FULL:
        give(endpoint, 4)
        take(by=worker)
    elif state == State.LIMITED:
        give(endpoint, 4)
        succeed(take(by=worker))
        take(by=worker)
    elif state == State.WAITING:
        give(endpoint)
        fail(take(by=worker), retry_in=60)
    assert state_of(endpoint) == state


def test_nothing_starts_while_all_claims_are_paused(acme: Tenant, globex: Tenant) -> None:
    give(make_target(acme))
    give(make_target(globex))
    Switch.objects.create(name=Switch.CLAIMS_PAUSED, is_on=True)
    assert take() == []
    Switch.objects.update(is_on=False)
    assert len(take()) == 2


# --- Whose turn ---------------------------------------------------------------------------


def test_tenants_share_a_batch_whatever_they_have_waiting(acme: Tenant, globex: Tenant) -> None:
    give(make_target(acme), 100)
    give(make_target(globex), 100)
    assert Counter(job.tenant_id for job in take(10)) == {"acme": 5, "globex": 5}


def test_a_tenant_with_many_endpoints_gets_no_larger_share(acme: Tenant, globex: Tenant) -> None:
    worker = Claimer()
    for _ in range(WIDTH):
        give(make_target(acme), 40)
    give(make_target(globex), 200)
    while Bell.objects.exists() or Lane.objects.filter(state=State.FRESH).exists():
        take(20, worker)
    for _ in range(5):
        assert Counter(job.tenant_id for job in take(20, worker)) == {"acme": 10, "globex": 10}


def test_endpoints_of_one_tenant_take_turns(acme: Tenant) -> None:
    busy, small = make_target(acme), make_target(acme)
    give(busy, 100)
    give(small, 3)
    taken = by_endpoint(take(6))
    assert taken == {busy.id: 3, small.id: 3}


def test_what_one_endpoint_may_not_take_the_others_may(acme: Tenant) -> None:
    narrow, wide = make_target(acme, max_in_flight=1), make_target(acme)
    give(narrow, 50)
    give(wide, 50)
    assert by_endpoint(take(20)) == {narrow.id: 1, wide.id: 19}


def test_no_tenant_is_passed_over_when_a_batch_does_not_divide_evenly(acme: Tenant) -> None:
    """Sixteen busy tenants and twenty free slots, over and over."""
    tenants = [Tenant.objects.create(id=f"tenant-{n:02}") for n in range(16)]
    for tenant in tenants:
        give(make_target(tenant), 40)
    taken, worker = Counter[str](), Claimer()
    for _ in range(20):
        taken.update(job.tenant_id for job in take(20, worker))
    assert len(taken) == 16
    assert min(taken.values()) >= 20


def test_a_newcomer_is_served_before_the_ready_lanes_come_round(acme: Tenant, globex: Tenant) -> None:
    busy = [make_target(acme) for _ in range(4 * WIDTH)]
    for endpoint in busy:
        give(endpoint, 10)
    worker = Claimer()
    for _ in range(8):  # all are in the ready ring by now
        take(WIDTH, worker)
    newcomer = make_target(acme)
    give(newcomer)
    taken = take(WIDTH, worker) + take(WIDTH, worker)
    assert newcomer.id in by_endpoint(taken)


def test_after_a_newcomer_was_served_it_waits_like_the_others(acme: Tenant) -> None:
    endpoint = make_target(acme)
    assert state_of(endpoint) == State.IDLE
    give(endpoint, 3)
    take(1)
    assert state_of(endpoint) == State.READY
    take(2)
    assert state_of(endpoint) == State.READY
    assert take() == []
    assert state_of(endpoint) == State.IDLE


def test_a_worker_visits_more_lanes_where_each_holds_little(acme: Tenant) -> None:
    worker = Claimer()
    for _ in range(4 * WIDTH):
        give(make_target(acme))
    assert len(take(100, worker)) == WIDTH
    assert len(take(100, worker)) > WIDTH


def test_lanes_that_other_workers_hold_are_left_to_them(acme: Tenant) -> None:
    for _ in range(40):
        give(make_target(acme), 5)
    taken = in_threads(4, lambda number: [id for _ in range(30) for id in ids(take(20))])
    everything = [id for part in taken for id in part]
    assert len(everything) == len(set(everything)) == 200
    assert_consistent()


# --- Many workers -------------------------------------------------------------------------


def test_limits_hold_over_all_workers_together(acme: Tenant, globex: Tenant) -> None:
    targets = [make_target(acme, max_in_flight=3), make_target(globex, max_in_flight=7)]
    for endpoint in targets:
        give(endpoint, 150)

    def work(number: int) -> dict[Any, int]:
        most: Counter[Any] = Counter()
        worker = Claimer()
        for _ in range(60):
            jobs = take(5, worker)
            running = Job.objects.filter(status="running").order_by().values_list("endpoint_id", "id")
            for endpoint_id, count in Counter(endpoint_id for endpoint_id, _ in running).items():
                most[endpoint_id] = max(most[endpoint_id], count)
            succeed(jobs)
        return most

    seen = in_threads(4, work)
    assert max(most[targets[0].id] for most in seen) <= 3
    assert max(most[targets[1].id] for most in seen) <= 7
    assert_consistent()


def test_a_rate_holds_over_all_workers_together(acme: Tenant) -> None:
    endpoint = make_target(acme, rate_limit_rps=20)
    give(endpoint, 200)
    began = database.now()
    started = sum(in_threads(4, lambda number: sum(len(take(3)) for _ in range(25))))
    elapsed = (database.now() - began).total_seconds()
    assert 20 <= started <= 20 + 20 * elapsed


def test_publishers_and_workers_together_leave_nothing_behind(acme: Tenant, globex: Tenant) -> None:
    targets = [make_target(tenant, max_in_flight=4) for tenant in (acme, globex) for _ in range(3)]

    def work(number: int) -> int:
        if number < 4:
            return sum(len(give(target, 2)) for _ in range(10) for target in targets)
        worker = Claimer()
        for _ in range(80):
            jobs = take(7, worker)
            fail(jobs[:2], retry_in=0)
            succeed(jobs[2:])
        return 0

    published = sum(in_threads(7, work))
    assert_consistent()
    while jobs := take() + take():
        succeed(jobs)
    assert Job.objects.filter(status="succeeded").count() == published == 480
    assert_consistent()
    assert {lane_of(target).in_flight for target in targets} == {0}


def test_released_jobs_give_their_room_back(acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=2, rate_limit_rps=2)
    give(endpoint, 2)
    release(take())
    assert len(take()) == 2
