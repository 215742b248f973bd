"""/v1/stream over real sockets: what happens is told as it happens, to whom it concerns."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from deliveries.stream import MOST_STREAMS
from tests.live import LiveApi, LiveServer
from tests.receiver import Receiver

SECONDS = 20.0


class Listener:
    """Reads one stream, frame by frame."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def frame(self) -> dict[str, str]:
        """The next frame as its fields; a comment is an empty one."""
        fields = {}
        while (line := self.response.readline().decode().rstrip("\n")) != "":
            name, _, value = line.partition(": ")
            if name != ":":
                fields[name] = value
        return fields

    def event(self, topic: str) -> dict[str, Any]:
        """The data of the next frame of this topic."""
        while (frame := self.frame()).get("event") != topic:
            pass
        data: dict[str, Any] = json.loads(frame["data"])
        assert frame["id"] == data["event_id"]
        return data


@contextmanager
def listening(api: LiveApi, query: str = "", **headers: str) -> Iterator[Listener]:
    connection = http.client.HTTPConnection("127.0.0.1", api.server.port, timeout=SECONDS)
    given = {"Authorization": f"Bearer {api.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    with closing(connection):
        connection.request("GET", f"/v1/stream{query}", headers=given)
        with connection.getresponse() as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert response.headers["Cache-Control"] == "no-cache"
            listener = Listener(response)
            assert listener.frame() == {}, "the first is a comment, at once"
            yield listener


def publish(api: LiveApi, topic: str, **fields: Any) -> str:
    return str(api.post("/v1/events", {"topic": topic, **fields}).json["id"])


def test_an_event_is_told_as_it_was_stored(live: LiveServer) -> None:
    api = live.tenant()
    with listening(api) as stream:
        id = publish(api, "orders.paid", payload={"n": 1}, colour="red")
        told = stream.event("orders.paid")
    assert told == api.get(f"/v1/events/{id}").json


def test_a_delivery_is_told_with_its_result(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    endpoint = api.post("/v1/endpoints", {"url": receiver.url("/hook")}).json["id"]
    api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})
    with listening(api, "?topic=deliveries.status") as stream:
        id = publish(api, "orders.paid")
        told = stream.event("deliveries.status")
    expected = {
        "event_id": id,
        "endpoint_id": endpoint,
        "status": "success",
        "http_status": 200,
        "attempt_n": 1,
    }
    assert told.items() >= expected.items()
    assert told.keys() >= {"attempt_id", "job_id", "latency_ms", "ts"}


def test_only_the_topics_asked_for_are_told(live: LiveServer) -> None:
    api = live.tenant()
    with listening(api, "?topic=orders.*") as stream:
        publish(api, "invoices.paid")
        wanted = publish(api, "orders.paid")
        assert stream.frame()["id"] == wanted


def test_nobody_hears_of_another_tenant(live: LiveServer) -> None:
    one, other = live.tenant(), live.tenant()
    with listening(one) as stream:
        publish(other, "secret")
        wanted = publish(one, "own")
        assert stream.frame()["id"] == wanted


def test_who_comes_back_gets_what_was_missed(live: LiveServer) -> None:
    api = live.tenant()
    ids = [publish(api, "orders.paid", payload=n) for n in range(3)]
    with listening(api, Last_Event_ID=ids[0]) as stream:
        assert [stream.frame()["id"] for _ in range(2)] == ids[1:]
    with listening(api, Last_Event_ID="never-seen") as stream:
        assert [stream.frame()["id"] for _ in range(3)] == ids


def test_a_line_break_in_a_payload_or_topic_breaks_no_frame(live: LiveServer) -> None:
    api = live.tenant()
    with listening(api) as stream:
        api.post("/v1/events", b'{"topic":"a\\nb","payload":{\n"x":\r\n1}}')
        frame = stream.frame()
    assert frame["event"] == "a b"
    assert json.loads(frame["data"])["payload"] == {"x": 1}


def test_a_stream_needs_a_key_with_its_scope(live: LiveServer) -> None:
    assert live.api("").get("/v1/stream").status == 401
    assert live.tenant("events.read").get("/v1/stream").status == 403


def test_streams_are_bounded_all_are_told_and_threads_are_left_for_requests() -> None:
    with closing(LiveServer()) as server, ExitStack() as opened:
        api = server.tenant()
        streams = [opened.enter_context(listening(api)) for _ in range(MOST_STREAMS)]
        refused = api.get("/v1/stream")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        ids = [publish(api, "still.published") for _ in range(20)]
        for stream in streams:
            assert [stream.event("still.published")["id"] for _ in ids] == ids
        deadline = time.monotonic() + SECONDS
        while f"hookline_stream_clients {MOST_STREAMS}.0" not in server.api().get("/metrics").body.decode():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_stop_ends_open_streams_first() -> None:
    with closing(LiveServer()) as server, listening(server.tenant()) as stream:
        server.stop()
        assert stream.response.read() == b""
