"""`send`, `tail` and `listen`, beside a running HookLine: what happens there is seen at a shell."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.conf import settings
from standardwebhooks import Webhook

from deliveries import live as watch
from deliveries.listen import secret_of
from deliveries.live import Message
from deliveries.models import Job
from tenants.models import Tenant
from tests.commands import refused, told
from tests.live import ROOT, LiveApi, LiveServer
from tests.queueing import make_target
from tests.receiver import Receiver, Reply
from tests.test_environment import SECRET

SECONDS = 60.0
Captured = pytest.CaptureFixture[str]


class Shell:
    """A command that runs beside a live server, in its environment."""

    def __init__(self, live: LiveServer, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=live.environment | environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ended(self) -> tuple[int, list[str]]:
        """Its status and what it printed."""
        out, err = self.process.communicate(timeout=SECONDS)
        assert err == ""
        return self.process.returncode, out.splitlines()

    def ended_after(self, publish: Callable[[], object]) -> list[str]:
        """What it printed, while something is published again and again until it has seen enough."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            publish()
            time.sleep(0.2)
        status, lines = self.ended()
        assert status == 0
        return lines


@contextmanager
def publishing(publish: Callable[[], object]) -> Iterator[None]:
    """Again and again, as it may take some time until somebody listens."""
    is_heard = threading.Event()

    def publish_on() -> None:
        while not is_heard.wait(0.2):
            publish()

    thread = threading.Thread(target=publish_on)
    thread.start()
    try:
        yield
    finally:
        is_heard.set()
        thread.join()


def subscribed(api: LiveApi, url: str, name: str = "") -> str:
    endpoint = str(api.post("/v1/endpoints", {"url": url, "name": name}).json["id"])
    api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})
    return endpoint


def tenant_of(api: LiveApi) -> str:
    return api.get("/v1/events").headers["x-tenant-id"]


# --- send ---------------------------------------------------------------------------------


def test_an_event_is_followed_to_its_receivers(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    endpoint = subscribed(api, receiver.url("/hook"), "Shop")
    line = ["send", "--tenant", tenant_of(api), "--topic", "order.paid", "--payload", '{"order": 42.00}']

    status, lines = Shell(live, *line, "--json").ended()

    sent, attempt, end = map(json.loads, lines)
    assert status == 0
    assert (attempt["endpoint_id"], attempt["http_status"], attempt["status"]) == (endpoint, 200, "success")
    assert (end["event_id"], end["delivered"]) == (sent["event_id"], True)
    [arrived] = receiver.at("/hook")
    assert b'"payload":{"order": 42.00}' in arrived.body
    assert sent["event_id"].encode() in arrived.body


def test_a_receiver_that_refuses_is_told_and_ends_with_status_1(live: LiveServer, receiver: Receiver) -> None:
    receiver.reply("/hook?token=hidden", Reply(404))
    api = live.tenant()
    subscribed(api, receiver.url("/hook?token=hidden"))

    status, lines = Shell(live, "send", "--tenant", tenant_of(api)).ended()

    assert status == 1
    assert lines[0].endswith(": 1 delivery.")
    assert lines[1].startswith(f"Attempt 1 to {receiver.url('/hook')}: 404 in ")
    assert "check the path of the endpoint's URL" in lines[1]
    assert lines[2] == "0 delivered, 1 given up, 0 waiting."


def test_one_endpoint_is_tried_whatever_it_subscribes_to(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    endpoint = str(api.post("/v1/endpoints", {"url": receiver.url("/alone")}).json["id"])
    subscribed(api, receiver.url("/other"))

    status, _ = Shell(live, "send", "--tenant", tenant_of(api), "--endpoint", endpoint).ended()

    assert (status, len(receiver.at("/alone")), len(receiver.at("/other"))) == (0, 1, 0)


@pytest.mark.django_db(transaction=True)
def test_what_nobody_delivers_is_waited_for_no_longer_than_said(acme: Tenant) -> None:
    make_target(acme)
    with pytest.raises(SystemExit) as ended:
        told("send", "--tenant", "acme", "--wait", "0s")
    assert ended.value.code == 1
    assert Job.objects.get().status == "pending"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["--payload", "{"], "The payload is no JSON: "),
        (["--payload", '{"a": 1} {"b": 2}'], "The payload is no JSON: "),
        (["--file", "/no/such/file"], "/no/such/file: No such file or directory."),
        (["--endpoint", "nobody"], "Endpoint not found"),
        (["--endpoint", "x", "--topic", "y"], "A test event for one endpoint has a topic and a payload of"),
        (["--topic", ""], "Missing field: topic"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    acme: Tenant, line: list[str], sentence: str, capsys: Captured
) -> None:
    make_target(acme)
    assert refused(capsys, "send", "--tenant", "acme", *line).startswith(sentence)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_full_queue_and_a_large_payload_are_refused(acme: Tenant, settings: Any, capsys: Captured) -> None:
    make_target(acme)
    settings.HL_MAX_PAYLOAD_BYTES = 10
    large = refused(capsys, "send", "--tenant", "acme", "--payload", '"ten bytes and more"')
    assert large == "Request body exceeds maximum allowed size\n"
    settings.HL_MAX_QUEUE_DEPTH = 0
    assert refused(capsys, "send", "--tenant", "acme", "--payload", "1").startswith("Queue depth exceeded")


# --- tail ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["the store", "a server"])
def test_events_and_results_are_told_as_they_happen(live: LiveServer, receiver: Receiver, place: str) -> None:
    api = live.tenant()
    endpoint = subscribed(api, receiver.url())
    source = {
        "the store": ["--tenant", tenant_of(api)],
        "a server": ["--server", f"http://127.0.0.1:{live.port}"],
    }[place]
    shell = Shell(live, "tail", *source, "--topic", "*.paid", "--count", "6", HL_API_KEY=api.token)

    def publish() -> None:
        for topic in ("\x1b[2J.paid", "other"):
            api.post("/v1/events", {"topic": topic})

    lines = shell.ended_after(publish)

    assert len(lines) == 6
    assert lines[0].split()[1:3] == ["event", "\\x1b[2J.paid"]
    results = [line for line in lines if " success " in line]
    assert results
    assert f"to endpoint {endpoint}" in results[0]
    assert not [line for line in lines if "\x1b" in line or "other" in line]


def test_failures_of_one_endpoint_are_told_to_programs(live: LiveServer, receiver: Receiver) -> None:
    receiver.reply("/bad", *[Reply(404)] * 1000)
    api = live.tenant()
    subscribed(api, receiver.url("/good"))
    endpoint = subscribed(api, receiver.url("/bad"))
    line = ["tail", "--tenant", tenant_of(api), "--endpoint", endpoint, "--failed", "--count", "2", "--json"]

    lines = Shell(live, *line).ended_after(lambda: api.post("/v1/events", {"topic": "a"}))

    assert [json.loads(line)["http_status"] for line in lines] == [404, 404]
    assert {json.loads(line)["endpoint_id"] for line in lines} == {endpoint}


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--server", "http://127.0.0.1:1"], "http://127.0.0.1:1 cannot be reached: ConnectionError."),
        (["--tenant", "nobody"], "Tenant not found"),
    ],
)
@pytest.mark.django_db
def test_where_nothing_can_be_heard_is_refused(given: list[str], sentence: str, capsys: Captured) -> None:
    assert refused(capsys, "tail", *given).strip() == sentence


def test_ctrl_c_ends_it_as_it_should(live: LiveServer) -> None:
    api = live.tenant()
    shell = Shell(live, "tail", "--tenant", tenant_of(api))
    assert shell.process.stdout
    with publishing(lambda: api.post("/v1/events", {"topic": "a"})):
        shell.process.stdout.readline()

    shell.process.send_signal(signal.SIGINT)

    assert shell.ended()[0] == 0


def test_a_key_that_may_not_listen_is_refused_and_not_repeated(live: LiveServer) -> None:
    api = live.tenant("events.read")
    shell = Shell(live, "tail", "--server", f"http://127.0.0.1:{live.port}", HL_API_KEY=api.token)

    _, err = shell.process.communicate(timeout=SECONDS)

    assert shell.process.returncode == 2
    assert "does not let this key in: it needs scope stream.subscribe" in err
    assert api.token not in err


@pytest.mark.embedded
def test_a_server_that_was_away_is_heard_again_from_where_it_was() -> None:
    with closing(LiveServer()) as server:
        api = server.tenant()
        heard = watch.once(watch.of_server(f"http://127.0.0.1:{server.port}", api.token))
        with publishing(lambda: api.post("/v1/events", {"topic": "before"})):
            assert next(heard).topic == "before"
        server.stop()
        server.start()
        api.post("/v1/events", {"topic": "after"})

        topics = [message.topic for message in heard_until(heard, "after")]

    assert topics[-1] == "after"


def heard_until(heard: Iterator[Message], topic: str) -> Iterator[Message]:
    for message in heard:
        yield message
        if message.topic == topic:
            return


@pytest.mark.embedded
def test_frames_become_messages_and_no_event_is_told_twice() -> None:
    frames = b":\n\nid: 1\nevent: a\ndata: {}\n\n:\n\nid: 1\nevent: deliveries.status\ndata: {}\n\n"

    messages = list(watch.once(watch.parsed((frames + frames).split(b"\n"))))

    assert [(message.id, message.topic) for message in messages] == [
        ("1", "a"),
        ("1", "deliveries.status"),
        ("1", "deliveries.status"),
    ]


# --- listen -------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["the store", "a server"])
def test_events_are_handed_on_to_a_local_port_and_signed(
    live: LiveServer, receiver: Receiver, place: str
) -> None:
    api = live.tenant()
    source = {
        "the store": ["--tenant", tenant_of(api)],
        "a server": ["--server", f"http://127.0.0.1:{live.port}"],
    }[place]
    receiver.reply("/hooks", Reply(200), Reply(500))
    port = receiver.url("/hooks").rpartition(":")[2]
    line = ["listen", port, *source, "--topic", "order.*", "--count", "2", "--json"]

    def publish() -> None:
        for topic in ("order.paid", "other"):
            api.post("/v1/events", {"topic": topic, "payload": {"total": 19.90}, "idempotency_key": None})

    start, first, second = map(json.loads, Shell(live, *line, HL_API_KEY=api.token).ended_after(publish))

    assert start["url"] == f"http://localhost:{port}"
    assert [one["http_status"] for one in (first, second)] == [200, 500]
    assert first["topic"] == "order.paid"
    arrived = receiver.at("/hooks")[0]
    Webhook(start["secret"]).verify(arrived.body, dict(arrived.headers))
    document = json.loads(arrived.body)
    assert document["event"]["payload"] == {"total": 19.90}
    assert document["event_id"] == first["event_id"] == arrived.headers["webhook-id"]
    assert api.get("/v1/deliveries").json["items"] == []


def test_a_port_where_nothing_listens_is_told(live: LiveServer) -> None:
    api = live.tenant()
    shell = Shell(live, "listen", "1", "--tenant", tenant_of(api), "--count", "1", "--secret", "mine")

    start, line = shell.ended_after(lambda: api.post("/v1/events", {"topic": "a"}))

    assert start == "Events go to http://localhost:1/, signed with mine. Ctrl-C ends it."
    assert "Nothing listens there. in " in line


@pytest.mark.embedded
def test_a_place_that_is_none_is_refused() -> None:
    command = [sys.executable, "manage.py", "listen", "somewhere"]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "write a port, such as 3000 or 3000/hooks, or a URL, not 'somewhere'" in ended.stderr


@pytest.mark.embedded
def test_the_secret_is_the_same_at_every_start_and_another_elsewhere() -> None:
    assert secret_of(SECRET) == secret_of(SECRET) != secret_of(SECRET + "x")
    assert secret_of("") != secret_of("")
    assert SECRET not in secret_of(SECRET)
    assert settings.HL_SECRET_KEY not in secret_of(settings.HL_SECRET_KEY)
