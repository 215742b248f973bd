"""The first page: what it says of a line that is well, that is not, and that stands still."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from deliveries import endpoints, pausing, pulse, traffic
from deliveries.models import Job, Lane
from hookline import database
from hookline.console import charts
from hookline.heartbeat import Heartbeat
from tenants.models import AuditEntry, Tenant
from tests.console import in_role
from tests.factories import publish
from tests.queueing import bury, fail, give, let_pass, make_target, take

pytestmark = pytest.mark.django_db

PLACE = "/console/"
STARTS = [datetime(2026, 5, 4, hour, tzinfo=UTC) for hour in range(3)]


@pytest.fixture(autouse=True)
def _counts_begin_here() -> None:
    traffic._tally.clear()


def test_an_empty_line_is_shown_as_such(ada: Client) -> None:
    text = ada.get(PLACE).text
    assert "No worker is alive" in text
    assert "No attempt failed" in text
    assert "none is late" in text


@pytest.mark.parametrize(
    "query", ["?window=24h", "?window=72h&tenant=acme", "?window=9z&tenant=nobody%00", "?figures=1"]
)
def test_it_opens_for_every_period_and_tenant(ada: Client, acme: Tenant, query: str) -> None:
    make_target(acme)
    publish(acme, {"topic": "order"})
    answer = ada.get(PLACE + query)
    assert answer.status_code == 200
    assert ("<html" in answer.text) == ("figures" not in query)


def test_the_oldest_due_job_is_told_and_neither_later_ones_nor_those_of_an_endpoint_that_is_off(
    acme: Tenant, globex: Tenant
) -> None:
    late, later, off = make_target(acme), make_target(globex), make_target(acme)
    moment = database.now()
    assert pulse.take("", moment).oldest_due is None
    for target in (late, later, off):
        give(target)
    assert pulse.take("", database.now()).oldest_due, "though no worker has heard the bell"
    fail([job for job in take() if job.endpoint_id != late.id], retry_in=3600)
    endpoints.change(off.id, {"enabled": False}, {}, "the tests")
    let_pass(1800)
    due = Job.objects.filter(endpoint_id=late.id)
    assert due.update(status="pending", claim_id=None, lease_until=None)
    Lane.objects.filter(endpoint_id=late.id).update(state=Lane.State.READY, in_flight=0)
    found = pulse.take("", database.now()).oldest_due
    assert found
    assert database.now() - found > timedelta(minutes=29)
    assert pulse.take("globex", database.now()).oldest_due is None
    let_pass(3600)
    assert pulse.take("globex", database.now()).oldest_due


def test_counts_are_of_one_tenant_or_of_all(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        make_target(tenant)
        publish(tenant, {"topic": "order"})
    bury(take(1))
    everything, mine = (pulse.take(id, database.now()) for id in ("", "acme"))
    assert (everything.waiting, everything.letters) == (1, 1)
    assert mine.waiting + mine.letters == 1


def test_deliveries_are_paused_and_resumed_from_here_and_the_log_says_by_whom(ada: Client) -> None:
    Heartbeat("worker").beat()
    assert "Pause deliveries" in ada.get(PLACE).text
    assert ada.post("/console/deliveries/pause/").status_code == 302
    assert pausing.is_paused()
    assert "Deliveries are paused" in ada.get(PLACE).text
    assert ada.post("/console/deliveries/resume/").status_code == 302
    assert not pausing.is_paused()
    entries = AuditEntry.objects.order_by("id").values_list("actor", "action")
    assert list(entries) == [("operator ada", "claims.paused"), ("operator ada", "claims.resumed")]


def test_a_viewer_sees_it_and_pauses_nothing() -> None:
    viewer = in_role("viewer")
    assert "Pause deliveries" not in viewer.get(PLACE).text
    assert viewer.post("/console/deliveries/pause/").status_code == 403
    assert not pausing.is_paused()


def test_the_page_asks_no_more_however_much_there_is(
    ada: Client, acme: Tenant, django_assert_max_num_queries: object
) -> None:
    for _ in range(12):
        target = make_target(acme)
        give(target)
        bury(take())
    traffic.flush()
    for query in ("", "?tenant=acme&window=72h"):
        with django_assert_max_num_queries(18):  # type: ignore[operator]
            ada.get(PLACE + query)


def test_a_chart_of_nothing_has_an_axis_and_no_columns() -> None:
    drawn = charts.columns(STARTS, [("good", [0, 0, 0])], ["", "", ""], "Nothing")
    assert 'class="bar' not in drawn
    assert "<span>1</span><span>0.5</span><span>0</span>" in drawn


def test_columns_stand_on_each_other_and_the_highest_fits() -> None:
    drawn = charts.columns(STARTS, [("good", [3, 0, 1]), ("bad", [1, 0, 0])], ["a", "b", "c"], "Some")
    assert 'class="bar good" d="M1 100.0v-75.0h8v75.0zM21 100.0v-25.0h8v25.0z"' in drawn
    assert 'class="bar bad" d="M1 25.0v-25.0h8v25.0z"' in drawn
    assert drawn.count("<title>") == 3


def test_a_line_has_gaps_where_there_is_nothing_and_a_lone_point_is_seen() -> None:
    drawn = charts.lines([*STARTS, *STARTS], [("p50", [10, 5, None, None, 10, None])], [""] * 6, "Some", str)
    assert 'd="M5 0.0L15 50.0M41.7 0.0h6.7"' in drawn


def test_what_a_chart_says_is_text() -> None:
    drawn = charts.columns(STARTS[:1], [("good", [1])], ["<script>"], '"><script>')
    assert "<script>" not in drawn + charts.sparkline([("good", [1])], "<script>")
