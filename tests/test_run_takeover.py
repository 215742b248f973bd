"""Runs in real processes: a worker that is killed in the midst of one loses nothing and doubles nothing."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.live import LiveApi, LiveServer
from tests.receiver import Receiver, Reply

EVENTS = 60
PATIENCE_SECONDS = 90.0
# Of every step one half of them is killed in, some steps after the first.
DEADLY = {"HL_THROWAWAY": "true", "HL_FAILPOINTS": "run_before_commit=kill:0.3"}


@pytest.fixture
def server() -> Iterator[LiveServer]:
    server = LiveServer(**DEADLY)
    yield server
    server.close()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_dead(server: LiveServer) -> bool:
    try:
        return bool(server.api("").get("/healthz").status != 200)
    except OSError:
        return True


def dead_letters(api: LiveApi) -> list[dict[str, Any]]:
    return list(api.get("/v1/dlq").json["items"])


def test_a_run_goes_on_where_its_worker_was_killed(server: LiveServer, receiver: Receiver) -> None:
    api = server.api()
    endpoint_id = api.post("/v1/endpoints", {"url": receiver.url("/hook"), "rate_limit_rps": 0}).json["id"]
    api.post("/v1/subscriptions", {"endpoint_id": endpoint_id, "topic_pattern": "#"})
    receiver.reply("/hook", Reply(404))
    api.post("/v1/events/batch", {"events": [{"topic": "a"}] * EVENTS})
    eventually(lambda: len(dead_letters(api)) == EVENTS)
    refused = len(receiver.at("/hook"))
    receiver.reply("/hook", Reply(200))
    # Nothing is delivered before all is counted.
    api.patch(f"/v1/endpoints/{endpoint_id}", {"enabled": False})

    run_id = api.post("/v1/dlq/runs", {"verb": "requeue", "all": True, "rate": 20}).json["id"]
    eventually(lambda: is_dead(server))
    server.stop()
    server.environment["HL_FAILPOINTS"] = ""
    server.start()

    def told() -> dict[str, Any]:
        return dict(api.get(f"/v1/dlq/runs/{run_id}").json)

    assert told()["done"] < EVENTS, "it was killed in the midst"
    eventually(lambda: bool(told()["state"] == "done"))
    assert (told()["done"], told()["skipped"], told()["deliveries"]) == (EVENTS, 0, EVENTS)
    assert dead_letters(api) == []
    assert api.get("/v1/admin/stats").json["queue"]["pending"] == EVENTS
    entries = api.get("/v1/admin/audit").json["items"]
    assert sum(entry["action"] == "run.finished" for entry in entries) == 1

    api.patch(f"/v1/endpoints/{endpoint_id}", {"enabled": True})
    eventually(lambda: len(receiver.at("/hook")) == refused + EVENTS)
    eventually(lambda: api.get("/v1/admin/stats").json["queue"] == {"pending": 0, "inflight": 0})
    ids = [request.json["job_id"] for request in receiver.at("/hook")[refused:]]
    assert len(set(ids)) == EVENTS
