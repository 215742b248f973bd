"""Clients written for this API, as others wrote them, work unchanged: from outside, over a live server."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import installation
from tests.clients.sdk import HookLineClient, HookLineError
from tests.live import LiveApi, LiveServer
from tests.receiver import Receiver, Reply
from tests.servers import CLIENTS, ENVIRONMENT
from tests.serving import BANNER, Serving, publish, send_to

PLACE = Path(__file__).parent / "clients"
OPERATOR = ENVIRONMENT["HL_ADMIN_KEY"]
EVENT_FIELDS = {"id", "event_id", "tenant_id", "topic", "payload", "occurred_at", "created_at"}


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    installation.ensure(*CLIENTS)


@pytest.fixture
def tenant(live: LiveServer) -> LiveApi:
    return live.tenant()


@pytest.fixture
def sdk(tenant: LiveApi) -> HookLineClient:
    return HookLineClient(base_of(tenant), tenant.token)


def base_of(api: LiveApi) -> str:
    return f"http://127.0.0.1:{api.server.port}"


# --- Python -------------------------------------------------------------------------------


def test_the_python_sdk_publishes_pages_and_repeats(sdk: HookLineClient) -> None:
    first = sdk.publish_event(
        "order.paid", {"total": 1}, idempotency_key="one", occurred_at=1_700_000_000_000
    )
    again = sdk.publish_event("other", {"total": 2}, idempotency_key="one")
    bare = sdk.publish_event("bare")
    legacy = sdk.publish_event("legacy", data=[1, "two"])

    assert first.keys() == EVENT_FIELDS | {"idempotency_key", "job_ids"}
    assert (first["occurred_at"], first["job_ids"]) == (1_700_000_000_000, [])
    assert again == {"id": first["id"], "event_id": first["id"], "deduped": True}
    assert (bare.get("payload"), legacy["payload"]) == (None, [1, "two"])
    stored = {name: value for name, value in first.items() if name != "job_ids"}
    assert sdk.get_event(first["id"]) == stored

    page = sdk.list_events(limit=2)
    assert ([item["id"] for item in page["items"]], page["count"]) == ([first["id"], bare["id"]], 2)
    rest = sdk.list_events(limit=2, cursor=page["next_cursor"])
    assert [item["id"] for item in rest["items"]] == [legacy["id"]]
    assert "next_cursor" not in rest
    assert sdk.list_events(to_ms=1_700_000_000_000)["items"] == [stored]
    assert sdk.list_events(from_ms=1_700_000_000_001)["count"] == 2


def test_the_python_sdk_receives_what_it_verifies(sdk: HookLineClient, receiver: Receiver) -> None:
    endpoint = sdk.create_endpoint(receiver.url("/hook?a=b"), "orders", "the secret")
    subscription = sdk.create_subscription(
        endpoint["endpoint_id"], "order.*", {"gt": "payload.total", "value": 5},
        [{"op": "set_field", "field": "channel", "value": "web"}],
    )  # fmt: skip
    published = sdk.publish_event("order.paid", {"total": 19.90})

    [arrived] = receiver.wait_for("/hook?a=b", 1)
    body = sdk.verify_webhook(arrived.body, dict(arrived.headers), "the secret")
    assert body["hookline_version"] == "1"
    assert (body["job_id"], body["attempt"]) == (published["job_ids"][0], 1)
    assert body["event"] == {
        **{name: value for name, value in published.items() if name != "job_ids"},
        "channel": "web",
    }
    with pytest.raises(ValueError, match="signature"):
        sdk.verify_webhook(arrived.body + b" ", dict(arrived.headers), "the secret")
    assert [item["id"] for item in sdk.list_endpoints()["items"]] == [endpoint["id"]]
    assert [item["id"] for item in sdk.list_subscriptions()["items"]] == [subscription["id"]]


def test_the_python_sdk_sends_a_dead_letter_again(sdk: HookLineClient, receiver: Receiver) -> None:
    receiver.reply("/", Reply(404), Reply(200))
    endpoint = sdk.create_endpoint(receiver.url())
    sdk.create_subscription(endpoint["id"])
    event = sdk.publish_event("order.paid", {})

    receiver.wait_for("/", 1)
    letter = wait_for(lambda: sdk.list_dlq(endpoint["id"])["items"])[0]
    assert (letter["event_id"], letter["reason"], letter["attempt_count"]) == (event["id"], "http_404", 1)
    assert sdk.requeue_dlq_job(letter["job_id"]) == {"ok": True}
    receiver.wait_for("/", 2)
    assert sdk.list_dlq()["items"] == []

    replay = sdk.replay(from_ms=event["occurred_at"], mode="all", limit=10)
    assert (replay["replayed"], replay["scheduled"]) == (1, 1)
    receiver.wait_for("/", 3)


def test_the_python_sdk_raises_after_a_deletion_that_was_done(sdk: HookLineClient, live: LiveServer) -> None:
    """It reads every answer as JSON, also an empty one, and its users know that."""
    endpoint = sdk.create_endpoint("http://127.0.0.1:9/")
    subscription = sdk.create_subscription(endpoint["id"])
    operator = HookLineClient(sdk.base_url, OPERATOR)
    made = operator.admin.tenants.create("Python")

    for delete, name in (
        (sdk.delete_subscription, subscription["id"]),
        (sdk.delete_endpoint, endpoint["id"]),
        (operator.admin.tenants.delete, made["id"]),
    ):
        with pytest.raises(json.JSONDecodeError):
            delete(name)

    assert (sdk.list_subscriptions()["items"], sdk.list_endpoints()["items"]) == ([], [])
    assert made["id"] not in [tenant["id"] for tenant in operator.admin.tenants.list()]
    with pytest.raises(HookLineError) as fault:
        HookLineClient(sdk.base_url, made["api_key"]).list_events()
    assert (fault.value.status, fault.value.code) == (401, "unauthorized")


def test_the_python_sdk_manages_tenants(sdk: HookLineClient) -> None:
    operator = HookLineClient(sdk.base_url, OPERATOR)
    made = operator.admin.tenants.create("Globex", id=f"globex-{os.getpid()}")

    assert (made["id"], made["name"]) == (f"globex-{os.getpid()}", "Globex")
    assert operator.admin.tenants.get(made["id"]) == made | {"api_key": None}
    assert made | {"api_key": None} in operator.admin.tenants.list()
    assert HookLineClient(sdk.base_url, made["api_key"]).publish_event("a")["tenant_id"] == made["id"]
    with pytest.raises(HookLineError, match="409 conflict: Tenant already exists"):
        operator.admin.tenants.create("Globex", id=made["id"])
    with pytest.raises(HookLineError, match="403 forbidden"):
        sdk.admin.tenants.list()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/events/none", 404, "not_found"),
        ("PUT", "/v1/events", 405, "method_not_allowed"),
        ("POST", "/v1/dlq/none", 405, "method_not_allowed"),
        ("POST", "/v1/events", 400, "invalid_json"),
        ("DELETE", "/v1/endpoints", 400, "validation_error"),
        ("GET", "/v1/ws", 404, "not_found"),
        ("GET", "/v1/presence/orders", 404, "not_found"),
        ("POST", "/v1/uploads", 501, "uploads_disabled"),
    ],
)
def test_every_refusal_is_json_for_the_python_sdk(
    sdk: HookLineClient, method: str, path: str, status: int, code: str
) -> None:
    with pytest.raises(HookLineError) as fault:
        sdk.call(method, path)

    assert (fault.value.status, fault.value.code) == (status, code)


# --- JavaScript ---------------------------------------------------------------------------


def test_the_javascript_sdk_gets_what_it_reads(tenant: LiveApi, receiver: Receiver) -> None:
    seen = ran("node", str(PLACE / "sdk.mjs"), base_of(tenant), tenant.token, OPERATOR, receiver.url())

    assert seen["endpoint"]["enabled"] is True
    assert (seen["changed"]["id"], seen["changed"]["name"]) == (seen["endpoint"]["id"], "renamed")
    assert seen["subscription"]["topic_pattern"] == "#"
    assert (seen["small"]["job_ids"], len(seen["event"]["job_ids"])) == ([], 1)
    assert [repeat.get("deduped") for repeat in seen["repeats"]] == [None, True]
    assert (seen["page"]["count"], seen["rest"]["count"]) == (2, 1)
    assert "next_cursor" not in seen["rest"]
    assert seen["deliveries"]["items"][0]["status"] == "success"
    assert seen["missing"] == [400, "validation_error"]
    assert seen["unknown"] == [404, "not_found"]
    assert seen["method"] == [405, "method_not_allowed"]
    assert seen["stranger"] == [401, "unauthorized"]
    assert seen["socket"] == [404, "not_found"]
    assert seen["tenant"]["api_key"].startswith("hl_live_")
    assert [tenant["name"] for tenant in seen["tenants"]] == ["JS"]
    assert seen["deletions"] == ["SyntaxError", "SyntaxError"]
    assert [listed["items"] for listed in seen["left"]] == [[], []]


def test_the_javascript_sdk_verifies_a_signature(sdk: HookLineClient, receiver: Receiver) -> None:
    endpoint = sdk.create_endpoint(receiver.url(), secret="schlüssel")
    sdk.create_subscription(endpoint["id"])
    sdk.publish_event("order.paid", {"name": "Zoë"})
    [arrived] = receiver.wait_for("/", 1)
    signed = (arrived.headers["x-hl-timestamp"], arrived.headers["x-hl-signature"])

    verify = ["node", str(PLACE / "sdk.mjs"), "verify", arrived.body.decode(), *signed]
    assert ran(*verify, "schlüssel") is True
    assert ran(*verify, "schluessel") is False


# --- Go -----------------------------------------------------------------------------------


def test_the_go_sdk_decodes_every_answer(tenant: LiveApi, receiver: Receiver) -> None:
    receiver.reply("/", Reply(410), Reply(404))

    seen = ran("go", "run", str(PLACE / "sdk.go"), base_of(tenant), tenant.token, OPERATOR, receiver.url())

    endpoint, subscription = seen["endpoint"], seen["subscription"]
    assert (endpoint["name"], endpoint["enabled"]) == ("go", True)
    assert subscription["endpoint_id"] == endpoint["endpoint_id"]
    assert all(made["created_at"] > 1_700_000_000_000 for made in (endpoint, subscription, seen["tenant"]))
    assert (seen["full"]["payload"], seen["full"]["occurred_at"]) == ({"n": 1}, 1_700_000_000_000)
    assert [event["topic"] for event in seen["page"]["items"] + seen["rest"]["items"]] == [
        "go.bare",
        "go.full",
    ]
    assert (seen["endpoints"]["count"], seen["subscriptions"]["count"]) == (1, 1)
    assert seen["missing"] == "400 validation_error"
    assert seen["tenant"]["api_key"]
    assert seen["tenants"] > 1
    assert seen["dlq"]["items"][0]["created_at"] > 1_700_000_000_000


# --- The command line ---------------------------------------------------------------------


def settings_of(api: LiveApi) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HL_URL": base_of(api), "HL_API_KEY": api.token}


def hl(api: LiveApi, *words: str, place: Path | None = None) -> str:
    command = [str(PLACE / "hl"), *words]
    return subprocess.check_output(command, env=settings_of(api), cwd=place, encoding="utf-8", timeout=60)


def told(api: LiveApi, *words: str) -> Any:
    return json.loads(hl(api, *words))


def test_the_command_line_walks_the_whole_way(tenant: LiveApi, receiver: Receiver, tmp_path: Path) -> None:
    receiver.reply("/", Reply(422), Reply(200))
    (tmp_path / "payload.json").write_text('{"order": {"id": 7}}')

    endpoint = told(tenant, "endpoints", "add", "--url", receiver.url(), "--secret", "s", "--rps", "20")
    assert (endpoint["timeout_ms"], endpoint["rate_limit_rps"], endpoint["enabled"]) == (5000, 20, True)
    unsigned = told(tenant, "endpoints", "add", "--url", receiver.url("/unsigned"))
    assert "secret" not in unsigned or unsigned["secret"] == ""
    subscription = told(tenant, "subs", "add", "--endpoint", endpoint["id"], "--topic", "order.#")
    assert told(tenant, "subs", "ls", "--endpoint", endpoint["id"])["items"] == [subscription]
    assert told(tenant, "endpoints", "get", "--id", endpoint["id"]) == endpoint

    file = str(tmp_path / "payload.json")
    event = told(tenant, "events", "publish", "--topic", "order.paid", "--file", file, "--key", "k")
    assert event["payload"] == {"order": {"id": 7}}
    assert told(tenant, "events", "publish", "--topic", "order.paid", "--key", "k")["deduped"] is True
    told(tenant, "events", "publish", "--topic", "other")
    assert [item["topic"] for item in told(tenant, "events", "ls")["items"]] == ["order.paid", "other"]
    assert [item["topic"] for item in told(tenant, "events", "ls", "--topic", "other")["items"]] == ["other"]
    assert told(tenant, "events", "get", "--id", event["id"])["payload"] == {"order": {"id": 7}}

    [letter] = wait_for(lambda: told(tenant, "dlq", "ls", "--endpoint", endpoint["id"])["items"])
    assert told(tenant, "dlq", "requeue", "--id", letter["job_id"]) == {"ok": True}
    receiver.wait_for("/", 2)
    wait_for(lambda: told(tenant, "deliveries", "ls", "--event", event["id"])["count"] == 2)
    last = told(tenant, "deliveries", "ls", "--event", event["id"], "--endpoint", endpoint["id"])["items"][-1]
    assert told(tenant, "deliveries", "get", "--id", last["attempt_id"]) == last
    assert (last["status"], last["http_status"], last["attempt_n"]) == ("success", 200, 2)

    assert told(tenant, "replay", "x", "--event", event["id"])["scheduled"] == 1
    by_time = ["--endpoint", endpoint["id"], "--topic", "order.*", "--from", str(event["occurred_at"])]
    assert told(tenant, "replay", "x", *by_time, "--mode", "all")["replayed"] == 1
    receiver.wait_for("/", 4)
    assert hl(tenant, "subs", "rm", "--id", subscription["id"]) == "Deleted\n"
    assert hl(tenant, "endpoints", "rm", "--id", endpoint["id"]) == "Deleted\n"
    assert told(tenant, "endpoints", "ls")["count"] == 1


def test_the_command_line_tests_an_endpoint_and_reads_an_inbox(tenant: LiveApi) -> None:
    inbox = told(tenant, "inbox", "create")
    endpoint = told(tenant, "endpoints", "add", "--url", inbox["receive_url"], "--secret", "s")
    told(tenant, "subs", "add", "--endpoint", endpoint["id"], "--topic", "#")

    assert hl(tenant, "test", "x").startswith(f"✓ Delivered to {endpoint['id']} in ")
    [message] = told(tenant, "inbox", "messages", "--token", inbox["token"])["items"]
    assert message["headers"]["x-hl-topic"] == "hookline.test"
    one = told(tenant, "inbox", "messages", "--token", inbox["token"], "--id", message["id"])
    assert json.loads(one["body"])["event"]["topic"] == "hookline.test"


def test_the_command_line_looks_at_the_installation(live: LiveServer, tmp_path: Path) -> None:
    operator = live.api()

    assert hl(operator, "doctor", "x").splitlines()[:3] == ["✓ healthz", "✓ readyz", "✓ api key"]
    assert hl(operator, "init", "x", place=tmp_path).startswith("✓ HookLine is reachable")
    assert (tmp_path / ".hookline").read_text() == f"HL_URL={base_of(operator)}\nHL_API_KEY={OPERATOR}\n"
    assert told(operator, "admin", "stats")["queue"].keys() == {"pending", "inflight"}
    assert told(operator, "admin", "pause") == {"ok": True, "paused": True}
    assert told(operator, "admin", "resume") == {"ok": True, "paused": False}
    assert told(operator, "admin", "compact")["ok"] is True
    actions = {entry["action"] for entry in told(operator, "admin", "audit", "--limit", "10")["items"]}
    assert {"claims.paused", "claims.resumed"} <= actions


@pytest.mark.embedded
def test_the_command_line_copies_a_store_that_starts_again(
    serve: Callable[..., Serving], receiver: Receiver, tmp_path: Path
) -> None:
    serving = serve()
    serving.wait_for(BANNER)
    send_to(receiver, serving)
    receiver.wait_for("/", 1)
    place = {"HL_DATA_DIR": str(serving.data)}
    create = [str(PLACE / "hl"), "store", "snapshot", "create", "--dest", str(tmp_path / "copy")]
    said = subprocess.check_output(create, env=settings_of(serving.api()) | place, encoding="utf-8")
    publish(serving)
    receiver.wait_for("/", 2)  # deliveries go on after it

    copied = serve(HL_DATA_DIR=str(tmp_path / "copy"))
    copied.wait_for(BANNER)

    assert said.endswith(f"✓ Snapshot saved to: {tmp_path / 'copy'}\n")
    assert (tmp_path / "copy/hookline.sqlite3-wal").stat().st_size < 1_000_000
    assert copied.api().get("/v1/events").json["count"] == 1
    assert copied.api().post("/v1/events", {"topic": "order.paid"}).status == 201


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["tail", "x"], "→ success 200 ("),
        (["deliveries", "tail", "--topic", "order.*"], "[order.paid] "),
        (["stream", "x", "--topic", "order.*"], "event: order.paid"),
    ],
)
def test_the_command_line_follows_the_stream(
    tenant: LiveApi, receiver: Receiver, words: list[str], line: str
) -> None:
    endpoint = tenant.post("/v1/endpoints", {"url": receiver.url()}).json["id"]
    tenant.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})
    seen: list[str] = []
    with following(tenant, *words, into=seen):
        wait_for(
            lambda: tenant.post("/v1/events", {"topic": "order.paid"}).status == 201 and line in "".join(seen)
        )


@contextmanager
def following(api: LiveApi, *words: str, into: list[str]) -> Iterator[None]:
    """A command that goes on until it is ended, and the lines that it prints meanwhile."""
    command, environment = [str(PLACE / "hl"), *words], settings_of(api)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        reader = threading.Thread(target=lambda: into.extend(process.stdout or ()))
        reader.start()
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            reader.join()


# --- What scripts and Postman look at -----------------------------------------------------


def test_bodies_are_read_under_any_content_type(tenant: LiveApi) -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "application/octet-stream", ""):
        answer = tenant.post("/v1/events", {"topic": "a"}, content_type=content_type, accept="text/html")
        assert (answer.status, answer.headers["content-type"]) == (201, "application/json")
        assert answer.headers["x-tenant-id"] == answer.json["tenant_id"]


def wait_for(found: Any) -> Any:
    """What `found` answers once it is something."""
    deadline = time.monotonic() + 30
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def ran(*command: str) -> Any:
    return json.loads(subprocess.check_output(command, text=True, timeout=120))
