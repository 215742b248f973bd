"""The console's pages for bulk work: dead letters by group, what a run would do, its start, its progress."""

from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from django.db.models import F
from django.test import Client

from deliveries import endpoints
from deliveries.console import run_forms
from deliveries.models import DeadLetter, Job, Run
from deliveries.runs import control
from deliveries.runs.selection import Mode, Selection
from hookline.heartbeat import Heartbeat
from tenants.models import AuditEntry, Tenant
from tests.console import in_role
from tests.factories import publish
from tests.queueing import make_target, succeed, take
from tests.running import BY, bury_some, finish, letters, pending, start, step_once

pytestmark = pytest.mark.django_db

GROUPS, LETTERS, RUNS = (
    "/console/dead-letters/",
    "/console/deliveries/deadletter/",
    "/console/deliveries/run/",
)
MARKUP = "<script>alert(1)</script>"


def new(verb: str, **asked: Any) -> str:
    return f"/console/runs/new/{verb}/?{urlencode({'look': 1, **asked})}"


def page_of(run: Run) -> str:
    return f"{RUNS}{run.id}/change/"


# --- Dead letters -------------------------------------------------------------------------


def test_letters_are_grouped_by_endpoint_and_reason_most_first(operator: Client, acme: Tenant) -> None:
    one, other = make_target(acme, name="Shop"), make_target(acme, name=MARKUP)
    bury_some(one, 3)
    bury_some(one, 2, "http_410")
    bury_some(other, 1)
    text = operator.get(GROUPS).text
    rows = text.split("<tbody>")[1].split("</tr>")[:3]
    assert [("Shop" in row, "http_410" in row) for row in rows] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert MARKUP not in text
    assert "6 letters" in text


def test_groups_are_those_of_one_tenant_where_it_is_asked_for(
    operator: Client, acme: Tenant, globex: Tenant
) -> None:
    bury_some(make_target(acme, name="Shop"))
    bury_some(make_target(globex, name="Mill"))
    text = operator.get(GROUPS, {"tenant": "globex"}).text
    assert ("Mill" in text, "Shop" in text) == (True, False)
    assert "tenant=globex" in text, "what is sent again is theirs alone"


def test_a_group_leads_to_what_would_be_done_with_it(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme)
    ids = bury_some(endpoint, 2, "http_410")
    bury_some(endpoint, 3)
    links = [unescape(part.split('"')[0]) for part in operator.get(GROUPS).text.split('href="')]
    place = next(link for link in links if "/requeue/" in link and "http_410" in link)
    assert ">2</p>" in operator.get(place).text
    started = operator.post(place, {"rate": 100, "seen": 2})
    run = finish(Run.objects.get())
    assert started["Location"] == page_of(run)
    assert pending() == set(ids)
    assert AuditEntry.objects.get(action="run.started").actor == "operator the operator"


def test_a_list_leads_to_all_letters_that_it_is_narrowed_to(operator: Client, acme: Tenant) -> None:
    ids = bury_some(make_target(acme), 2, "http_410")
    bury_some(make_target(acme), 3)
    text = operator.get(LETTERS, {"reason": "http_410", "since": "24h"}).text
    place = unescape(text.split('href="/console/runs/new/requeue/')[1].split('"')[0])
    assert ">2</p>" in operator.get(f"/console/runs/new/requeue/{place}").text
    DeadLetter.objects.filter(job_id=ids[0]).update(created_at=F("created_at") - timedelta(days=2))
    assert ">1</p>" in operator.get(f"/console/runs/new/requeue/{place}").text
    assert "runs/new" not in operator.get(LETTERS, {"q": str(ids[0])}).text


def test_one_letter_is_sent_again_or_let_go_from_its_page(operator: Client, acme: Tenant) -> None:
    one, other = bury_some(make_target(acme), 2)
    assert f"/console/dead-letters/{one}/requeue/" in operator.get(f"{LETTERS}{one}/change/").text
    operator.post(f"/console/dead-letters/{one}/requeue/")
    operator.post(f"/console/dead-letters/{other}/discard/")
    assert (pending(), letters()) == ({one}, set())
    assert operator.post(f"/console/dead-letters/{one}/requeue/").status_code == 404
    assert operator.post(f"/console/dead-letters/{one}/explode/").status_code == 404


# --- What would be done, and the start ----------------------------------------------------


def test_nothing_is_looked_for_before_somebody_asks(operator: Client, acme: Tenant) -> None:
    bury_some(make_target(acme))
    text = operator.get("/console/runs/new/requeue/").text
    assert "See what it would do" in text
    assert "Oldest" not in text
    assert operator.get("/console/runs/new/explode/").status_code == 404


def test_a_preview_shows_the_count_by_endpoint_and_by_tenant(
    operator: Client, acme: Tenant, globex: Tenant
) -> None:
    gone = make_target(acme, name="Shop")
    bury_some(gone, 3)
    bury_some(make_target(globex, name="Mill"), 2)
    endpoints.change(gone.id, {"enabled": False}, {}, BY)
    text = operator.get(new("requeue")).text
    for told in (">5</p>", "5 deliveries", "Shop", "disabled", "Mill", "By tenant", "globex"):
        assert told in text
    text = operator.get(new("discard", tenant="acme", endpoint="Shop")).text
    for told in (">3</p>", "will be let go"):
        assert told in text
    assert "Mill" not in text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"tenant": "nobody"}, "There is no such tenant."),
        ({"endpoint": "nowhere"}, "No endpoint is called so."),
        ({"endpoint": "Twice"}, "More than one endpoint is called so."),
        ({"ids": "nonsense"}, "Not all of these are ids."),
        ({"ids": " ".join([str(UUID(int=1))] * 1001)}, "These are more than 1000."),
        ({"since": "yesterday"}, "Enter a valid date/time."),
        ({"topic": "a" * 1001}, "at most 1000 characters"),
    ],
)
def test_what_makes_no_sense_is_told_beside_the_field(
    operator: Client, acme: Tenant, asked: dict[str, str], told: str
) -> None:
    for _ in range(2):
        make_target(acme, name="Twice")
    answer = operator.get(new("requeue", **asked))
    assert answer.status_code == 200
    assert told in unescape(answer.text)
    assert operator.post(new("requeue", **asked), {"rate": 1, "seen": 0}).status_code == 200
    assert not Run.objects.exists()


def test_where_nothing_matches_there_is_nothing_to_press(operator: Client, acme: Tenant) -> None:
    for verb, told in (("requeue", "no such dead letters"), ("replay", "no event that anybody would get")):
        text = operator.get(new(verb)).text
        assert told in text
        assert 'name="rate"' not in text


def test_many_are_started_by_who_types_how_many(
    operator: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_forms, "MANY", 2)
    bury_some(make_target(acme), 3)
    for typed in ("", "4", "yes"):
        answer = operator.post(new("requeue"), {"rate": 50, "seen": 3, "typed": typed})
        assert "Type the number, to say that you mean so many." in answer.text
    assert not Run.objects.exists()
    assert operator.post(new("requeue"), {"rate": 50, "seen": 3, "typed": " 3 "}).status_code == 302
    assert Run.objects.get().rate == 50


def test_what_has_become_many_since_it_was_shown_is_asked_again(
    operator: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_forms, "MANY", 2)
    endpoint = make_target(acme)
    bury_some(endpoint, 2)
    assert 'name="typed"' not in operator.get(new("requeue")).text
    bury_some(endpoint, 3)
    answer = operator.post(new("requeue"), {"rate": 50, "seen": 2})
    assert "Type 5 to go on" in answer.text
    assert not Run.objects.exists()


@pytest.mark.parametrize("rate", ["0", "10001", "fast", ""])
def test_a_rate_that_cannot_be_is_refused(operator: Client, acme: Tenant, rate: str) -> None:
    bury_some(make_target(acme))
    answer = operator.post(new("requeue"), {"rate": rate, "seen": 1})
    assert 'role="alert"' in answer.text
    assert not Run.objects.exists()


def test_too_many_runs_are_refused_beside_the_button(
    operator: Client, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "MOST_OPEN", 0)
    bury_some(make_target(acme))
    answer = operator.post(new("requeue"), {"rate": 50, "seen": 1})
    assert "0 runs are not over yet" in answer.text


def test_a_replay_is_asked_for_by_all_that_narrows_it(operator: Client, acme: Tenant) -> None:
    endpoint = make_target(acme, name="Shop")
    publish(acme, {"topic": "orders.1", "occurred_at": 1_764_063_000_000})
    publish(acme, {"topic": "refunds.1", "occurred_at": 1_764_063_000_000})
    succeed(take())
    late = make_target(acme, name="Late")
    asked = {
        "tenant": "acme", "endpoint": "Late", "topic": "orders.*", "mode": "missed_only",
        "since": "2025-11-25T09:30:00", "until": "2025-11-25T09:30:00",
    }  # fmt: skip
    text = operator.get(new("replay", **asked)).text
    assert ">1</p>" in text
    assert "Late" in text
    operator.post(new("replay", **asked), {"rate": 10, "seen": 1})
    run = finish(Run.objects.get())
    assert Selection.from_json(run.selection) == Selection(
        endpoint_id=late.id,
        topic="orders.*",
        from_ms=1_764_063_000_000,
        to_ms=1_764_063_000_000,
        mode=Mode.MISSED,
    )
    assert [job.endpoint_id for job in Job.objects.filter(replay_id=run.id)] == [late.id]
    text = operator.get(page_of(run)).text
    for told in ("Late", "orders.*", "2025-11-25 09:30:00 UTC", "where it neither arrived nor is on its way"):
        assert told in text
    assert endpoint.name not in text


# --- Progress and buttons -----------------------------------------------------------------


def test_a_runs_page_tells_how_far_it_is_and_stops_it(operator: Client, acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = start(Run.Verb.REQUEUE, acme, rate=40)
    step_once()
    text = operator.get(page_of(run)).text
    for told in ("10 of 25", 'value="0.4000"', "refresh.js", "Pause", "Cancel"):
        assert told in text
    operator.post(f"/console/runs/{run.id}/pause/")
    text = operator.get(page_of(run), {"figures": 1}).text
    assert "It is paused." in text
    assert "<html" not in text
    operator.post(f"/console/runs/{run.id}/resume/")
    run = finish(run)
    text = operator.get(page_of(run)).text
    assert "25 of 25" in text
    assert ("Pause" in text, "refresh.js" in text, "data-refresh-ends" in text) == (False, False, True)
    answer = operator.post(f"/console/runs/{run.id}/cancel/", follow=True)
    assert "The run is done already." in answer.text
    assert operator.post(f"/console/runs/{run.id}/explode/").status_code == 404


def test_a_run_that_waits_or_failed_says_why(operator: Client, acme: Tenant) -> None:
    run = start(Run.Verb.REQUEUE, acme)
    assert "No worker is alive." in operator.get(page_of(run)).text
    Heartbeat("worker").beat()
    Run.objects.update(held_because="Half of the queue is full.")
    assert "Half of the queue is full." in operator.get(page_of(run)).text
    Run.objects.update(state=Run.State.FAILED, last_error="A step went wrong.")
    text = operator.get(page_of(run)).text
    assert "A step went wrong." in text
    assert "Resume" in text


def test_runs_are_listed_and_narrowed(operator: Client, acme: Tenant) -> None:
    bury_some(make_target(acme), 2)
    control.pause(start(Run.Verb.REQUEUE, acme), BY)
    start(Run.Verb.REPLAY, None)
    text = operator.get(RUNS).text
    assert ("Send dead letters again" in text, "all tenants" in text) == (True, True)
    text = operator.get(RUNS, {"state": "paused"}).text
    assert ("0 of 2" in text, "all tenants" in text) == (True, False)
    assert operator.get(f"{RUNS}{uuid4()}/change/").status_code == 404


def test_who_only_looks_finds_no_button_and_cannot_press_one(acme: Tenant) -> None:
    [job_id] = bury_some(make_target(acme))
    run = start(Run.Verb.REQUEUE, acme)
    viewer = in_role("viewer")
    for place in (GROUPS, LETTERS, f"{LETTERS}{job_id}/change/", new("requeue"), page_of(run)):
        answer = viewer.get(place)
        assert answer.status_code == 200
        assert "Send it again" not in answer.text
        assert 'name="rate"' not in answer.text
        assert "‖ Pause" not in answer.text
    for place in (
        new("requeue"),
        f"/console/runs/{run.id}/cancel/",
        f"/console/dead-letters/{job_id}/requeue/",
    ):
        assert viewer.post(place, {"rate": 1, "seen": 1}).status_code == 403
    assert (counts_of_runs(), letters()) == ([("waiting", 0)], {job_id})


def counts_of_runs() -> list[tuple[str, int]]:
    return list(Run.objects.values_list("state", "done_count"))


def test_pages_ask_the_same_few_questions_however_many_letters_there_are(
    operator: Client, acme: Tenant, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        bury_some(make_target(acme), 10)
    run = start(Run.Verb.REQUEUE, acme)
    for place, most in ((GROUPS, 7), (new("requeue"), 6), (page_of(run), 7), (RUNS, 7)):
        with django_assert_max_num_queries(most):
            assert operator.get(place).status_code == 200
