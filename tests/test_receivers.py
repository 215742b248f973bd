"""The receivers of docs/receivers take what HookLine really sends, once, and nothing else."""

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import pytest

from deliveries.sending import signatures
from hookline import throwaway
from tests import installation
from tests.clients.sdk import HookLineClient
from tests.live import LiveServer
from tests.receiver import Received, Receiver

pytestmark = pytest.mark.embedded

PLACE = Path(__file__).resolve().parent.parent / "docs/receivers"
SECRET = "whsec_" + base64.b64encode(b"what the receiver knows").decode()
PLAIN = "a secret with no prefix".replace(" ", "-")
LANGUAGES = ["go", "mjs", "py"]

Start = Callable[[str], "Example"]


class Example:
    """One of the receivers, running."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self.port, self.output = throwaway.free_port(), directory / "output"
        environment = {
            "PATH": os.environ["PATH"],
            "HOOKLINE_SECRET": f"{SECRET} {PLAIN}",
            "PORT": str(self.port),
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        deadline = time.monotonic() + 60
        while not self._listens():
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def handled(self) -> list[str]:
        """The id and topic of each event, in the order in which they were handled."""
        return self.output.read_text().splitlines()

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        sent = {name: text for name, text in headers.items() if name.lower() != "content-length"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("POST", "/hook", body, sent)
            return connection.getresponse().status

    def _listens(self) -> bool:
        try:
            return self.post(b"", {}) == 401
        except OSError:
            return False


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    installation.ensure("golang-go", "nodejs")
    started: list[Example] = []

    def command(language: str, directory: Path) -> list[str]:
        source = str(PLACE / f"receiver.{language}")
        if language != "go":
            return [{"py": sys.executable, "mjs": "node"}[language], source]
        program = str(directory / "receiver")
        subprocess.run(["go", "build", "-o", program, source], check=True)
        return [program]

    def one(language: str) -> Example:
        directory = tmp_path_factory.mktemp(language)
        started.append(Example(command(language, directory), directory))
        return started[-1]

    yield one
    for example in started:
        example.process.kill()
        example.process.wait()


@pytest.fixture(scope="module", params=LANGUAGES)
def example(start: Start, request: pytest.FixtureRequest) -> Example:
    return start(request.param)


@pytest.fixture
def sdk(live: LiveServer) -> HookLineClient:
    return HookLineClient(f"http://127.0.0.1:{live.port}", live.tenant().token)


@pytest.fixture
def delivery(sdk: HookLineClient, receiver: Receiver) -> Received:
    """A real one, caught on its way."""
    subscribe(sdk, receiver.url(), SECRET)
    sdk.publish_event("order.paid", {"order": 42, "name": "Zoë"})
    return receiver.wait_for("/", 1)[0]


def subscribe(sdk: HookLineClient, url: str, secret: str, **fields: str) -> str:
    endpoint = sdk.call("POST", "/v1/endpoints", {"url": url, "secret": secret, **fields})["id"]
    sdk.create_subscription(endpoint)
    return str(endpoint)


def signed(body: bytes, sent: float) -> dict[str, str]:
    """Headers as HookLine writes them, at another time."""
    keys = [signatures.key_of(SECRET)]
    return {
        "x-hl-timestamp": str(int(sent * 1000)),
        "x-hl-signature": signatures.hookline(keys[0], int(sent * 1000), body),
        "webhook-id": "an-id",
        "webhook-timestamp": str(int(sent)),
        "webhook-signature": signatures.standard(keys, "an-id", int(sent), body),
    }


def with_one(headers: Mapping[str, str], **changed: str) -> dict[str, str]:
    return dict(headers) | {name.replace("_", "-"): text for name, text in changed.items()}


@pytest.mark.parametrize("payload_format", ["envelope", "event", "standard"])
@pytest.mark.parametrize("secret", [SECRET, PLAIN])
def test_it_takes_what_hookline_delivers(
    sdk: HookLineClient, example: Example, secret: str, payload_format: str
) -> None:
    endpoint = subscribe(sdk, example.url, secret, payload_format=payload_format)
    event = sdk.publish_event("order.paid", {"name": "Zoë"})

    deadline = time.monotonic() + 60
    while not (attempts := sdk.list_deliveries(event["id"])["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [(attempt["endpoint_id"], attempt["http_status"]) for attempt in attempts] == [(endpoint, 204)]
    assert f"{event['id']} order.paid" in example.handled


def test_it_handles_a_repeat_once_and_says_yes_to_it(example: Example, delivery: Received) -> None:
    headers = dict(delivery.headers)

    assert [example.post(delivery.body, headers) for _ in range(3)] == [204, 204, 204]

    assert example.handled.count(f"{headers['webhook-id']} order.paid") == 1


def test_it_knows_the_event_by_either_signature(example: Example, delivery: Received) -> None:
    headers = {name.lower(): text for name, text in delivery.headers.items()}
    older = {name: text for name, text in headers.items() if not name.startswith("webhook-")}

    assert example.post(delivery.body, older) == 204
    assert example.post(delivery.body, headers) == 204

    assert example.handled.count(f"{headers['webhook-id']} order.paid") == 1


def test_it_takes_one_of_several_signatures_while_a_secret_is_rotated(
    sdk: HookLineClient, receiver: Receiver, example: Example
) -> None:
    endpoint = subscribe(sdk, receiver.url(), SECRET)
    sdk.call("POST", f"/v1/endpoints/{endpoint}/secret/rotate")
    sdk.publish_event("order.paid")
    [arrived] = receiver.wait_for("/", 1)

    assert len(arrived.headers["webhook-signature"].split()) == 2
    assert example.post(arrived.body, dict(arrived.headers)) == 204


def test_it_refuses_what_is_forged(example: Example, delivery: Received) -> None:
    body, headers = delivery.body, {name.lower(): text for name, text in delivery.headers.items()}
    older = {name: text for name, text in headers.items() if not name.startswith("webhook-")}
    forged = [
        (body.replace(b"42", b"43"), headers),
        (body.replace(b"42", b"43"), older),
        (body, with_one(headers, webhook_id="another")),
        (body, with_one(headers, webhook_timestamp=str(int(time.time()) + 1))),
        (body, with_one(headers, webhook_signature="v1,")),
        (body, with_one(headers, webhook_signature="")),
        (body, with_one(headers, webhook_signature=headers["webhook-signature"].replace("v1,", "v1a,"))),
        (body, with_one(older, x_hl_timestamp="")),
        (body, with_one(older, x_hl_timestamp="9" * 40)),
        (body, with_one(older, x_hl_signature="v1=" + "0" * 64)),
        (body, {}),
        (json.dumps(delivery.json).encode(), headers),
    ]
    before = example.handled

    assert [example.post(*one) for one in forged] == [401] * len(forged)
    assert example.handled == before


@pytest.mark.parametrize("seconds_away", [-600, 600])
def test_it_refuses_what_was_signed_at_another_time(example: Example, seconds_away: int) -> None:
    body = b'{"event_id":"an-id","event":{"topic":"order.paid"}}'
    headers = signed(body, time.time() + seconds_away)
    older = {name: text for name, text in headers.items() if not name.startswith("webhook-")}

    assert (example.post(body, headers), example.post(body, older)) == (401, 401)


def test_it_reads_no_more_than_it_must(example: Example) -> None:
    body = b" " * (1024 * 1024 + 1)

    with suppress(BrokenPipeError, ConnectionResetError):  # it may hang up before all is sent
        assert example.post(body, signed(body, time.time())) == 413
    assert example.post(body[1:-1], {}) == 401


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_it_does_not_start_without_a_secret(language: str, secret: str) -> None:
    run = {"py": [sys.executable], "mjs": ["node"], "go": ["go", "run"]}[language]
    environment = {**os.environ, "HOOKLINE_SECRET": secret, "PORT": str(throwaway.free_port())}
    ended = subprocess.run(
        [*run, str(PLACE / f"receiver.{language}")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "HOOKLINE_SECRET" in ended.stderr
