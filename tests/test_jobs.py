"""What can be done with a job: have it sent now, whatever became of it, or be told why not."""

from datetime import timedelta

import pytest

from deliveries import endpoints, jobs, trial
from deliveries.models import Event, Job, Replay, Subscription
from deliveries.queue.hasten import hasten_one
from hookline import database
from hookline.errors import Conflict, Overloaded
from hookline.ids import uuid7
from tenants.models import AuditEntry, Tenant
from tests.factories import BY, publish
from tests.queueing import (
    assert_consistent,
    bury,
    fail,
    give,
    ids,
    make_target,
    succeed,
    take,
)

pytestmark = pytest.mark.django_db


def audited() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("number").values_list("action", "target"))[-1:]


def test_one_that_waits_is_sent_sooner(acme: Tenant) -> None:
    [job_id] = give(make_target(acme))
    fail(take(), retry_in=3600)
    assert take() == []
    assert jobs.send_now(Job.objects.get(), BY) == job_id
    assert audited() == [("job.hastened", str(job_id))]
    assert_consistent()
    assert ids(take()) == [job_id]


def test_one_that_is_dead_is_sent_again_with_a_fresh_budget(acme: Tenant) -> None:
    [job_id] = give(make_target(acme))
    bury(take())
    assert jobs.send_now(Job.objects.get(), BY) == job_id
    assert audited() == [("dlq.requeued", str(job_id))]
    [claimed] = take()
    assert (claimed.attempt_n, claimed.budget_spent) == (2, 1)


def test_one_that_succeeded_is_sent_once_more_by_a_new_job_of_a_replay(acme: Tenant) -> None:
    [job_id] = give(make_target(acme))
    succeed(take())
    old = Job.objects.get()
    again = Job.objects.get(id=jobs.send_now(old, BY))
    record = Replay.objects.get()
    assert again.id != job_id
    assert (again.event_id, again.subscription_id) == (old.event_id, old.subscription_id)
    assert again.replay_id == record.id
    assert str(job_id) in record.request
    assert str(again.id) in record.results
    assert audited() == [("replay.created", str(record.id))]
    assert ids(take()) == [again.id]
    assert_consistent()


def test_a_dead_one_without_its_letter_is_sent_by_a_new_job_too(acme: Tenant) -> None:
    give(make_target(acme))
    bury(take())
    job = Job.objects.get()
    job.dead_letter.delete()
    assert jobs.send_now(job, BY) != job.id


def refused(job: Job) -> str:
    """The reason, which is also what a press is answered with, and changes nothing."""
    before = list(Job.objects.order_by("id").values()), AuditEntry.objects.count()
    with pytest.raises(Conflict) as fault:
        jobs.send_now(job, BY)
    assert (list(Job.objects.order_by("id").values()), AuditEntry.objects.count()) == before
    assert fault.value.detail == jobs.refusal(job)
    return fault.value.detail


def test_what_cannot_be_sent_says_why(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    assert refused(Job.objects.get()) == "It is due already."
    claimed = take()
    assert refused(Job.objects.get()) == "It is being sent."
    bury(claimed)
    job = Job.objects.get()
    endpoints.change(endpoint.id, {"enabled": False}, {}, BY)
    assert refused(job) == "Its endpoint is disabled: enable it first."
    Event.objects.update(payload_removed="expunged")
    assert refused(job) == "The event's payload was expunged, so it cannot be delivered again."
    Event.objects.all().delete()
    assert refused(job) == "Its event is no longer kept."


def test_without_its_endpoint_or_its_rules_nothing_is_sent(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    bury(take())
    job = Job.objects.get()
    Subscription.objects.all().delete()
    assert refused(job) == "Its subscription is no longer kept."
    Job.objects.update(subscription_id=None)
    endpoints.delete(endpoint, BY)
    assert refused(Job.objects.get()) == "Its endpoint was deleted."


def test_only_what_waits_is_hastened(acme: Tenant) -> None:
    [job_id] = give(make_target(acme))
    assert not hasten_one(job_id)
    assert not hasten_one(uuid7())
    fail(take(), retry_in=60)
    assert hasten_one(job_id)
    assert Job.objects.get().next_attempt_at <= database.now() + timedelta(seconds=1)


def test_a_job_without_a_subscription_is_repeated_for_its_endpoint_alone(acme: Tenant) -> None:
    endpoint = make_target(acme)
    make_target(acme)
    trial.send_test(endpoint, BY)
    succeed(take())
    jobs.send_now(Job.objects.get(), BY)
    assert Job.objects.filter(endpoint=endpoint, subscription_id__isnull=True).count() == 2
    assert Job.objects.count() == 2


def test_a_test_event_is_on_record_and_is_refused_where_nothing_would_be_sent(
    acme: Tenant, settings: object
) -> None:
    endpoint = make_target(acme)
    trial.send_test(endpoint, BY)
    assert audited() == [("endpoint.tested", str(endpoint.id))]
    off = endpoints.change(endpoint.id, {"enabled": False}, {}, BY)
    with pytest.raises(Conflict, match="It is disabled: enable it first"):
        trial.send_test(off, BY)
    settings.HL_MAX_QUEUE_DEPTH = 1  # type: ignore[attr-defined]
    with pytest.raises(Overloaded):
        trial.send_test(endpoint, BY)


def test_a_replay_of_one_job_leaves_other_subscriptions_alone(acme: Tenant) -> None:
    chosen, other = make_target(acme), make_target(acme)
    publish(acme, {"topic": "a"})
    succeed(take())
    jobs.send_now(Job.objects.get(endpoint=chosen), BY)
    assert Job.objects.filter(endpoint=chosen).count() == 2
    assert Job.objects.filter(endpoint=other).count() == 1
