"""What an endpoint's settings do to its deliveries, also to those that wait already."""

import base64
import hashlib
import hmac
import json
import threading
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from deliveries import pump
from deliveries.models import Attempt, DeadLetter, Endpoint, Job, Lane
from hookline import __version__
from hookline.database import now
from tenants.models import Tenant
from tests.api import Api, api_of
from tests.factories import LONG_AGO, deliver, let_time_pass, publish
from tests.receiver import Received, Receiver, Reply

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "whsec_" + base64.b64encode(b"the first key of acme, 32 bytes.").decode()
ORPHANED = "failed to fetch event or endpoint"
SPELLED = b'"total":1.50,"total":2'
EVENT = b'{"topic":"orders.created","payload":{' + SPELLED + b'},"occurred_at":1700000000123}'


@pytest.fixture
def api(acme: Tenant) -> Api:
    return api_of(acme)


class Target:
    """An endpoint at a path of the receiver, made and changed over the API, subscribed to all."""

    def __init__(self, api: Api, receiver: Receiver, path: str = "/hook", **fields: Any) -> None:
        self.api, self.receiver, self.path = api, receiver, path
        answer = api.post("/v1/endpoints", {"url": receiver.url(path), **fields})
        self.id = answer.json["id"]
        self.subscription = self.subscribe()

    def subscribe(self, **fields: Any) -> str:
        document = {"endpoint_id": self.id, "topic_pattern": "#", **fields}
        return str(self.api.post("/v1/subscriptions", document).json["id"])

    def change(self, **fields: Any) -> None:
        assert self.api.patch(f"/v1/endpoints/{self.id}", fields).status == 200

    def rotate(self, **fields: Any) -> str:
        return str(self.api.post(f"/v1/endpoints/{self.id}/secret/rotate", fields).json["secret"])

    @property
    def received(self) -> list[Received]:
        return self.receiver.at(self.path)


def only(requests: list[Received]) -> Received:
    (request,) = requests
    return request


# --- Jobs that wait already ---------------------------------------------------------------


def test_a_new_url_holds_for_jobs_that_wait(acme: Tenant, api: Api, receiver: Receiver) -> None:
    target = Target(api, receiver)
    receiver.reply("/hook", Reply(503))
    publish(acme, EVENT)
    deliver()
    publish(acme, EVENT)
    target.change(url=receiver.url("/moved?with=query"))
    let_time_pass()
    deliver()
    assert (len(target.received), len(receiver.at("/moved?with=query"))) == (1, 2)


def test_what_is_disabled_is_held_and_what_is_enabled_is_delivered_at_once(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    target = Target(api, receiver)
    publish(acme, EVENT)
    target.change(enabled=False)
    published = [publish(acme, EVENT) for _ in range(2)]
    deliver()
    assert target.received == []
    assert Job.objects.filter(status=Job.Status.PENDING, attempt_count=0).count() == 1 + len(published)
    target.change(enabled=True)
    deliver()
    assert len(target.received) == 3


def test_a_retry_that_waits_is_held_while_its_endpoint_is_disabled(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    target = Target(api, receiver)
    receiver.reply("/hook", Reply(500), Reply(200))
    publish(acme, EVENT)
    deliver()
    target.change(enabled=False)
    let_time_pass()
    deliver()
    assert len(target.received) == 1
    target.change(enabled=True)
    deliver()
    assert len(target.received) == 2
    assert Job.objects.get().status == Job.Status.SUCCEEDED


@pytest.mark.parametrize("limit", ["rate_limit_rps", "max_in_flight"])
def test_a_raised_limit_lets_more_start_at_once(
    acme: Tenant, api: Api, receiver: Receiver, limit: str
) -> None:
    limits: dict[str, Any] = {"rate_limit_rps": 0, limit: 1}
    target = Target(api, receiver, **limits)
    for _ in range(30):
        publish(acme, EVENT)
    lane = Lane.objects.filter(endpoint_id=target.id)
    lane.update(in_flight=1, tokens=0, refilled_at=now())
    pump.run(threading.Event(), linger_seconds=0.5)
    held = 30 - len(target.received)
    assert held
    lane.update(in_flight=1)
    target.change(**{limit: 1000})
    pump.run(threading.Event(), linger_seconds=0.5)
    assert len(target.received) == 30


def test_a_new_secret_and_new_headers_sign_retries_too(acme: Tenant, api: Api, receiver: Receiver) -> None:
    target = Target(api, receiver, secret="old", headers={"x-shop": "old"})
    receiver.reply("/hook", Reply(500), Reply(200))
    publish(acme, EVENT)
    deliver()
    target.change(secret="new", headers={"x-shop": "new"})
    let_time_pass()
    deliver()
    assert [signed_by(request, ["old", "new"]) for request in target.received] == ["old", "new"]
    assert [request.headers["x-shop"] for request in target.received] == ["old", "new"]


def test_what_waits_for_a_deleted_endpoint_becomes_dead_letters(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    target, other = Target(api, receiver), Target(api, receiver, "/other")
    receiver.reply("/hook", Reply(503))
    publish(acme, EVENT)
    deliver()  # one job of the target waits for its second attempt
    publish(acme, EVENT)  # and another for its first
    assert api.delete(f"/v1/endpoints/{target.id}").status == 204
    published = publish(acme, EVENT)
    deliver()
    assert [str(job.endpoint_id) for job in published.jobs] == [other.id]  # type: ignore[union-attr]
    assert (len(target.received), len(other.received)) == (1, 3)
    letters = api.get(f"/v1/dlq?endpoint_id={target.id}").json["items"]
    assert {(letter["reason"], letter["attempt_count"]) for letter in letters} == {
        (ORPHANED, 0),
        (ORPHANED, 1),
    }
    assert not Job.objects.filter(status=Job.Status.PENDING).exists()


def test_a_disabled_endpoint_that_is_deleted_lets_its_jobs_go_too(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    target = Target(api, receiver, enabled=False)
    publish(acme, EVENT)
    deliver()
    api.delete(f"/v1/endpoints/{target.id}")
    deliver()
    assert DeadLetter.objects.get().reason == ORPHANED
    assert receiver.received == []


# --- Signatures ---------------------------------------------------------------------------


def signed_by(request: Received, secrets: list[str]) -> str:
    """The secret that made the signature of the contract, section 23.3."""
    message = request.headers["x-hl-timestamp"].encode() + b"." + request.body
    made = {"v1=" + hmac.new(key.encode(), message, hashlib.sha256).hexdigest(): key for key in secrets}
    return made[request.headers["x-hl-signature"]]


def accepts(secret: str, request: Received) -> bool:
    """Whether a receiver that follows Standard Webhooks takes the request."""
    try:
        Webhook(secret).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True


def test_an_endpoint_without_secret_gets_no_signature(acme: Tenant, api: Api, receiver: Receiver) -> None:
    Target(api, receiver)
    publish(acme, EVENT)
    deliver()
    names = {name.lower() for name in only(receiver.received).headers}
    assert "x-hl-timestamp" in names
    assert not names & {"x-hl-signature", "webhook-id", "webhook-timestamp", "webhook-signature"}


def test_during_an_overlap_both_secrets_sign_and_afterwards_the_new_one(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    target = Target(api, receiver, secret=KEY)
    new = target.rotate(overlap_seconds=60)
    publish(acme, EVENT)
    deliver()
    Endpoint.objects.update(old_secret_until=LONG_AGO)
    publish(acme, EVENT)
    deliver()
    during, after = target.received
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    assert (accepts(KEY, during), accepts(new, during)) == (True, True)
    assert (accepts(KEY, after), accepts(new, after)) == (False, True)
    assert signed_by(during, [KEY, new]) == signed_by(after, [KEY, new]) == new


def test_a_rotation_without_overlap_ends_the_old_secret_at_once(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    target = Target(api, receiver, secret=KEY)
    new = target.rotate(overlap_seconds=0)
    publish(acme, EVENT)
    deliver()
    request = only(target.received)
    assert (accepts(KEY, request), accepts(new, request)) == (False, True)


@pytest.mark.parametrize("secret", ["", "another"])
def test_a_secret_set_by_hand_ends_an_overlap(
    acme: Tenant, api: Api, receiver: Receiver, secret: str
) -> None:
    target = Target(api, receiver, secret=KEY)
    target.rotate()
    target.change(secret=secret)
    publish(acme, EVENT)
    deliver()
    signature = only(target.received).headers.get("webhook-signature", "")
    assert len(signature.split()) == bool(secret)


# --- What is sent -------------------------------------------------------------------------


def test_the_envelope_holds_the_event_document(acme: Tenant, api: Api, receiver: Receiver) -> None:
    Target(api, receiver)
    publish(acme, EVENT)
    deliver()
    request = only(receiver.received)
    body, attempt = json.loads(request.body), Attempt.objects.get()
    assert SPELLED in request.body
    assert body == {
        "hookline_version": "1",
        "job_id": str(attempt.job_id),
        "event_id": str(attempt.event_id),
        "attempt_id": str(attempt.id),
        "attempt": 1,
        "event": api.get(f"/v1/events/{attempt.event_id}").json,
    }
    assert request.headers["user-agent"] == f"HookLine/{__version__}"


def test_the_event_can_come_alone(acme: Tenant, api: Api, receiver: Receiver) -> None:
    Target(api, receiver, payload_format="event")
    publish(acme, EVENT)
    deliver()
    request = only(receiver.received)
    assert SPELLED in request.body
    assert json.loads(request.body) == api.get(f"/v1/events/{request.headers['x-hl-event-id']}").json


def test_the_standard_form_has_type_timestamp_and_data(acme: Tenant, api: Api, receiver: Receiver) -> None:
    Target(api, receiver, payload_format="standard")
    publish(acme, EVENT)
    deliver()
    expected = b'{"type":"orders.created","timestamp":"2023-11-14T22:13:20.123Z","data":{' + SPELLED + b"}}"
    assert only(receiver.received).body == expected


def test_extra_headers_and_the_query_reach_the_receiver(acme: Tenant, api: Api, receiver: Receiver) -> None:
    path = "/hook?token=a%20b&token=c"
    Target(api, receiver, path, headers={"Authorization": "Bearer x", "x-empty": "", "x-name": "Zürich"})
    publish(acme, EVENT)
    deliver()
    headers = only(receiver.at(path)).headers
    assert (headers["authorization"], headers["x-empty"]) == ("Bearer x", "")
    assert headers["x-name"].encode("latin-1").decode() == "Zürich"


# --- When it is tried again ---------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3])
def test_max_retries_is_the_number_of_attempts(acme: Tenant, api: Api, receiver: Receiver, most: int) -> None:
    target = Target(api, receiver, max_retries=most)
    receiver.reply("/hook", Reply(503))
    publish(acme, EVENT)
    for _ in range(most + 1):
        deliver()
        let_time_pass()
    assert len(target.received) == most
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.attempt_count) == ("max_attempts_exceeded", most)


def test_an_endpoints_own_schedule_says_when_and_how_often(
    acme: Tenant, api: Api, receiver: Receiver
) -> None:
    Target(api, receiver, retry_schedule=["100s", "2h"])
    receiver.reply("/hook", Reply(500))
    publish(acme, EVENT)
    waits = []
    for _ in range(2):
        deliver()
        waits.append(
            (Job.objects.get().next_attempt_at - Attempt.objects.latest("id").started_at).total_seconds()
        )
        let_time_pass()
    deliver()
    assert 100 <= waits[0] < 125
    assert 7200 <= waits[1] < 8645
    assert DeadLetter.objects.get().attempt_count == 3


def test_a_deadline_is_kept(acme: Tenant, api: Api, receiver: Receiver) -> None:
    Target(api, receiver, timeout_ms=100)
    receiver.reply("/hook", Reply(delay=60))
    publish(acme, EVENT)
    deliver()
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.http_status, attempt.error) == ("failure", 0, "timeout")
