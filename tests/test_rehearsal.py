"""What a receiver gets, told beforehand and afterwards, byte for byte and without a secret."""

import subprocess
from typing import Any

import pytest

from deliveries import trial
from deliveries.models import Attempt, Endpoint, Event, Job
from deliveries.rehearsal import as_curl, rehearse
from deliveries.sending import signatures
from hookline.database import now
from hookline.ids import uuid7
from tenants.models import Tenant
from tests.factories import BY, deliver, make_endpoint, make_subscription, publish
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.django_db(transaction=True)

# Key order, a number too big for a float, a quote for the shell, and what a script would be.
BODY = b"""{"topic": "orders.paid", "payload": {"z": 1, "a": 12345678901234567890123, "s": "it's $(x) `y`
 \\u00e9 \\"q\\" <script>"}, "extra": [1.50], "traceparent": "x"}"""
SECRET, HEADERS = "whsec_MTIzNDU2Nzg5MA==", {"authorization": "Bearer of-the-receiver"}


def delivered(tenant: Tenant, receiver: Receiver, **fields: Any) -> tuple[Received, Attempt]:
    """An event as a receiver got it, and the attempt."""
    endpoint = make_endpoint(tenant, receiver.url("/hook?a=[1]{2}"), **fields)
    make_subscription(endpoint, "#", None, [{"op": "remove_field", "field": "extra"}])
    publish(tenant, BODY.replace(b"\n", b""))
    deliver()
    return receiver.received[0], Attempt.objects.get()


def rehearsed(attempt: Attempt) -> Any:
    event, endpoint, job = Event.objects.get(), Endpoint.objects.get(), Job.objects.get()
    assert job.subscription
    return rehearse(attempt, event, endpoint, job.subscription.transform)


@pytest.mark.parametrize("payload_format", ["envelope", "event", "standard"])
def test_what_was_sent_is_told_byte_for_byte(acme: Tenant, receiver: Receiver, payload_format: str) -> None:
    received, attempt = delivered(acme, receiver, payload_format=payload_format)
    request = rehearsed(attempt)
    assert request.body == received.body
    told = dict(line.split(": ", 1) for line in request.headers)
    assert {name: received.headers[name] for name in told} == told


def test_what_nobody_may_see_is_stars(acme: Tenant, receiver: Receiver) -> None:
    received, attempt = delivered(acme, receiver, secret=SECRET, headers=HEADERS)
    told = dict(line.split(": ", 1) for line in rehearsed(attempt).headers)
    hidden = {"x-hl-signature", "webhook-signature", "authorization"}
    assert {name for name, text in told.items() if text == "***"} == hidden
    assert hidden <= {name.lower() for name in received.headers}
    assert told["webhook-id"] == received.headers["webhook-id"]


def test_the_next_attempt_can_be_told_too(acme: Tenant, receiver: Receiver) -> None:
    delivered(acme, receiver)
    planned = Attempt(id=uuid7(), job_id=Job.objects.get().id, attempt_n=7, started_at=now())
    assert b'"attempt":7,' in rehearsed(planned).body


def test_headers_that_no_key_opens_are_left_out(acme: Tenant, receiver: Receiver) -> None:
    _, attempt = delivered(acme, receiver, headers=HEADERS)
    Endpoint.objects.update(headers_box=b"\x01\x00\x07" + b"x" * 40)
    assert not any("authorization" in line for line in rehearsed(attempt).headers)


@pytest.mark.parametrize("secret", ["", SECRET])
def test_as_lines_for_a_shell_it_sends_the_same_and_signs_it(
    acme: Tenant, receiver: Receiver, secret: str
) -> None:
    received, attempt = delivered(acme, receiver, secret=secret, headers=HEADERS)
    lines = as_curl(rehearsed(attempt))
    assert "of-the-receiver" not in lines
    assert SECRET not in lines
    subprocess.run(["sh", "-ec", lines.replace("the secret of the endpoint", secret)], check=True)

    [_, again] = receiver.received
    assert (again.body, again.path) == (received.body, received.path)
    assert again.headers["authorization"] == "***"
    assert again.headers["x-hl-event-id"] == received.headers["x-hl-event-id"]
    assert ("x-hl-signature" in again.headers) == bool(secret)
    if secret:
        stamp = int(again.headers["x-hl-timestamp"])
        assert again.headers["x-hl-signature"] == signatures.hookline(
            signatures.key_of(secret), stamp, again.body
        )


def test_a_test_event_reaches_the_endpoint_alone_and_needs_no_subscription(
    acme: Tenant, receiver: Receiver
) -> None:
    make_subscription(make_endpoint(acme, receiver.url("/other")), "#")
    endpoint = make_endpoint(acme, receiver.url("/tried"))
    sent = trial.send_test(endpoint, BY)
    deliver()
    [received] = receiver.received
    assert received.path == "/tried"
    assert received.json["event"]["topic"] == "hookline.test"
    job = Job.objects.get()
    assert (job.id, job.event_id, job.status) == (sent.job_id, sent.event_id, "succeeded")
