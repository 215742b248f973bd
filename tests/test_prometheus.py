"""The dashboard and the rules ask for what is there: tried with a real Prometheus and a real server."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml
from django.conf import settings

from hookline.families import FAMILIES
from hookline.gauges import MEANINGS
from tests import installation
from tests.live import LiveServer
from tests.prometheus import Prometheus, promtool
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.embedded

DEPLOY = settings.BASE_DIR / "deploy"
RULES = DEPLOY / "prometheus/hookline.rules.yml"
DASHBOARD = json.loads((DEPLOY / "grafana/hookline.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# What the earlier server's dashboard was made of.
KNOWN_PANELS = {
    "Events Published", "Queue Depth", "DLQ Total", "SSE Clients", "Delivery Throughput", "Delivery Latency",
    "In-Flight", "Overload Drops", "Store IPC Operations", "Rate Limited", "SSE Stream Events Sent",
}  # fmt: skip
SELECTOR = re.compile(r"(hookline_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
# Series that only a failure of the store makes.
ONLY_IN_TROUBLE = "hookline_store_ops_total"


def queries() -> list[tuple[str, str]]:
    """The title and the query of everything that the dashboard shows."""
    return [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    return [query for _, query in queries()] + [rule["expr"] for rule in rules()]


def labels_of(sample: str) -> set[str]:
    """Of a metric, by the name of one of its samples."""
    for suffix, more in (("", set[str]()), ("_bucket", {"le"}), ("_count", set[str]()), ("_sum", set[str]())):
        name = sample.removesuffix(suffix)
        if suffix and not sample.endswith(suffix):
            continue
        if name in FAMILIES and bool(FAMILIES[name].bounds) == bool(suffix):
            return {*FAMILIES[name].labels, *more}
        if name in MEANINGS and not suffix:
            return {*MEANINGS[name][1]}
    pytest.fail(f"There is no metric {sample}")


# --- As they are written ------------------------------------------------------------------


@pytest.mark.parametrize("expression", expressions())
def test_every_query_names_metrics_and_labels_that_there_are(expression: str) -> None:
    known = {"job", "alertname"}
    for name, matchers in SELECTOR.findall(expression):
        here = labels_of(name)
        assert set(MATCHER.findall(matchers)) <= here
        known |= here
    for grouped in GROUPED.findall(expression):
        assert {label.strip() for label in grouped.split(",")} <= known


def test_the_dashboard_has_the_panels_that_people_know() -> None:
    assert {panel["title"] for panel in PANELS} >= KNOWN_PANELS
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["description"].endswith(".") for panel in PANELS)


def test_its_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert rule["annotations"].keys() == {"summary", "description", "action"}
            assert rule["annotations"]["action"].endswith(".")


def test_the_document_has_a_line_for_every_alert() -> None:
    page = (settings.BASE_DIR / "docs/monitoring.md").read_text()
    for rule in rules():
        if "alert" in rule:
            assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in page


# --- With Prometheus ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def _installed() -> None:
    installation.ensure("prometheus")


@pytest.mark.usefixtures("_installed")
def test_promtool_finds_no_fault_and_the_rules_do_what_their_tests_say() -> None:
    place = RULES.parent
    assert "SUCCESS" in promtool("check", "rules", RULES.name, cwd=place)
    assert "SUCCESS" in promtool("test", "rules", "hookline.tests.yml", cwd=place)
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "prometheus.yml", cwd=place)


@pytest.fixture(scope="module")
def scraped(_installed: None) -> Iterator[Prometheus]:
    """A Prometheus beside a server with some of everything: what arrives, fails, is given up, waits for
    its turn, is held, and is refused."""
    receiver = Receiver()
    receiver.reply("/down", Reply(503))
    receiver.reply("/wrong", Reply(400))
    with closing(receiver), closing(LiveServer(HL_MAX_QUEUE_DEPTH="20")) as live:
        api = live.api()
        places: dict[str, dict[str, Any]] = {
            "/fine": {},
            "/down": {},
            "/wrong": {},
            "/few": {"rate_limit_rps": 1},
            "/off": {"enabled": False},
        }
        for path, limits in places.items():
            made = api.post("/v1/endpoints", {"url": receiver.url(path), **limits}).json
            api.post("/v1/subscriptions", {"endpoint_id": made["id"], "topic_pattern": "#"})
        with Prometheus(live.port, RULES) as prometheus:
            prometheus.wait_for("hookline_workers")
            refused = False
            while not refused:  # also what comes after the first scrape, for rates
                refused = api.post("/v1/events", {"topic": "a"}).status == 429
                prometheus.wait_for("hookline_deliveries_total")
            prometheus.wait_for("increase(hookline_overload_drops_total[1m])")
            yield prometheus


@pytest.mark.parametrize(("title", "query"), queries())
def test_every_panel_has_data(scraped: Prometheus, title: str, query: str) -> None:
    asked = query.replace("$__rate_interval", "1m").replace("$tenant", ".*")
    if ONLY_IN_TROUBLE in query:
        scraped.query(asked)
    else:
        assert scraped.wait_for(asked), title


def test_every_rule_is_evaluated_and_what_they_record_is_there(scraped: Prometheus) -> None:
    for rule in rules():
        if "record" in rule:
            scraped.wait_for(rule["record"])
    found = scraped.rules()
    assert len(found) == len(rules())
    assert {rule["name"]: rule.get("lastError", "") for rule in found if rule["health"] != "ok"} == {}


def test_what_the_tables_say_is_true(scraped: Prometheus) -> None:
    """Of one series by another way: the five endpoints got the same events."""
    by_status = {
        found["metric"]["status"]: float(found["value"][1])
        for found in scraped.query("sum by (status) (hookline_deliveries_total)")
    }
    assert by_status["success"] > 0
    assert by_status["failed"] > 0
    [held] = scraped.wait_for('hookline_due_jobs{waits_for="endpoint"}')
    [published] = scraped.query("sum(hookline_events_published_total)")
    assert held["value"][1] == published["value"][1]
