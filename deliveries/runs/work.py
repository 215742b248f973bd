"""Takes the steps of runs: every worker does, whoever comes first, one at a time for each run."""

import logging
import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from django.db.models import Min
from django.db.models.functions import Coalesce, Greatest

from deliveries import depth
from deliveries.models import Run
from deliveries.runs.control import note
from deliveries.runs.selection import Selection
from deliveries.runs.verbs import walk_of
from deliveries.runs.walk import Acted, Stretch
from hookline import failpoints
from hookline.database import now, write

logger = logging.getLogger(__name__)

State = Run.State

# A step takes milliseconds: a worker that has not ended one by then is taken for dead.
LEASE = timedelta(seconds=5)
LOOK_SECONDS, SHORTLY = 0.5, 0.01
# What a step does at most, so that its transaction is short. Deliveries come evenly: in four steps a
# second, or in ten where these would be large.
MOST_AT_ONCE, LARGE = 200, 25
# How far behind its rate a run may catch up.
CATCH_UP = timedelta(seconds=1)
HOLD = timedelta(seconds=1)
PAUSE_AFTER_FAULT = timedelta(seconds=5)
MOST_FAULTS = 5


def work(stop: threading.Event) -> None:
    """Takes steps until no run is left to be worked on, or until `stop`."""
    while not stop.is_set() and (due_at := _next_due()):
        seconds = (due_at - now()).total_seconds()
        if seconds > 0 or not work_on_one():
            stop.wait(min(max(SHORTLY, seconds), LOOK_SECONDS))


def _next_due() -> datetime | None:
    """When the next step can be taken, or be taken over; None if no run goes on."""
    free_at = Greatest("due_at", Coalesce("lease_until", "due_at"))
    due_at: datetime | None = Run.objects.active().aggregate(at=Min(free_at))["at"]
    return due_at


def work_on_one() -> bool:
    """Takes the step that has been due for longest; false if none is due."""
    if (run := claim()) is None:
        return False
    try:
        step(run)
    except Exception as fault:  # whatever one run's rows do must not stop the others
        logger.exception("A step of run %s went wrong", run.id)
        _note_fault(run, fault)
    return True


def claim() -> Run | None:
    """The run whose next step has been due for longest, ours for this step or until the lease ends."""
    moment = now()
    due = Run.objects.due(moment).order_by("due_at")
    if not due.exists():
        return None
    with write(durable=False):
        run = due.select_for_update(no_key=True, skip_locked=True).first()
        if run is not None:
            run.state, run.started_at = State.RUNNING, run.started_at or moment
            run.claim_id, run.lease_until = uuid4(), moment + LEASE
            run.save(update_fields=["state", "started_at", "claim_id", "lease_until"])
    return run


def step(run: Run) -> None:
    """1. Looks at the next rows, without a lock. 2. Does what is to be done with them and notes how far
    the run has come, in one transaction, if the claim still holds."""
    walk = walk_of(run.verb, run.tenant_id, Selection.from_json(run.selection), run.created_at)
    place = walk.place_of(run.place)
    stretch = walk.stretch(place, _allowed(run)) if place else Stretch((), None)
    with write():
        held = _held(run)
        if held is None:
            return
        if place and stretch.cost and not _has_room(held, place.tenant_id):
            _hold(held, place.tenant_id)
            return
        acted = walk.act(stretch.items, held.id)
        failpoints.reach("run_before_commit")
        _go_on(held, stretch, acted)
    failpoints.reach("run_after_commit")


def _held(run: Run) -> Run | None:
    """The run's row, locked, if it is still ours to work on."""
    ours = Run.objects.filter(id=run.id, claim_id=run.claim_id, state=State.RUNNING)
    return ours.select_for_update(no_key=True).first()


def _allowed(run: Run) -> int:
    return max(1, min(run.rate // 4, max(LARGE, run.rate // 10), MOST_AT_ONCE))


def _has_room(run: Run, tenant_id: str) -> bool:
    """Whether new work would leave the tenant's queue open for what is published meanwhile."""
    return run.verb == Run.Verb.DISCARD or depth.has_room(tenant_id)


def _hold(run: Run, tenant_id: str) -> None:
    run.due_at = now() + HOLD
    run.held_because = f"Half of the queue of tenant {tenant_id} is full; it waits for deliveries."
    _let_go(run)


def _go_on(run: Run, stretch: Stretch[Any], acted: Acted) -> None:
    moment = now()
    seconds = (acted.jobs or acted.items) / run.rate
    run.done_count += acted.items
    run.skipped_count += len(stretch.items) - acted.items
    run.job_count += acted.jobs
    run.due_at = max(run.due_at, moment - CATCH_UP) + timedelta(seconds=seconds)
    run.held_because, run.fault_count = "", 0
    if stretch.end is None:
        run.state, run.finished_at = State.DONE, moment
        note(
            run, run.asked_by, "finished", done=run.done_count, skipped=run.skipped_count, jobs=run.job_count
        )
    else:
        run.place = msgspec.json.encode(stretch.end).decode()
    _let_go(run)


def _note_fault(run: Run, fault: Exception) -> None:
    """The run tries again a little later, and gives up in the end. What went wrong may hold a payload,
    so only the log tells it."""
    with write():
        held = _held(run)
        if held is None:
            return
        held.fault_count += 1
        held.last_error = f"A step went wrong ({type(fault).__name__}); the worker's log says more."
        held.due_at = now() + PAUSE_AFTER_FAULT
        if held.fault_count >= MOST_FAULTS:
            held.state = State.FAILED
            note(held, held.asked_by, "failed", done=held.done_count, skipped=held.skipped_count)
        _let_go(held)


def _let_go(run: Run) -> None:
    run.claim_id = run.lease_until = None
    run.save()
