"""Traces: what a producer sent is stored and passed on; spans reach a collector, also from forks."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from hookline import throwaway
from tests.live import ROOT, LiveApi, LiveServer
from tests.receiver import Receiver, Reply

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
TRACESTATE = "vendor=value"
PATIENCE_SECONDS = 60.0
# What OpenTelemetry's own exporters wait before they send.
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@dataclass
class Seen:
    """A span as the collector got it, and of which service it said to be."""

    span: Span
    service: dict[str, str]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()


class Collector:
    """An OTLP/HTTP receiver."""

    def __init__(self) -> None:
        self.receiver = Receiver()

    @property
    def url(self) -> str:
        return self.receiver.url("").rstrip("/")

    def spans(self, name: str, tenant_id: str = "default") -> list[Seen]:
        mine = {"hookline.tenant_id": tenant_id}.items()
        return [seen for seen in self._all() if seen.span.name == name and mine <= seen.attributes.items()]

    def wait_for(self, name: str, count: int, tenant_id: str) -> list[Seen]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found := self.spans(name, tenant_id)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} spans {name} came"
            time.sleep(0.05)
        return found

    def _all(self) -> Iterator[Seen]:
        for request in self.receiver.at("/v1/traces"):
            assert request.headers["content-type"] == "application/x-protobuf"
            for of_resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
                service = _plain(of_resource.resource.attributes)
                for scope in of_resource.scope_spans:
                    yield from (Seen(span, service, _plain(span.attributes)) for span in scope.spans)


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.receiver.close()


@pytest.fixture(scope="module")
def traced(collector: Collector) -> Iterator[LiveServer]:
    with closing(LiveServer(HL_OTEL_ENDPOINT=collector.url, **SOON)) as live:
        yield live


def subscribe(api: LiveApi, url: str) -> str:
    endpoint = str(api.post("/v1/endpoints", {"url": url}).json["id"])
    api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})
    return endpoint


def publish(api: LiveApi, **headers: str) -> Any:
    return api.post("/v1/events", {"topic": "order.paid"}, **headers).json


# --- What a producer sent -----------------------------------------------------------------


def test_the_context_of_a_publish_is_kept_and_passed_on(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    receiver.reply("/hook", Reply(500), Reply(200))
    endpoint = api.post("/v1/endpoints", {"url": receiver.url("/hook"), "retry_schedule": [0.01]}).json
    api.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
    event = api.post("/v1/events", {"topic": "a"}, traceparent=TRACEPARENT, tracestate=TRACESTATE).json
    kept = {"traceparent": TRACEPARENT, "tracestate": TRACESTATE}
    assert event["_trace"] == api.get(f"/v1/events/{event['id']}").json["_trace"] == kept
    for request in receiver.wait_for("/hook", 2):
        assert request.headers["traceparent"] == TRACEPARENT
        assert request.headers["tracestate"] == TRACESTATE
        assert request.json["event"]["_trace"] == kept


def test_without_one_nothing_is_added_and_a_tracestate_alone_means_nothing(
    live: LiveServer, receiver: Receiver
) -> None:
    api = live.tenant()
    endpoint = api.post("/v1/endpoints", {"url": receiver.url("/hook")}).json
    api.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
    assert "_trace" not in api.post("/v1/events", {"topic": "a"}, tracestate=TRACESTATE).json
    [request] = receiver.wait_for("/hook", 1)
    assert "traceparent" not in request.headers
    assert "tracestate" not in request.headers


# --- Spans --------------------------------------------------------------------------------


def test_a_publish_and_its_attempts_reach_the_collector(
    collector: Collector, traced: LiveServer, receiver: Receiver
) -> None:
    path = "/hook?token=of-the-customer"
    receiver.reply(path, Reply(503))
    api = traced.tenant()
    endpoint = subscribe(api, receiver.url(path))
    event = publish(api, traceparent=TRACEPARENT)
    [published] = collector.wait_for("publish", 1, event["tenant_id"])
    [attempt] = collector.wait_for("deliver", 1, event["tenant_id"])
    [told] = api.get(f"/v1/deliveries?event_id={event['id']}").json["items"]

    assert published.service["service.name"] == "hookline"
    assert (published.trace, published.span.parent_span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert published.span.kind == Span.SpanKind.SPAN_KIND_SERVER
    assert published.attributes["hookline.event_id"] == event["id"]

    [link] = attempt.span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE_ID, SPAN_ID)
    assert attempt.trace != TRACE_ID, "an attempt may come hours later: it is no part of that trace"
    assert not attempt.span.parent_span_id
    assert attempt.span.kind == Span.SpanKind.SPAN_KIND_CLIENT
    assert attempt.span.status.message == told["error_detail"] != ""
    assert 0 <= attempt.span.end_time_unix_nano - attempt.span.start_time_unix_nano < 60e9
    assert {
        "hookline.event_id": event["id"], "hookline.job_id": event["job_ids"][0], "hookline.attempt": 1,
        "hookline.endpoint_id": endpoint, "hookline.attempt_id": told["attempt_id"],
        "http.request.method": "POST", "http.response.status_code": 503, "error.type": "http_5xx",
        "server.address": "127.0.0.1", "network.peer.address": "127.0.0.1",
    }.items() <= attempt.attributes.items()  # fmt: skip
    sent = b"".join(request.body for request in collector.receiver.received)
    assert b"of-the-customer" not in sent


def test_a_batch_is_one_publish_and_a_context_that_is_none_links_to_nothing(
    collector: Collector, traced: LiveServer, receiver: Receiver
) -> None:
    api = traced.tenant()
    subscribe(api, receiver.url("/hook"))
    batch = {"events": [{"topic": "a"}, {"topic": "b"}, {}]}
    assert api.post("/v1/events/batch", batch, traceparent="no context").status == 201
    tenant = api.get("/v1/events?limit=1").json["items"][0]["tenant_id"]
    [published] = collector.wait_for("publish", 1, tenant)
    attempts = collector.wait_for("deliver", 2, tenant)
    assert published.attributes["hookline.event_count"] == 2
    assert not published.span.parent_span_id
    assert [list(attempt.span.links) for attempt in attempts] == [[], []]


@pytest.mark.embedded
def test_what_is_under_way_at_a_stop_is_sent(receiver: Receiver) -> None:
    collector = Collector()
    with closing(LiveServer(HL_OTEL_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="3600000")) as live:
        publish(live.api())
        live.stop()
        assert len(collector.spans("publish")) == 1
    collector.receiver.close()


@pytest.mark.postgres
def test_forked_workers_and_web_processes_send_their_own(
    collector: Collector, receiver: Receiver, redis_server: throwaway.Redis
) -> None:
    """By OpenTelemetry's own variables, which also name the service and the share of what is sent."""
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "hooks", **SOON}
    with closing(LiveServer(HL_REDIS_URL=redis_server.url, **given)) as live:
        subscribe(live.api(), receiver.url("/hook"))
        for _ in range(20):
            publish(live.api())
        published = collector.wait_for("publish", 20, "default")
        attempts = collector.wait_for("deliver", 20, "default")
    assert {seen.service["service.name"] for seen in [*published, *attempts]} == {"hooks"}
    assert len({seen.attributes["hookline.job_id"] for seen in attempts}) == 20


@pytest.mark.embedded
def test_a_collector_that_is_away_holds_nothing_up(receiver: Receiver) -> None:
    with closing(LiveServer(HL_OTEL_ENDPOINT="http://127.0.0.1:9", **SOON)) as live:
        subscribe(live.api(), receiver.url("/hook"))
        for _ in range(10):
            publish(live.api())
        receiver.wait_for("/hook", 10)
        began = time.monotonic()
        live.stop()
        assert time.monotonic() - began < PATIENCE_SECONDS


# --- Without ------------------------------------------------------------------------------

TELLS = """
import sys, django
django.setup()
import deliveries.api.events
from deliveries import traces
print(traces.ARE_MADE, 'opentelemetry' in sys.modules)
"""
WITHOUT = "import sys; sys.modules['opentelemetry.exporter'] = None\n"


def start(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "HL_DATA_DIR": os.environ["HL_DATA_DIR"], **variables}
    environment["DJANGO_SETTINGS_MODULE"] = "hookline.settings"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "False False\n"),
        ({"HL_OTEL_ENDPOINT": "http://127.0.0.1:9"}, "True True\n"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9"}, "True True\n"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, "False False\n"),
    ],
)
def test_nothing_is_imported_where_nothing_is_traced(variables: dict[str, str], told: str) -> None:
    assert start(TELLS, **variables).stdout == told


def test_where_the_packages_are_missing_our_own_variable_is_refused_and_theirs_warned_of() -> None:
    refused = start(WITHOUT + TELLS, HL_OTEL_ENDPOINT="http://127.0.0.1:9")
    assert (refused.returncode, refused.stderr) == (
        2, "hookline: HL_OTEL_ENDPOINT: install deploy/otel/requirements.txt.\n",
    )  # fmt: skip
    warned = start(WITHOUT + TELLS, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert (warned.returncode, warned.stdout) == (0, "False False\n")
    assert warned.stderr.startswith(
        "hookline: warning: OTEL_EXPORTER_OTLP_ENDPOINT is set, and nothing is traced"
    )
