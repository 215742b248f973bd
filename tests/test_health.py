"""/healthz and /readyz: whether the process answers, and whether it can work."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from hookline import throwaway
from tests.live import LiveServer

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
UNAVAILABLE = {"status": "unavailable", "reason": "store unreachable"}
PATIENCE_SECONDS = 60.0


class Store:
    """The store of a server of its own, which can be taken away and given back."""

    def __init__(self, directory: Path) -> None:
        self.here, self.elsewhere = directory / "data", directory / "elsewhere"
        self.postgres = None if settings.EMBEDDED else throwaway.start_postgres()

    @property
    def environment(self) -> dict[str, str]:
        places = {"HL_DATA_DIR": str(self.here)}
        return places | {"HL_POSTGRES_URL": self.postgres.url} if self.postgres else places

    @contextmanager
    def away(self) -> Iterator[None]:
        if self.postgres:
            self.postgres.stop()
            yield
            self.postgres.start()
        else:
            self.here.rename(self.elsewhere)
            yield
            self.elsewhere.rename(self.here)

    def close(self) -> None:
        if self.postgres:
            self.postgres.close()


def until(server: LiveServer, path: str, status: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := server.api().get(path).status) != status and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == status


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("path", "status"), [("/healthz", "ok"), ("/readyz", "ready")])
def test_both_answer_everyone_and_every_method(live: LiveServer, method: str, path: str, status: str) -> None:
    answer = live.api("").call(method, path)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    if method != "HEAD":
        assert answer.json == {"status": status}


def test_without_its_store_a_server_is_alive_and_not_ready_until_it_is_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    server = LiveServer(**store.environment)
    api = server.api()
    try:
        published = api.post("/v1/events", {"topic": "a"}).json
        with store.away():
            until(server, "/readyz", 503)
            assert api.get("/readyz").json == UNAVAILABLE
            assert (api.get("/healthz").status, api.get("/healthz").json) == (200, {"status": "ok"})
            with ThreadPoolExecutor() as pool:  # each waits some seconds for a connection
                metrics = pool.submit(api.get, "/metrics")
                publish = pool.submit(api.post, "/v1/events", {"topic": "b"})
                stored_key = pool.submit(server.api("stored").get, "/v1/events")
            assert (metrics.result().status, metrics.result().json) == (503, UNAVAILABLE)
            for answer in (publish.result(), stored_key.result()):
                assert (answer.status, answer.json["error"]) == (503, "unavailable")
                assert answer.headers["retry-after"]
        until(server, "/readyz", 200)
        until(server, "/metrics", 200)
        assert api.post("/v1/events", {"topic": "c"}).status == 201
        topics = [event["topic"] for event in api.get("/v1/events").json["items"]]
        assert topics == ["a", "c"]
        assert api.get(f"/v1/events/{published['id']}").status == 200
    finally:
        server.close()
        store.close()
