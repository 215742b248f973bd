"""What a run chooses and what it does: dead letters that are requeued or discarded, events replayed."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db.models import F

from deliveries import dead_letters, endpoints, payloads
from deliveries.intake import Accepted
from deliveries.models import DeadLetter, Event, Job, Run
from deliveries.runs import control, walk
from deliveries.runs.preview import Share
from deliveries.runs.selection import Mode, Selection
from hookline.times import milliseconds
from tenants.models import Tenant
from tests.factories import make_endpoint, make_subscription, publish
from tests.queueing import URL, assert_consistent, bury, fail, make_target, succeed, take
from tests.running import BY, FAST, bury_some, counts, finish, letters, pending, start, step_once

pytestmark = pytest.mark.django_db

REQUEUE, DISCARD, REPLAY = Run.Verb.REQUEUE, Run.Verb.DISCARD, Run.Verb.REPLAY
SLOW = 40  # a second: ten in a step


# --- Dead letters -------------------------------------------------------------------------


def test_all_letters_of_a_tenant_are_sent_again_and_nobody_elses(acme: Tenant, globex: Tenant) -> None:
    mine, theirs = bury_some(make_target(acme), 3), bury_some(make_target(globex), 2)
    run = finish(start(REQUEUE, acme))
    assert run.total == 3
    assert counts(run) == ("done", 3, 0, 3)
    assert letters() == set(theirs)
    assert {job.id for job in take()} == set(mine)
    assert_consistent()


def test_an_operators_run_goes_through_all_tenants(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        bury_some(make_target(tenant), 25)
    run = finish(start(REQUEUE, None, rate=SLOW))
    assert counts(run) == ("done", 50, 0, 50)
    assert letters() == set()


def test_discarded_letters_are_gone_and_their_jobs_stay_dead(acme: Tenant) -> None:
    ids = bury_some(make_target(acme), 3)
    run = finish(start(DISCARD, acme))
    assert counts(run) == ("done", 3, 0, 0)
    assert letters() == set()
    assert Job.objects.filter(id__in=ids, status="dead").count() == 3


def test_letters_are_chosen_by_endpoint_reason_topic_time_and_id(acme: Tenant) -> None:
    one, other = make_target(acme), make_target(acme)
    first, second, third = bury_some(one), bury_some(one, reason="http_410"), bury_some(other)
    Event.objects.filter(jobs__id=third[0]).update(topic="orders.paid")
    at = {job_id: milliseconds(created) for job_id, created in _letters_by_time()}

    assert _chosen(Selection(endpoint_id=one.id)) == {*first, *second}
    assert _chosen(Selection(reason="http_410")) == set(second)
    assert _chosen(Selection(topic="orders.*")) == set(third)
    assert _chosen(Selection(topic="orders.*", endpoint_id=one.id)) == set()
    assert _chosen(Selection(from_ms=at[third[0]])) == set(third)
    assert _chosen(Selection(to_ms=at[first[0]])) == set(first)
    assert _chosen(Selection(from_ms=-(2**53), to_ms=2**53)) == {*first, *second, *third}
    assert _chosen(Selection(ids=(second[0], uuid4()))) == set(second)


def _letters_by_time() -> list[tuple[UUID, datetime]]:
    """Moved apart, so that a time tells them apart."""
    for distance, letter in enumerate(DeadLetter.objects.order_by("job_id")):
        DeadLetter.objects.filter(job_id=letter.job_id).update(
            created_at=F("created_at") - timedelta(seconds=60 - distance)
        )
    return list(DeadLetter.objects.values_list("job_id", "created_at"))


def _chosen(selection: Selection) -> set[UUID]:
    """What a run over this would do, by what it did; afterwards all is as before."""
    before = {letter.job_id: letter for letter in DeadLetter.objects.all()}
    told = control.dry_run(DISCARD, "acme", selection)
    run = finish(start(DISCARD, Tenant(id="acme"), selection))
    chosen = before.keys() - letters()
    DeadLetter.objects.bulk_create(before[id] for id in chosen)
    assert (run.done_count, told.count, told.is_exact) == (len(chosen), len(chosen), True)
    return set(chosen)


def test_letters_of_one_moment_are_told_apart_by_their_ids(acme: Tenant) -> None:
    """In steps of ten, of which each begins in the midst of the same time."""
    bury_some(make_target(acme), 35)
    DeadLetter.objects.update(created_at=F("created_at") - timedelta(hours=1))
    moment = DeadLetter.objects.values_list("created_at", flat=True)[0]
    DeadLetter.objects.update(created_at=moment)
    run = start(DISCARD, acme, rate=SLOW)
    for left in (25, 15, 5):
        step_once()
        assert len(letters()) == left
    assert counts(finish(run)) == ("done", 35, 0, 0)


def test_few_letters_among_many_are_found_in_more_than_one_look(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "READ_AT_ONCE", 5)
    monkeypatch.setattr(walk, "JUDGED_AT_ONCE", 2)
    endpoint = make_target(acme)
    bury_some(endpoint, 12)
    rare = bury_some(endpoint, 2, "http_410")
    bury_some(endpoint, 11)
    assert _chosen(Selection(reason="http_410")) == set(rare)


def test_a_job_that_fails_again_is_left_to_the_next_run(acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    step_once()
    bury(take())
    assert counts(finish(run)) == ("done", 25, 0, 25)
    assert len(letters()) == 10
    assert counts(finish(start(REQUEUE, acme))) == ("done", 10, 0, 10)


def test_what_somebody_else_dealt_with_meanwhile_is_not_done_again(acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    step_once()
    requeued, discarded = DeadLetter.objects.order_by("created_at", "job_id")[:2]
    dead_letters.requeue(requeued, BY)
    dead_letters.discard(discarded, BY)
    assert counts(finish(run)) == ("done", 23, 0, 23)
    assert Job.objects.get(id=discarded.job_id).status == "dead"


def test_a_letter_of_which_nothing_is_left_to_send_stays_where_it_is(acme: Tenant) -> None:
    ids = bury_some(make_target(acme), 3)
    payloads.expunge(Event.objects.get(jobs__id=ids[0]), BY)
    assert counts(finish(start(REQUEUE, acme))) == ("done", 2, 1, 2)
    assert letters() == {ids[0]}
    assert counts(finish(start(DISCARD, acme))) == ("done", 1, 0, 0)


# --- Events -------------------------------------------------------------------------------


def publish_some(tenant: Tenant, *topics: str) -> list[UUID]:
    results = [
        publish(tenant, {"topic": topic, "payload": {"n": n}, "occurred_at": n * 1000})
        for n, topic in enumerate(topics, 1)
    ]
    return [result.event.id for result in results if isinstance(result, Accepted)]


def replayed(selection: Selection) -> list[tuple[UUID, UUID]]:
    """The events that went round again, and to whom."""
    told = control.dry_run(REPLAY, "acme", selection)
    run = finish(start(REPLAY, Tenant(id="acme"), selection))
    jobs = Job.objects.filter(replay_id=run.id).order_by("id").values_list("event_id", "endpoint_id")
    assert (told.count, told.deliveries, told.is_exact) == (run.done_count, run.job_count, True)
    assert (run.job_count, run.done_count) == (len(jobs), len({event for event, _ in jobs}))
    return list(jobs)


def test_events_are_chosen_by_time_topic_and_id(acme: Tenant) -> None:
    endpoint = make_target(acme)
    ids = publish_some(acme, "orders.1", "orders.2", "refunds.3")

    def to_it(*numbers: int) -> list[tuple[UUID, UUID]]:
        return [(ids[number], endpoint.id) for number in numbers]

    assert replayed(Selection()) == to_it(0, 1, 2)
    assert replayed(Selection(from_ms=2000)) == to_it(1, 2)
    assert replayed(Selection(to_ms=2000)) == to_it(0, 1)
    assert replayed(Selection(topic="orders.#")) == to_it(0, 1)
    assert replayed(Selection(ids=(ids[2], uuid4()))) == to_it(2)
    assert replayed(Selection(endpoint_id=uuid4())) == []


def test_events_are_matched_against_the_subscriptions_of_today(acme: Tenant) -> None:
    ids = publish_some(acme, "orders.1", "orders.2", "refunds.3")
    picky = make_endpoint(acme, URL)
    make_subscription(picky, "orders.*", filter={"eq": "payload.n", "value": 2})
    assert replayed(Selection()) == [(ids[1], picky.id)]


def test_events_that_nobody_wants_are_counted_as_passed_over(acme: Tenant) -> None:
    make_subscription(make_endpoint(acme, URL), "orders.*")
    publish_some(acme, "orders.1", "refunds.2", "refunds.3")
    assert counts(finish(start(REPLAY, acme))) == ("done", 1, 2, 1)


def test_an_event_of_which_nothing_is_left_is_passed_over(acme: Tenant) -> None:
    make_target(acme)
    ids = publish_some(acme, "a", "b")
    payloads.expunge(Event.objects.get(id=ids[0]), BY)
    assert control.dry_run(REPLAY, "acme", Selection()).count == 1
    assert counts(finish(start(REPLAY, acme))) == ("done", 1, 1, 1)


def test_a_run_makes_no_more_deliveries_at_once_than_it_may(acme: Tenant) -> None:
    """However many endpoints want an event."""
    for _ in range(4):
        make_target(acme)
    publish_some(acme, *["test"] * 10)
    run = start(REPLAY, acme, rate=SLOW)
    step_once()
    assert counts(run) == ("running", 3, 0, 12)
    assert counts(finish(run)) == ("done", 10, 0, 40)


def test_what_failed_goes_again_only_to_whom_it_failed(acme: Tenant) -> None:
    good, bad = make_target(acme), make_target(acme)
    ids = publish_some(acme, "a", "b")
    jobs = take()
    refused = [job for job in jobs if job.endpoint_id == bad.id and job.event_id == ids[0]]
    bury(refused)
    succeed(job for job in jobs if job not in refused)
    assert good.id not in {endpoint for _, endpoint in replayed(Selection(mode=Mode.FAILED))}
    assert replayed(Selection(mode=Mode.FAILED)) == [(ids[0], bad.id)]
    assert replayed(Selection(mode=Mode.FAILED, endpoint_id=good.id)) == []
    assert DeadLetter.objects.count() == 1


def test_what_was_missed_goes_to_a_subscription_that_came_later(acme: Tenant) -> None:
    old = make_target(acme)
    ids = publish_some(acme, "a", "b")
    succeed(take())
    late = make_target(acme)
    assert replayed(Selection(mode=Mode.MISSED, endpoint_id=old.id)) == []
    assert replayed(Selection(mode=Mode.MISSED)) == [(ids[0], late.id), (ids[1], late.id)]
    assert replayed(Selection(mode=Mode.MISSED)) == [], "they are on their way now"


def test_only_what_neither_arrived_nor_is_on_its_way_is_missed(acme: Tenant) -> None:
    endpoint = make_target(acme)
    arrived, waits, runs, dead = publish_some(acme, "a", "b", "c", "d")
    jobs = {job.event_id: job for job in take()}
    succeed([jobs[arrived]])
    fail([jobs[waits]], retry_in=60)
    bury([jobs[dead]])
    assert Job.objects.get(event_id=runs).status == "running"
    assert replayed(Selection(mode=Mode.MISSED)) == [(dead, endpoint.id)]


def test_two_runs_do_not_both_bring_what_was_missed(acme: Tenant) -> None:
    publish_some(acme, "a", "b")
    make_target(acme)
    both = [start(REPLAY, acme, Selection(mode=Mode.MISSED)) for _ in range(2)]
    finish(both[0])
    assert sorted(run.job_count for run in Run.objects.all()) == [0, 2]


def test_events_published_after_the_start_are_left_out(acme: Tenant) -> None:
    make_target(acme)
    publish_some(acme, "a")
    run = start(REPLAY, acme)
    Run.objects.update(created_at=F("created_at") - timedelta(seconds=10))
    publish_some(acme, "b")
    run.refresh_from_db()
    assert counts(finish(run)) == ("done", 0, 0, 0)


def test_a_replay_through_all_tenants_keeps_to_each_ones_subscriptions(acme: Tenant, globex: Tenant) -> None:
    mine, theirs = make_target(acme), make_target(globex)
    for tenant in (acme, globex):
        publish_some(tenant, "a")
    run = finish(start(REPLAY, None))
    made = Job.objects.filter(replay_id=run.id).values_list("tenant_id", "endpoint_id", "event__tenant_id")
    assert set(made) == {("acme", mine.id, "acme"), ("globex", theirs.id, "globex")}


# --- Previews -----------------------------------------------------------------------------


def test_a_preview_counts_by_endpoint_and_by_tenant_and_changes_nothing(acme: Tenant, globex: Tenant) -> None:
    busy, other, foreign = make_target(acme), make_target(acme), make_target(globex)
    for endpoint, number in ((busy, 3), (other, 1), (foreign, 2)):
        bury_some(endpoint, number)
    before = letters()
    told = control.dry_run(REQUEUE, None, Selection())
    times = sorted(milliseconds(at) for at in DeadLetter.objects.values_list("created_at", flat=True))
    assert (told.count, told.deliveries, told.is_exact) == (6, 6, True)
    assert (told.oldest_ms, told.newest_ms) == (times[0], times[-1])
    assert told.by_endpoint == [Share(str(busy.id), 3), Share(str(foreign.id), 2), Share(str(other.id), 1)]
    assert told.by_tenant == [Share("acme", 4), Share("globex", 2)]
    assert control.dry_run(DISCARD, "acme", Selection()).deliveries == 0
    assert letters() == before
    assert (Run.objects.count(), pending()) == (0, set())


def test_a_preview_of_nothing_says_so(acme: Tenant) -> None:
    for verb in Run.Verb:
        told = control.dry_run(verb, "acme", Selection())
        assert (told.count, told.is_exact, told.oldest_ms, told.by_endpoint) == (0, True, None, [])


def test_beyond_a_limit_a_preview_says_at_least(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    bury_some(make_target(acme), 7)
    monkeypatch.setattr("deliveries.runs.groups.MOST_LOOKED_AT", 5)
    monkeypatch.setattr("deliveries.runs.preview.MOST_EVENTS", 5)
    monkeypatch.setattr("deliveries.runs.preview.READ_AT_ONCE", 5)
    monkeypatch.setattr(walk, "READ_AT_ONCE", 5)
    for verb in (REQUEUE, REPLAY):
        told = control.dry_run(verb, "acme", Selection())
        assert (told.count, told.is_exact) == (5, False)
    run = finish(start(REQUEUE, acme))
    assert (run.total, run.is_exact, run.left) == (5, False, None)
    assert counts(run) == ("done", 7, 0, 7)


def test_a_disabled_endpoint_keeps_what_it_gets_until_it_is_enabled(acme: Tenant) -> None:
    endpoint = make_target(acme)
    ids = bury_some(endpoint, 3)
    endpoints.change(endpoint.id, {"enabled": False}, {}, BY)
    finish(start(REQUEUE, acme, rate=FAST))
    assert pending() == set(ids)
    assert take() == []
    endpoints.change(endpoint.id, {"enabled": True}, {}, BY)
    assert {job.id for job in take()} == set(ids)
