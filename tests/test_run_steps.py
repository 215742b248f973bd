"""How runs are worked on: by one worker at a time, at their rate, and until somebody stops them."""

import json
import threading
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db.models import F

from deliveries import purge, retention
from deliveries.models import Job, Run
from deliveries.runs import control, work
from hookline.database import now
from hookline.errors import Conflict
from tenants.models import AuditEntry, Tenant
from tests.queueing import assert_consistent, in_threads, make_target, take
from tests.running import BY, bury_some, counts, finish, letters, pending, start, step_once

pytestmark = pytest.mark.django_db

REQUEUE, DISCARD, REPLAY = Run.Verb.REQUEUE, Run.Verb.DISCARD, Run.Verb.REPLAY
SLOW = 40  # a second: ten in a step


def told() -> list[tuple[str, str]]:
    """Who did what with runs, oldest first."""
    entries = AuditEntry.objects.filter(action__startswith="run.").order_by("number")
    return list(entries.values_list("action", "actor"))


def lease_ends(run: Run) -> None:
    Run.objects.filter(id=run.id).update(lease_until=now())


# --- Buttons ------------------------------------------------------------------------------


def test_a_paused_run_takes_no_step_until_it_is_resumed(acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    step_once()
    control.pause(run, BY)
    assert work.claim() is None
    assert counts(run) == ("paused", 10, 0, 10)
    control.resume(run, BY)
    assert counts(finish(run)) == ("done", 25, 0, 25)


def test_a_step_that_was_claimed_before_a_pause_does_nothing_after_it(acme: Tenant) -> None:
    bury_some(make_target(acme), 3)
    run = start(REQUEUE, acme)
    claimed = work.claim()
    assert claimed
    control.pause(run, BY)
    work.step(claimed)
    assert counts(run) == ("paused", 0, 0, 0)
    control.resume(run, BY)
    work.step(claimed)
    assert counts(run) == ("waiting", 0, 0, 0), "that claim is over, though the run goes on"
    assert len(letters()) == 3


def test_a_cancelled_run_leaves_the_rest_as_it_was(acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    step_once()
    control.cancel(run, BY)
    assert work.claim() is None
    assert (len(letters()), len(pending())) == (15, 10)
    run.refresh_from_db()
    assert run.finished_at
    assert run.is_over


def test_a_button_pressed_twice_does_nothing_more(acme: Tenant) -> None:
    run = start(REQUEUE, acme)
    for press in (
        control.pause,
        control.pause,
        control.resume,
        control.resume,
        control.cancel,
        control.cancel,
    ):
        press(run, BY)
    assert [action for action, _ in told()] == ["run.started", "run.paused", "run.resumed", "run.cancelled"]


def test_what_is_over_cannot_be_paused_resumed_or_cancelled(acme: Tenant) -> None:
    run = finish(start(REQUEUE, acme))
    for press in (control.pause, control.resume, control.cancel):
        with pytest.raises(Conflict, match="done already"):
            press(run, BY)


def test_the_log_has_one_entry_for_each_decision_and_the_end_with_numbers(acme: Tenant) -> None:
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    step_once()
    control.pause(run, "operator ada")
    control.resume(run, "operator bob")
    finish(run)
    assert told() == [
        ("run.started", BY),
        ("run.paused", "operator ada"),
        ("run.resumed", "operator bob"),
        ("run.finished", BY),
    ]
    last = AuditEntry.objects.get(tenant_id="acme", action="run.finished")
    assert last.target == str(run.id)
    assert json.loads(last.metadata) == {"verb": "requeue", "done": 25, "skipped": 0, "jobs": 25}


def test_a_run_over_all_tenants_is_in_the_installations_log(acme: Tenant, settings: LazySettings) -> None:
    settings.HL_TENANT_ID = "globex"
    start(REQUEUE, None)
    assert AuditEntry.objects.get(action="run.started").tenant_id == "globex"


def test_the_runs_of_a_deleted_tenant_end_with_it(acme: Tenant) -> None:
    bury_some(make_target(acme), 3)
    start(REQUEUE, acme)
    claimed = work.claim()
    assert claimed
    purge.delete_tenant(acme, BY)
    work.step(claimed)
    assert (Run.objects.count(), Job.objects.count()) == (0, 0)


def test_runs_that_are_over_are_let_go_of_with_their_time(acme: Tenant, settings: LazySettings) -> None:
    done, paused = finish(start(REQUEUE, acme)), control.pause(start(REQUEUE, acme), BY)
    settings.HL_RETENTION_SECS = 60
    retention.prune()
    assert Run.objects.count() == 2
    Run.objects.update(created_at=F("created_at") - timedelta(days=9))
    Run.objects.filter(id=done.id).update(finished_at=F("finished_at") - timedelta(days=9))
    retention.prune()
    assert Run.objects.get() == paused


# --- Claims -------------------------------------------------------------------------------


def test_a_run_is_claimed_once(acme: Tenant) -> None:
    start(REQUEUE, acme)
    assert work.claim()
    assert work.claim() is None


def test_who_lost_a_claim_changes_nothing(acme: Tenant) -> None:
    """A worker that stood still past its lease wakes up when another has gone on."""
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    late = work.claim()
    assert late
    lease_ends(run)
    step_once()
    work.step(late)
    assert counts(run) == ("running", 10, 0, 10)
    assert counts(finish(run)) == ("done", 25, 0, 25)


def test_the_run_that_waits_longest_comes_first(acme: Tenant) -> None:
    """So that a long one does not keep a short one waiting."""
    bury_some(make_target(acme), 25)
    long, short = start(REQUEUE, acme, rate=SLOW), start(DISCARD, acme, rate=SLOW)
    taken = []
    for _ in range(4):
        claimed = work.claim()
        assert claimed
        taken.append(claimed.id)
        work.step(claimed)
        Run.objects.update(due_at=now() - timedelta(seconds=1), lease_until=None)
        Run.objects.filter(id=claimed.id).update(due_at=now())
    assert taken == [long.id, short.id, long.id, short.id]


@pytest.mark.django_db(transaction=True)
def test_workers_that_compete_do_everything_once(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        bury_some(make_target(tenant), 120)
    both = [start(REQUEUE, tenant, rate=400) for tenant in (acme, globex)]
    in_threads(4, lambda number: work.work(threading.Event()))
    assert [counts(run) for run in both] == [("done", 120, 0, 120)] * 2
    assert (letters(), len(pending())) == (set(), 240)
    assert [action for action, _ in told()].count("run.finished") == 2
    assert_consistent()


@pytest.mark.django_db(transaction=True)
def test_a_pause_is_obeyed_by_all_workers_at_once(acme: Tenant) -> None:
    bury_some(make_target(acme), 300)
    run = start(DISCARD, acme, rate=SLOW)
    stop = threading.Event()

    def play(number: int) -> int | None:
        if number:
            work.work(stop)
            return None
        while not Run.objects.filter(done_count__gt=0).exists():
            stop.wait(0.01)
        done = control.pause(run, BY).done_count
        stop.wait(0.5)  # long enough for two steps
        stop.set()
        return done

    done = in_threads(3, play)[0]
    assert counts(run)[:2] == ("paused", done)
    assert len(letters()) == 300 - (done or 0)


# --- The rate -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_rate_is_held_whoever_works_and_by_the_databases_clock(acme: Tenant) -> None:
    bury_some(make_target(acme), 200)
    began = now()
    run = start(REQUEUE, acme, rate=SLOW)
    stop = threading.Event()

    def play(number: int) -> None:
        if number:
            return work.work(stop)
        for _ in range(20):
            stop.wait(0.1)
            done = Run.objects.get().done_count
            seconds = (now() - began).total_seconds()
            assert done <= SLOW * (seconds + work.CATCH_UP.total_seconds()) + 10
        stop.set()
        return None

    in_threads(3, play)
    run.refresh_from_db()
    assert 0 < run.done_count < 200
    assert run.due_at >= began + timedelta(seconds=run.done_count / SLOW) - work.CATCH_UP


def test_a_run_that_makes_nothing_due_costs_no_time(acme: Tenant) -> None:
    """So that a search for what was missed does not creep."""
    give_nothing = start(REPLAY, acme, rate=1)
    due_at = give_nothing.due_at
    step_once()
    assert counts(give_nothing)[0] == "done"
    give_nothing.refresh_from_db()
    assert give_nothing.due_at - due_at < timedelta(seconds=1)


def test_a_run_waits_while_half_of_the_tenants_queue_is_full(acme: Tenant, settings: LazySettings) -> None:
    """Otherwise the tenant's publishers would be told to come back later."""
    settings.HL_MAX_QUEUE_DEPTH = 30
    bury_some(make_target(acme), 25)
    run = start(REQUEUE, acme, rate=SLOW)
    step_once()
    step_once()
    step_once()
    run.refresh_from_db()
    assert (run.done_count, run.state) == (20, "running")
    assert "queue of tenant acme" in run.held_because
    take()
    step_once()
    assert counts(run) == ("done", 25, 0, 25)
    run.refresh_from_db()
    assert run.held_because == ""


# --- What goes wrong ----------------------------------------------------------------------


def test_a_run_whose_steps_go_wrong_fails_in_the_end_and_can_be_resumed(acme: Tenant) -> None:
    bury_some(make_target(acme), 3)
    run = start(REQUEUE, acme)
    sound = run.selection
    Run.objects.update(selection="[]")
    for _ in range(work.MOST_FAULTS):
        Run.objects.update(due_at=now())
        work.work_on_one()
    run.refresh_from_db()
    assert (run.state, run.fault_count) == ("failed", work.MOST_FAULTS)
    assert run.last_error == "A step went wrong (ValidationError); the worker's log says more."
    assert told()[-1] == ("run.failed", BY)
    assert work.claim() is None

    Run.objects.update(selection=sound)
    control.resume(run, BY)
    assert counts(finish(run)) == ("done", 3, 0, 3)


def test_one_runs_faults_are_not_anothers(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        bury_some(make_target(tenant))
    bad, good = start(REQUEUE, acme), start(REQUEUE, globex)
    Run.objects.filter(id=bad.id).update(selection="[]")
    work.work_on_one()
    work.work_on_one()
    assert [counts(run)[0] for run in (bad, good)] == ["running", "done"]
