"""The whole line: an event is published, matched, refused, tried again, given up, sent round again."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from deliveries import dead_letters
from deliveries.intake import Accepted
from deliveries.models import Attempt, DeadLetter, Event, Job
from hookline.database import now
from tenants.models import AuditEntry, Tenant
from tests.factories import deliver, let_time_pass, make_endpoint, make_subscription, publish
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_c2VjcmV0IG9mIGFjbWUgYWxvbmU="
ORDER = b'{"topic":"orders.created","payload":{"total":120.00,"id":7,"total":1.5e2}}'


def test_an_event_is_retried_given_up_requeued_and_delivered(
    acme: Tenant, globex: Tenant, receiver: Receiver
) -> None:
    orders = make_endpoint(acme, receiver.url("/orders"), secret=SECRET, retry_schedule=[60, 3600])
    make_subscription(orders, "orders.*", filter={"gt": "payload.total", "value": 100})
    make_subscription(make_endpoint(globex, receiver.url("/globex")), "#")
    receiver.reply("/orders", Reply(503, body=b"closed"), Reply(500), Reply(302), Reply(204))

    # Published and matched: one job for the one subscription that wants it.
    published = publish(acme, ORDER)
    assert isinstance(published, Accepted)
    assert Event.objects.get().payload == '{"total":120.00,"id":7,"total":1.5e2}'
    job = Job.objects.get()
    assert (job.id, job.status) == (published.jobs[0].id, Job.Status.PENDING)

    # Refused: the job waits for its next attempt.
    deliver()
    job.refresh_from_db()
    assert (job.status, job.attempt_count) == (Job.Status.PENDING, 1)
    assert job.next_attempt_at > now() + timedelta(seconds=50)
    refusal = Attempt.objects.get()
    assert (refusal.status, refusal.http_status, refusal.error) == (Attempt.Status.FAILURE, 503, "http_5xx")
    assert refusal.response_body == b"closed"

    # Tried again until the schedule is spent, and given up.
    for _ in range(2):
        let_time_pass()
        deliver()
    job.refresh_from_db()
    assert (job.status, job.attempt_count) == (Job.Status.DEAD, 3)
    letter = DeadLetter.objects.get()
    assert (letter.job_id, letter.reason, letter.attempt_count) == (job.id, "max_attempts_exceeded", 3)

    # Sent round again and delivered.
    dead_letters.requeue(letter, by="ada")
    deliver()
    job.refresh_from_db()
    assert (job.status, job.attempt_count) == (Job.Status.SUCCEEDED, 4)
    assert not DeadLetter.objects.exists()
    attempts = list(Attempt.objects.order_by("attempt_n"))
    assert [attempt.http_status for attempt in attempts] == [503, 500, 302, 204]
    assert AuditEntry.objects.get(action="dlq.requeued").actor == "ada"

    # The receiver saw one event four times, signed, and could tell the repeats.
    requests = receiver.at("/orders")
    assert [request.headers["webhook-id"] for request in requests] == [str(job.event_id)] * 4
    for request, attempt in zip(requests, attempts, strict=True):
        Webhook(SECRET).verify(request.body, dict(request.headers))
        assert b'"payload":{"total":120.00,"id":7,"total":1.5e2}' in request.body
        assert json.loads(request.body)["attempt_id"] == str(attempt.id)
    assert receiver.at("/globex") == []


def test_what_no_subscription_wants_is_kept_and_goes_nowhere(acme: Tenant, receiver: Receiver) -> None:
    endpoint = make_endpoint(acme, receiver.url())
    make_subscription(endpoint, "orders.*", filter={"gt": "payload.total", "value": 100})

    for document in (
        {"topic": "orders.created", "payload": {"total": 100}},
        {"topic": "customers.created", "payload": {"total": 101}},
    ):
        publish(acme, document)
    deliver()

    assert Event.objects.count() == 2
    assert not Job.objects.exists()
    assert receiver.received == []


def test_a_refusal_for_good_is_a_dead_letter_at_once(acme: Tenant, receiver: Receiver) -> None:
    endpoint = make_endpoint(acme, receiver.url("/gone"))
    make_subscription(endpoint)
    receiver.reply("/gone", Reply(410))

    publish(acme, {"topic": "orders.created"})
    deliver()

    assert DeadLetter.objects.get().reason == "http_410"
    endpoint.refresh_from_db()
    assert not endpoint.is_enabled
    assert endpoint.disabled_reason == "The endpoint answered 410 Gone."
    assert len(receiver.at("/gone")) == 1
