"""Why an endpoint got an event, or why not: every reason there is, told of real rows."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries import endpoints, payloads, routing
from deliveries.models import Attempt, DeadLetter, Endpoint, Event, Job, Lane
from deliveries.replay import Selection, replay
from deliveries.why import fates
from deliveries.why.fates import Fate
from hookline import database
from hookline.heartbeat import Heartbeat
from hookline.models import Process, Switch
from tenants.models import Tenant
from tests.factories import BY, make_endpoint, make_subscription, publish
from tests.queueing import URL, bury, fail, let_pass, make_target, succeed, take

pytestmark = pytest.mark.django_db

PAID = {"topic": "orders.paid", "payload": {"amount": 99, "country": "CH"}}
DUE = "Due now; the next free worker takes it."


@pytest.fixture(autouse=True)
def _worker(tenants: dict[str, Tenant]) -> None:
    Heartbeat("worker").beat()


def published(tenant: Tenant, document: dict[str, Any] = PAID) -> Event:
    publish(tenant, document)
    return Event.objects.filter(tenant=tenant).latest("id")


def only(event: Event, endpoint: Endpoint) -> Fate:
    [fate] = fates.at(event, [endpoint.id])
    return fate


def told(event: Event, endpoint: Endpoint) -> tuple[str, str]:
    """In a word and in a sentence."""
    state = only(event, endpoint).state
    return state.outcome, state.sentence


# --- Where there is no job ------------------------------------------------------------------


def test_an_endpoint_without_a_subscription_gets_nothing(acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    sentence = "It has no subscription, so that no event reaches it."
    assert told(published(acme), endpoint) == ("not_sent", sentence)


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("orders.created", 'Topic: segment 2 is "paid", and the pattern wants "created".'),
        ("orders.paid.*", "Topic: it ends before segment 3, where the pattern wants any segment."),
        ("orders", 'Topic: the pattern ends before segment 2, which is "paid".'),
    ],
)
def test_a_pattern_that_does_not_match_is_told_by_the_segment(
    acme: Tenant, pattern: str, sentence: str
) -> None:
    endpoint = make_endpoint(acme, URL)
    make_subscription(endpoint, pattern)
    assert told(published(acme), endpoint) == ("not_sent", sentence)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"gte": "payload.amount", "value": 100}, "payload.amount is 99, and at least 100 is wanted."),
        ({"eq": "payload.b", "value": "x"}, 'payload.b is missing, and equal to "x" is wanted.'),
        (
            {"not": {"eq": "payload.country", "value": "CH"}},
            'payload.country is "CH", and a "not" excludes what is equal to "CH".',
        ),
        ({"or": []}, 'an "or" lists nothing, so that no event passes it.'),
        ({"not": {}}, 'a "not" stands before something that every event passes.'),
    ],
)
def test_a_filter_is_told_by_the_clause_and_what_it_found(acme: Tenant, rule: Any, sentence: str) -> None:
    endpoint = make_endpoint(acme, URL)
    make_subscription(endpoint, "orders.#", rule)
    assert told(published(acme), endpoint) == ("not_sent", f"Filter: {sentence}")


def test_every_clause_that_decides_is_told(acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    parts = [{"lt": "payload.amount", "value": 0}, {"contains": "payload.country", "value": "D"}]
    make_subscription(endpoint, "#", {"or": parts})
    assert told(published(acme), endpoint)[1] == (
        "Filter: payload.amount is 99, and less than 0 is wanted. "
        'Filter: payload.country is "CH", and a text that contains "D" is wanted.'
    )


def test_a_subscription_that_came_too_late_is_told_and_can_be_replayed(acme: Tenant) -> None:
    endpoint, event = make_endpoint(acme, URL), published(acme)
    make_subscription(endpoint, "orders.*")
    assert told(event, endpoint) == ("not_sent", fates.SUBSCRIBED_LATER)
    assert only(event, endpoint).is_repeatable


def test_a_subscription_that_has_gone_since_is_told_of_and_an_older_one_is_not(acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    endpoints.unsubscribe(make_subscription(endpoint, "orders.paid"), BY)
    since = make_subscription(endpoint, "orders.created")
    event = published(acme)
    endpoints.unsubscribe(since, BY)
    fate = only(event, endpoint)
    assert fate.subscription == since
    assert fate.subscription.deleted_at
    assert not fate.is_repeatable


def test_what_a_filter_said_is_not_made_up_once_the_payload_is_gone(acme: Tenant) -> None:
    filtered, other = make_endpoint(acme, URL), make_endpoint(acme, URL)
    make_subscription(filtered, "orders.#", {"gte": "payload.amount", "value": 100})
    make_subscription(other, "invoices.#")
    event = published(acme)
    payloads.expunge(event, BY)
    event.refresh_from_db()
    assert told(event, filtered) == ("not_sent", fates.UNKNOWN)
    assert not only(event, filtered).is_repeatable
    assert told(event, other)[1].startswith("Topic: segment 1")


# --- Where there is one ---------------------------------------------------------------------


def test_what_was_delivered_is_told_with_its_attempts(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    fail(take(), retry_in=0)
    let_pass(1)
    succeed(take())
    assert told(event, endpoint) == ("delivered", "Delivered at attempt 2.")


def test_what_is_due_says_so_and_what_is_being_sent_says_until_when(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    assert told(event, endpoint) == ("waiting", DUE)
    take()
    state = only(event, endpoint).state
    assert (state.outcome, state.until) == ("sending", Job.objects.get().lease_until)
    let_pass(3600)
    assert told(event, endpoint)[1] == "The worker that had it is gone; another takes it within seconds."


def test_what_waits_for_a_later_attempt_says_why_and_until_when(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    fail(take(), retry_in=60)
    state = only(event, endpoint).state
    assert (state.outcome, state.until) == ("retrying", Job.objects.get().next_attempt_at)
    assert state.sentence == (
        "Waits for attempt 2. The endpoint answered 503. It is overloaded or being restarted."
    )


def test_a_dead_job_says_what_killed_it(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    bury(take())
    assert told(event, endpoint) == ("dead", "Given up after 1 attempt. HTTP 400 is not tried again.")
    DeadLetter.objects.update(reason="max_attempts_exceeded")
    Attempt.objects.update(http_status=500, error="http_5xx", error_detail="The receiver failed. (HTTP 500)")
    assert told(event, endpoint)[1] == (
        "Given up after 1 attempt. Every attempt that its retry policy allows has failed. "
        "The receiver failed. (HTTP 500) Its own log says why."
    )
    DeadLetter.objects.all().delete()
    assert "Its dead letter was removed." in told(event, endpoint)[1]


def test_a_disabled_endpoint_holds_what_it_has_with_the_reason(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    endpoints.change(endpoint.id, {"enabled": False}, {}, "operator ada")
    assert told(event, endpoint) == ("held", "Its endpoint is disabled. Disabled by operator ada.")


def test_a_pause_holds_everything(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    Switch.objects.create(name=Switch.CLAIMS_PAUSED, is_on=True)
    assert told(event, endpoint) == ("held", "All deliveries are paused: resume them.")


def test_where_no_worker_lives_that_is_the_reason(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    Process.objects.update(seen_at=database.now() - timedelta(minutes=2))
    Heartbeat("streams").beat()
    sentence = "No worker gives a sign of life: start one."
    assert told(event, endpoint) == ("held", sentence)


def test_a_rate_limit_is_told_until_when(acme: Tenant) -> None:
    endpoint = make_target(acme, rate_limit_rps=1)
    published(acme)
    event = published(acme)
    take()
    state = only(event, endpoint).state
    assert state.sentence == "Waits for its endpoint's rate limit of 1 a second."
    assert state.until == Lane.objects.get().wake_at


def test_a_full_endpoint_is_told_by_what_is_under_way(acme: Tenant) -> None:
    endpoint = make_target(acme, max_in_flight=2)
    for _ in range(3):
        event = published(acme)
    take()
    assert told(event, endpoint) == (
        "waiting", "Waits for one of the 2 requests under way, which are all that its endpoint takes.",
    )  # fmt: skip
    Lane.objects.update(ramp=1)
    assert told(event, endpoint)[1] == (
        "Waits for one of the 2 requests under way: its endpoint recovers from failures and gets 1 at a time "
        "for now."
    )


def test_a_deleted_endpoint_is_told_though_its_subscription_went_with_it(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    endpoints.delete(endpoint, BY)
    [fate] = fates.page(event, None, 10)[0]
    assert fate == only(event, endpoint)
    assert (fate.endpoint, fate.subscription, fate.is_repeatable) == (None, None, False)
    assert fate.state.sentence == "Its endpoint was deleted: the next claim gives it up."


def test_a_job_is_told_without_its_event(acme: Tenant) -> None:
    make_target(acme)
    published(acme).delete()
    assert fates.of_job(Job.objects.get()).sentence == DUE


# --- All of a tenant's ----------------------------------------------------------------------


def test_the_newest_job_of_a_subscription_counts_and_the_others_are_counted(acme: Tenant) -> None:
    endpoint = make_target(acme)
    event = published(acme)
    bury(take())
    acme.refresh_from_db()
    routes = routing.routes_of(acme.id, acme.routes_version)
    replay(acme.id, routes, Selection(event_ids=[str(event.id)]), BY)
    fate = only(event, endpoint)
    assert (fate.state.sentence, fate.jobs) == (DUE, 2)
    assert fate.job == Job.objects.latest("id")


def test_every_subscription_of_an_endpoint_has_its_own_fate_those_with_jobs_first(acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    for pattern in ("invoices.#", "orders.#", "orders.paid.late"):
        make_subscription(endpoint, pattern)
    found = fates.at(published(acme), [endpoint.id])
    patterns = [fate.subscription.topic_pattern for fate in found if fate.subscription]
    assert patterns == ["orders.#", "invoices.#", "orders.paid.late"]
    assert [bool(fate.job) for fate in found] == [True, False, False]


def test_pages_begin_with_the_endpoints_that_were_reached_and_leave_none_out(
    acme: Tenant, globex: Tenant
) -> None:
    make_target(globex)
    others = [make_endpoint(acme, URL) for _ in range(4)]
    reached = [make_target(acme) for _ in range(3)]
    event, after, seen = published(acme), None, []
    for _ in range(4):
        found, after = fates.page(event, after, 2)
        seen.append([fate.endpoint for fate in found])
    assert seen == [reached[:2], [reached[2], others[0]], others[1:3], others[3:]]
    assert after is None


def test_nothing_of_another_tenant_is_told(acme: Tenant, globex: Tenant) -> None:
    theirs = make_target(globex)
    published(globex)
    assert fates.at(published(acme), [theirs.id]) == []


def test_the_questions_are_as_many_for_many_endpoints_as_for_one(acme: Tenant) -> None:
    targets = [make_target(acme) for _ in range(20)]
    event = published(acme)
    bury(take(5))
    asked = []
    for ids in ([targets[0].id], [target.id for target in targets]):
        with CaptureQueriesContext(connection) as queries:
            assert len(fates.at(event, ids)) == len(ids)
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 11


def test_an_endpoint_with_more_subscriptions_than_people_read_shows_the_first(acme: Tenant) -> None:
    endpoint = make_endpoint(acme, URL)
    for number in range(fates.MOST_SUBSCRIPTIONS + 5):
        make_subscription(endpoint, f"invoices.{number}")
    late = make_subscription(endpoint, "orders.paid")
    found = fates.at(published(acme), [endpoint.id])
    assert len(found) == fates.MOST_SUBSCRIPTIONS + 1
    assert found[0].subscription == late
