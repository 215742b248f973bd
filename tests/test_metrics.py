"""/metrics: the names that dashboards know, and numbers that are right and never fall."""

import time
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from prometheus_client.parser import text_string_to_metric_families

from deliveries import retention
from deliveries.models import Attempt, Event, Job
from hookline import counters, labels, throwaway
from hookline.labels import Labels
from tenants.models import Tenant
from tests.api import Api, api_of
from tests.factories import deliver, let_time_pass, make_endpoint, make_subscription, publish
from tests.live import LiveApi, LiveServer
from tests.receiver import Receiver, Reply

Reading = dict[tuple[str, ...], float]

# Those of the earlier server, which dashboards know.
KNOWN = {
    "hookline_events_published": "counter",
    "hookline_deliveries": "counter",
    "hookline_dlq": "counter",
    "hookline_rate_limited": "counter",
    "hookline_store_ops": "counter",
    "hookline_delivery_latency_ms": "histogram",
    "hookline_queue_depth": "gauge",
    "hookline_inflight": "gauge",
    "hookline_overload_drops": "counter",
    "hookline_stream_clients": "gauge",
    "hookline_stream_events": "counter",
}
FAMILIES = KNOWN | {
    "hookline_alerts": "gauge",
    "hookline_api_requests": "counter",
    "hookline_api_request_ms": "histogram",
    "hookline_attempts": "counter",
    "hookline_bells": "counter",
    "hookline_bell_failures": "counter",
    "hookline_build_info": "gauge",
    "hookline_chore_run_timestamp_seconds": "gauge",
    "hookline_claims_paused": "gauge",
    "hookline_dlq_size": "gauge",
    "hookline_due_jobs": "gauge",
    "hookline_endpoints": "gauge",
    "hookline_first_attempt_delay_ms": "histogram",
    "hookline_gauges_complete": "gauge",
    "hookline_gauges_seconds": "gauge",
    "hookline_lanes": "gauge",
    "hookline_notices": "gauge",
    "hookline_oldest_due_seconds": "gauge",
    "hookline_processes": "gauge",
    "hookline_rescued_leases": "counter",
    "hookline_stale_outcomes": "counter",
    "hookline_sweeps": "counter",
    "hookline_workers": "gauge",
}
BUCKETS = [
    "10.0",
    "50.0",
    "100.0",
    "250.0",
    "500.0",
    "1000.0",
    "2500.0",
    "5000.0",
    "10000.0",
    "30000.0",
    "+Inf",
]
PUBLISHED = ("hookline_events_published_total", "tenant=default", "topic=a")
NOISE = ("hookline_gauges_seconds", "hookline_api_")
NEVER_FALL = ("_total", "_count", "_sum", "_bucket")
PATIENCE_SECONDS = 30.0


def of(name: str, **labels: str) -> tuple[str, ...]:
    """The sample of that name with these labels."""
    return name, *sorted(f"{label}={text}" for label, text in labels.items())


def read(api: Api) -> Reading:
    families = text_string_to_metric_families(api.get("/metrics").body.decode())
    samples = [sample for family in families for sample in family.samples]
    return {of(sample.name, **sample.labels): sample.value for sample in samples}


def until(api: Api, key: tuple[str, ...], value: float) -> Reading:
    """Reads until a sample has this value; processes write what they counted once a second."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := read(api)).get(key) != value and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found.get(key) == value
    return found


@pytest.fixture
def counted(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    """What was counted before the test; other tests count in this process too."""
    monkeypatch.setattr(counters, "_labels", Labels())
    return read(Api())  # type: ignore[return-value]


def since(before: Reading) -> Reading:
    """What grew, of counters and gauges; how long the scrape itself took is of no interest."""
    return {
        key: value - before.get(key, 0)
        for key, value in read(Api()).items()
        if value != before.get(key, 0) and not key[0].startswith(NOISE)
    }


@pytest.mark.django_db
def test_all_families_are_there_before_anything_has_happened() -> None:
    answer = Api().get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert {name: family.type for name, family in families.items()} == FAMILIES
    assert all(family.documentation.endswith(".") for family in families.values())
    for name, kind in FAMILIES.items():
        spelled = f"{name}_total" if kind == "counter" else name
        assert f"# TYPE {spelled} {kind}\n" in answer.body.decode()


@pytest.mark.django_db
def test_labels_are_those_that_dashboards_group_by(
    acme: Tenant, receiver: Receiver, counted: Reading, settings: LazySettings
) -> None:
    settings.HL_MAX_QUEUE_DEPTH = 2
    receiver.reply("/", Reply(404), Reply(500))
    endpoint = make_endpoint(acme, receiver.url("/"), rate_limit_rps=2)
    for pattern in ("a", "#"):
        make_subscription(endpoint, pattern)
    for topic in ("a", "b"):
        api_of(acme).post("/v1/events", {"topic": topic})
    deliver()

    text = Api().get("/metrics").body.decode()
    labels = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert labels["hookline_events_published_total"] == {"tenant", "topic"}
    assert labels["hookline_deliveries_total"] == {"tenant", "endpoint", "status"}
    assert labels["hookline_dlq_total"] == {"tenant", "endpoint"}
    assert labels["hookline_rate_limited_total"] == {"endpoint"}
    assert labels["hookline_overload_drops_total"] == {"tenant", "reason"}
    assert labels["hookline_queue_depth"] == {"tenant"}
    assert labels["hookline_delivery_latency_ms_bucket"] == {"endpoint", "le"}


@pytest.mark.django_db
def test_every_attempt_is_counted_by_its_result(acme: Tenant, receiver: Receiver, counted: Reading) -> None:
    receiver.reply("/", Reply(503), Reply(200), Reply(404))
    endpoint = make_endpoint(acme, receiver.url("/"), max_in_flight=1)
    make_subscription(endpoint)
    place = {"tenant": "acme", "endpoint": str(endpoint.id)}
    latency = "hookline_delivery_latency_ms"

    publish(acme, {"topic": "a"})
    deliver()
    depth = since(counted)[of("hookline_queue_depth", tenant="acme")]
    assert depth == 1, "it waits for its retry"
    let_time_pass()
    deliver()
    publish(acme, {"topic": "b"})
    deliver()

    found = since(counted)
    assert found[of("hookline_deliveries_total", **place, status="success")] == 1
    assert found[of("hookline_deliveries_total", **place, status="failed")] == 2
    assert found[of("hookline_deliveries_total", **place, status="retried")] == 1
    assert found[of("hookline_dlq_total", **place)] == 1
    assert of("hookline_queue_depth", tenant="acme") not in found
    here = {"endpoint": place["endpoint"]}
    steps = [found.get(of(f"{latency}_bucket", **here, le=bucket), 0) for bucket in BUCKETS]
    assert steps == sorted(steps)
    assert steps[-1] == found[of(f"{latency}_count", **here)] == 3
    assert found.get(of(f"{latency}_sum", **here), 0) == sum(
        Attempt.objects.values_list("duration_ms", flat=True)
    )


@pytest.mark.django_db
def test_published_events_are_counted_by_topic_and_repeats_are_not(acme: Tenant, counted: Reading) -> None:
    api = api_of(acme)
    for _ in range(3):
        api.post("/v1/events", {"topic": "a", "idempotency_key": "k"})
    api.post("/v1/events/batch", {"events": [{"topic": "a"}, {"topic": 'ü "b"\n\\'}, {}]})
    published = "hookline_events_published_total"
    assert since(counted) == {
        of(published, tenant="acme", topic="a"): 2,
        of(published, tenant="acme", topic='ü "b"\n\\'): 1,
    }


@pytest.mark.django_db
def test_a_tenant_with_very_many_topics_does_not_fill_the_metrics(acme: Tenant, counted: Reading) -> None:
    topics = [f"topic.{number}" for number in range(labels.TOPICS_PER_TENANT + 5)]
    events = [{"topic": topic} for topic in ["long" * 100, *topics]]
    api_of(acme).post("/v1/events/batch", {"events": events})
    found = since(counted)
    assert len(found) == labels.TOPICS_PER_TENANT + 1
    assert sum(found.values()) == len(events)
    assert found[of("hookline_events_published_total", tenant="acme", topic="other")] == 6


@pytest.mark.django_db
def test_refused_publishes_and_used_up_rates_are_counted(
    acme: Tenant, receiver: Receiver, counted: Reading, settings: LazySettings
) -> None:
    endpoint = make_endpoint(acme, receiver.url("/"), rate_limit_rps=1)
    make_subscription(endpoint)
    for _ in range(2):
        publish(acme, {"topic": "a"})
    deliver()
    assert since(counted)[of("hookline_rate_limited_total", endpoint=str(endpoint.id))] >= 1

    settings.HL_MAX_QUEUE_DEPTH = 0
    for _ in range(2):
        assert api_of(acme).post("/v1/events", {"topic": "a"}).status == 429
    drops = of("hookline_overload_drops_total", tenant="acme", reason="queue_full")
    assert since(counted)[drops] == 2


@pytest.mark.django_db
def test_counters_do_not_fall_when_what_they_counted_is_removed(
    acme: Tenant, receiver: Receiver, counted: Reading, settings: LazySettings
) -> None:
    make_subscription(make_endpoint(acme, receiver.url("/")))
    for _ in range(3):
        api_of(acme).post("/v1/events", {"topic": "a"})
    deliver()
    before = since(counted)

    settings.HL_RETENTION_SECS = -60  # everything is old
    assert retention.prune().events == 3
    assert not any(model.objects.exists() for model in (Event, Job, Attempt))
    assert since(counted) == before


def test_requests_under_way_are_seen_while_they_are(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    receiver.reply("/slow", Reply(delay=120))
    endpoint = subscribed(api, receiver.url("/slow"))
    for _ in range(3):
        api.post("/v1/events", {"topic": "a"})

    key = of("hookline_inflight", endpoint=endpoint)
    until(api, key, 3)
    receiver.close()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while key in read(api) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert key not in read(api)


def test_counters_outlive_a_restart(receiver: Receiver) -> None:
    server = LiveServer()
    try:
        subscribed(server.api(), receiver.url("/"))
        server.api().post("/v1/events", {"topic": "a"})
        before = until(server.api(), PUBLISHED, 1)
        server.stop()
        server.start()
        after = read(server.api())
        assert all(after[key] >= value for key, value in before.items() if key[0].endswith(NEVER_FALL))
        server.api().post("/v1/events", {"topic": "a"})
        until(server.api(), PUBLISHED, 2)
    finally:
        server.close()


@pytest.mark.postgres
def test_several_processes_count_together(redis_server: throwaway.Redis, receiver: Receiver) -> None:
    server = LiveServer(HL_REDIS_URL=redis_server.url, HL_WEB_WORKERS="2", HL_WORKER_PROCESSES="2")
    try:
        api = server.api()
        endpoint = subscribed(api, receiver.url("/"))
        latest = 0.0
        for _ in range(40):  # each on a connection of its own, so that both processes get some
            api.post("/v1/events", {"topic": "a"})
            seen = read(api).get(PUBLISHED, 0)
            assert seen >= latest, "a counter fell"
            latest = seen
        until(api, PUBLISHED, 40)
        successes = of("hookline_deliveries_total", tenant="default", endpoint=endpoint, status="success")
        found = until(api, successes, 40)
        assert found[of("hookline_delivery_latency_ms_count", endpoint=endpoint)] == 40
        assert len(receiver.received) == 40
    finally:
        server.close()


def subscribed(api: LiveApi, url: str) -> str:
    endpoint = str(api.post("/v1/endpoints", {"url": url}).json["id"])
    api.post("/v1/subscriptions", {"endpoint_id": endpoint, "topic_pattern": "#"})
    return endpoint
