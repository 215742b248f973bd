"""/metrics beyond the names that older dashboards know: what waits and why, what went wrong, how much."""

import threading
import time
from datetime import timedelta

import pytest
from celery import Celery
from django.conf import settings
from pytest_django import Settings

from deliveries import backlog, bell, breaker, endpoints, gone, pump
from deliveries.models import Endpoint, Lane
from deliveries.purge import delete_tenant
from deliveries.queue import lanes
from deliveries.queue.settle import rescue
from hookline import counters, database, gauges, labels, metrics
from hookline.database import now
from hookline.families import DELIVERIES, EVENTS_PUBLISHED, FAMILIES, LATENCY
from hookline.heartbeat import Heartbeat
from hookline.labels import Labels
from hookline.models import Chore, Counter, Switch
from tenants.models import Tenant
from tests.api import Api, api_of
from tests.factories import deliver, make_endpoint, make_subscription, publish
from tests.queueing import bury, fail, give, let_pass, make_target, settlement, succeed, take
from tests.receiver import Receiver, Reply
from tests.test_metrics import Reading, counted, of, read, since

__all__ = ["counted"]  # pytest finds fixtures here

pytestmark = pytest.mark.django_db


def due(tenant: str, waits_for: str) -> tuple[float, float]:
    """How many jobs are due for that reason, and for how long the first has been, in seconds."""
    found, place = read(Api()), {"tenant": tenant, "waits_for": waits_for}
    return (
        found.get(of("hookline_due_jobs", **place), 0),
        found.get(of("hookline_oldest_due_seconds", **place), 0),
    )


# --- What waits ---------------------------------------------------------------------------


def test_what_is_due_and_waits_for_a_worker_has_an_age(acme: Tenant, globex: Tenant) -> None:
    give(make_target(acme), 2)
    let_pass(300)
    give(make_target(acme))
    number, seconds = due("acme", "worker")
    assert number == 3
    assert 300 <= seconds < 400
    assert due("globex", "worker") == (0, 0)


def test_what_is_not_due_yet_waits_and_is_not_late(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint)
    fail(take(), retry_in=600)
    assert due("acme", "worker") == (0, 0)
    assert read(Api())[of("hookline_queue_depth", tenant="acme")] == 1


@pytest.mark.parametrize("limits", [{"max_in_flight": 2}, {"rate_limit_rps": 2}])
def test_what_an_endpoints_limits_hold_back_is_told_apart(acme: Tenant, limits: dict[str, int]) -> None:
    give(make_target(acme, **limits), 5)
    take()
    take()
    assert due("acme", "limit")[0] == 3
    assert due("acme", "worker") == (0, 0)


def test_a_rate_that_ended_long_ago_is_no_excuse(acme: Tenant) -> None:
    give(make_target(acme, rate_limit_rps=2), 5)
    take()
    take()
    let_pass(60)
    assert due("acme", "worker")[0] == 3


def test_what_is_held_for_a_disabled_endpoint_is_told_apart(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint, 3)
    endpoints.change(endpoint.id, {"enabled": False}, {}, "ada")
    assert due("acme", "endpoint")[0] == 3, "also before a claim has noticed"
    take()
    assert due("acme", "endpoint")[0] == 3


def test_dead_letters_lanes_and_endpoints_are_counted(acme: Tenant) -> None:
    failing, off, gone, well = (make_target(acme) for _ in range(4))
    endpoints.change(off.id, {"enabled": False}, {}, "ada")
    for endpoint in (failing, gone, well):
        give(endpoint)
    for job in take():
        end = {failing.id: bury, well.id: succeed}.get(job.endpoint_id)
        if end:
            end([job])
        else:
            bury([job], disables="The endpoint answered 410 Gone.")
    found = read(Api())
    assert found[of("hookline_dlq_size", tenant="acme")] == 2
    states = {"healthy": 1, "failing": 1, "failures": 0, "gone": 1, "disabled": 1}
    for state, number in states.items():
        assert found[of("hookline_endpoints", state=state)] == number
    assert sum(found[of("hookline_lanes", state=state.name.lower())] for state in Lane.State) == 4


def test_one_that_was_turned_off_for_failures_is_counted_as_such(acme: Tenant) -> None:
    endpoint = make_target(acme)
    give(endpoint, 2)
    fail(take(1), retry_in=1e6)
    let_pass(5 * 86_400)
    fail(take(1), retry_in=60)
    breaker.tend()
    assert read(Api())[of("hookline_endpoints", state="failures")] == 1


def test_processes_chores_the_pause_and_the_version_are_told() -> None:
    for kind in ("worker", "worker", "streams"):
        Heartbeat(kind).beat(streams=3)
    Chore.objects.create(name="prune", due_at=now(), last_run_at=now() - timedelta(hours=1))
    Switch.objects.create(name=Switch.CLAIMS_PAUSED, is_on=True)
    found = read(Api())
    assert found[("hookline_workers",)] == 2
    assert found[of("hookline_processes", kind="worker")] == 2
    assert found[of("hookline_processes", kind="web")] == 0, "that there is none can be seen"
    assert found[("hookline_stream_clients",)] == 9
    assert found[("hookline_claims_paused",)] == 1
    ran = found[of("hookline_chore_run_timestamp_seconds", chore="prune")]
    assert 3600 <= time.time() - ran < 3700
    [info] = [key for key in found if key[0] == "hookline_build_info"]
    assert found[info] == 1
    assert any(label.startswith("version=") for label in info)


def test_only_the_largest_have_series_of_their_own(acme: Tenant, globex: Tenant, settings: Settings) -> None:
    settings.HL_METRICS_LABELS = 1
    give(make_target(acme), 3)
    let_pass(60)
    give(make_target(globex), 2)
    found = read(Api())
    assert found[of("hookline_queue_depth", tenant="acme")] == 3
    assert found[of("hookline_queue_depth", tenant="other")] == 2
    assert of("hookline_queue_depth", tenant="globex") not in found
    assert found[of("hookline_oldest_due_seconds", tenant="acme", waits_for="worker")] >= 60
    assert found[of("hookline_oldest_due_seconds", tenant="other", waits_for="worker")] < 60


# --- What happened ------------------------------------------------------------------------


def test_attempts_are_counted_by_what_was_wrong(acme: Tenant, receiver: Receiver, counted: Reading) -> None:
    receiver.reply("/", Reply(200), Reply(404), Reply(503), Reply(302))
    endpoint = make_endpoint(acme, receiver.url("/"), max_in_flight=1)
    make_subscription(endpoint)
    nobody = make_endpoint(acme, "http://127.0.0.1:9/")
    make_subscription(nobody, "connect")
    for topic in ("a", "b", "c", "d"):
        publish(acme, {"topic": topic})
    deliver()
    found = since(counted)
    errors = {"none": 1, "http_4xx": 1, "http_5xx": 1, "redirect": 1}
    for error, number in errors.items():
        assert found[of("hookline_attempts_total", tenant="acme", error=error)] == number


def test_the_time_until_the_first_attempt_is_counted_once_a_job(
    acme: Tenant, receiver: Receiver, counted: Reading
) -> None:
    receiver.reply("/", Reply(503), Reply(200))
    make_subscription(make_endpoint(acme, receiver.url("/")))
    publish(acme, {"topic": "a"})
    deliver()
    let_pass(60)
    deliver()
    found = since(counted)
    assert found[("hookline_first_attempt_delay_ms_count",)] == 1
    assert found[of("hookline_delivery_latency_ms_count", endpoint=str(Endpoint.objects.get().id))] == 2


def test_a_lost_lease_and_its_late_answer_are_counted(acme: Tenant, counted: Reading) -> None:
    give(make_target(acme), 2)
    stale = take()
    let_pass(61)
    rescue()
    worker = pump.Pump(threading.Event())
    worker.unsettled = [settlement(job) for job in stale]
    worker._settle()
    worker.client.close()
    found = since(counted)
    assert found[("hookline_rescued_leases_total",)] == 2
    assert found[("hookline_stale_outcomes_total",)] == 2
    assert not any(key[0] == "hookline_deliveries_total" for key in found)


def test_a_bell_that_the_broker_did_not_take_is_counted(
    counted: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bell.send()
    nowhere = Celery("nowhere", broker="redis://127.0.0.1:9/0", set_as_current=False)
    monkeypatch.setattr(bell, "app", nowhere)
    assert not bell.send()
    found = since(counted)
    assert (found[("hookline_bells_total",)], found[("hookline_bell_failures_total",)]) == (1, 1)


def test_requests_are_counted_by_route_and_not_by_path(acme: Tenant, counted: Reading) -> None:
    api = api_of(acme)
    for path in ("1", "2"):
        assert api.get(f"/v1/events/{path}").status == 404
    api.post("/v1/events", {"topic": "a"})
    api.call("BREW", "/healthz")
    api.get("/nowhere")
    found = {key: value - counted.get(key, 0) for key, value in read(Api()).items()}
    name, events = "hookline_api_requests_total", "/v1/events/<event_id>"
    assert found[of(name, route=events, method="GET", status="404")] == 2
    assert found[of(name, route="/v1/events", method="POST", status="201")] == 1
    assert found[of(name, route="none", method="GET", status="404")] == 1
    assert found[of(name, route="/healthz", method="other", status="200")] == 1
    assert found[of("hookline_api_request_ms_count", route=events)] == 2


# --- How much -----------------------------------------------------------------------------


def test_endpoints_beyond_the_limit_are_counted_together(counted: Reading, settings: Settings) -> None:
    settings.HL_METRICS_LABELS = 2
    counters._labels = Labels()
    for n in range(5):
        counters.count(DELIVERIES, "acme", f"endpoint-{n}", "success")
        counters.observe(LATENCY, f"endpoint-{n}", values=[20])
    found = since(counted)
    own = [key for key in found if key[0] == "hookline_deliveries_total"]
    assert len(own) == 3
    assert found[of("hookline_deliveries_total", tenant="acme", endpoint="other", status="success")] == 3
    assert found[of("hookline_delivery_latency_ms_count", endpoint="other")] == 3


def test_another_process_and_a_restart_keep_to_the_same_limit(counted: Reading) -> None:
    for topic in range(labels.TOPICS_PER_TENANT):
        counters.count(EVENTS_PUBLISHED, "acme", f"topic.{topic}")
    counters.flush()
    counters._labels = Labels()
    counters.count(EVENTS_PUBLISHED, "acme", "topic.0")
    counters.count(EVENTS_PUBLISHED, "acme", "one too many")
    counters.count(EVENTS_PUBLISHED, "globex", "its own")
    found = since(counted)
    assert found[of("hookline_events_published_total", tenant="acme", topic="topic.0")] == 2
    assert found[of("hookline_events_published_total", tenant="acme", topic="other")] == 1
    assert found[of("hookline_events_published_total", tenant="globex", topic="its own")] == 1


def test_series_of_a_deleted_endpoint_go_with_its_lane_and_no_others(acme: Tenant) -> None:
    kept, deleted = make_target(acme), make_target(acme)
    for endpoint in (kept, deleted):
        counters.count(DELIVERIES, "acme", str(endpoint.id), "success")
        counters.observe(LATENCY, str(endpoint.id), values=[20])
    counters.count(EVENTS_PUBLISHED, "acme", "a")
    counters.flush()
    rows = Counter.objects.count()
    endpoints.delete(deleted, "ada")
    assert gone.forget() == 0

    let_pass(2 * 86_400)
    take()
    let_pass(2 * 86_400)
    assert lanes.repair() >= 1
    assert gone.forget() == 3
    assert Counter.objects.count() == rows - 3
    assert not Counter.objects.filter(labels__contains=str(deleted.id)).exists()


def test_series_of_a_purged_tenant_go(acme: Tenant, globex: Tenant) -> None:
    for tenant in ("acme", "globex"):
        counters.count(EVENTS_PUBLISHED, tenant, "a")
    counters.flush()
    delete_tenant(acme, "ada")
    gone.forget()
    left = Counter.objects.filter(name=EVENTS_PUBLISHED.name).values_list("labels", flat=True)
    assert list(left) == ['["globex", "a"]']


def test_while_the_store_is_away_memory_is_bounded(counted: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "MOST_UNWRITTEN", len(counters._tally) + 2)
    for n in range(5):
        counters.count(EVENTS_PUBLISHED, "acme", f"topic.{n}")
    counters.count(EVENTS_PUBLISHED, "acme", "topic.0")
    found = since(counted)
    assert sum(found.values()) == 3


@pytest.fixture
def _serving_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "SERVES_SECONDS", 1e6)
    monkeypatch.setattr(metrics, "_gauges", gauges.Gauges())


@pytest.mark.usefixtures("_serving_for_long")
def test_what_waits_is_not_read_again_for_every_scrape_but_counters_are(
    acme: Tenant, counted: Reading
) -> None:
    give(make_target(acme))
    counters.count(EVENTS_PUBLISHED, "acme", "a")
    found = since(counted)
    assert found == {of("hookline_events_published_total", tenant="acme", topic="a"): 1}


def test_a_store_that_takes_too_long_costs_a_scrape_only_its_gauges(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(make_target(acme))
    monkeypatch.setattr(gauges, "PATIENCE_SECONDS", 0.001)
    monkeypatch.setattr(database, "SQLITE_STEPS", 1)
    monkeypatch.setattr(backlog, "by_tenant", _take_long)
    counters.count(EVENTS_PUBLISHED, "acme", "a")
    found = read(Api())
    assert found[("hookline_gauges_complete",)] == 0
    assert found[of("hookline_events_published_total", tenant="acme", topic="a")] >= 1
    assert not any(key[0] == "hookline_queue_depth" for key in found)


def _take_long() -> list[object]:
    """A statement that the store works at for long."""
    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
    database.rows(f"{counting} SELECT count(*) FROM n")
    return []


def test_no_more_than_a_few_wait_for_a_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_scrapes", threading.BoundedSemaphore(1))
    with metrics._scrapes:
        answer = Api().get("/metrics")
    assert (answer.status, answer.json["reason"]) == (503, "too many at a time")
    assert Api().get("/metrics").status == 200


# --- Told in docs/monitoring.md -----------------------------------------------------------


def test_the_document_has_a_line_for_every_metric() -> None:
    """In its table of all of them, word for word as /metrics explains them."""
    counted = {family.name: (family.meaning, family.labels) for family in FAMILIES.values()}
    lines = [
        f"| `{name}` | {', '.join(f'`{label}`' for label in names)} | {meaning} |"
        for name, (meaning, names) in (counted | gauges.MEANINGS).items()
    ]
    assert "\n".join(lines) in (settings.BASE_DIR / "docs" / "monitoring.md").read_text()
