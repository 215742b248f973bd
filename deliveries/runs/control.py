"""Starts runs, pauses them, lets them go on, and ends them early."""

from collections.abc import Sequence

from django.conf import settings

from deliveries.models import Run
from deliveries.runs.preview import Preview, preview
from deliveries.runs.selection import Selection
from hookline.database import now, write
from hookline.errors import Conflict
from tenants import audit

Verb, State = Run.Verb, Run.State

MOST_A_SECOND = 10_000
# Of one tenant, so that nobody's runs keep the others' waiting.
MOST_OPEN = 10
DEFAULT_RATES = {Verb.REQUEUE: 100, Verb.REPLAY: 100, Verb.DISCARD: 1000}


def dry_run(verb: str, tenant_id: str | None, selection: Selection) -> Preview:
    """What a run would do that was started now."""
    return preview(verb, tenant_id, selection, now())


def start(verb: str, tenant_id: str | None, selection: Selection, rate: int | None, by: str) -> Run:
    """A run that the next free worker takes up. What comes to be after this moment is not its business:
    neither new events, nor letters of jobs that it made due and that failed again. Raises Conflict where
    too many are not over."""
    if Run.objects.filter(tenant_id=tenant_id).open().count() >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} runs are not over yet: wait for the end of one, or cancel it")
    moment = now()
    found = preview(verb, tenant_id, selection, moment)
    run = Run(
        tenant_id=tenant_id,
        verb=verb,
        selection=selection.to_json(),
        asked_by=by,
        rate=rate or DEFAULT_RATES[Verb(verb)],
        total=found.count,
        is_exact=found.is_exact,
        preview=found.to_json(),
        due_at=moment,
        created_at=moment,
    )
    with write():
        run.save(force_insert=True)
        note(run, by, "started", rate=run.rate, total=run.total, selection=selection.given())
    return run


def pause(run: Run, by: str) -> Run:
    """No step begins after this returns."""
    return _change(run, by, (State.WAITING, State.RUNNING), State.PAUSED, "paused")


def resume(run: Run, by: str) -> Run:
    """Goes on where it stopped, also after it failed."""
    return _change(run, by, (State.PAUSED, State.FAILED), State.WAITING, "resumed")


def cancel(run: Run, by: str) -> Run:
    """Ends it where it is. What it has done stays done."""
    states = (State.WAITING, State.RUNNING, State.PAUSED, State.FAILED)
    return _change(run, by, states, State.CANCELLED, "cancelled")


def _change(run: Run, by: str, from_states: Sequence[str], state: Run.State, word: str) -> Run:
    """Waits for a step that is under way, which holds the row. To press a button twice does nothing
    more; raises Conflict where it is too late."""
    with write():
        held = Run.objects.select_for_update(no_key=True).get(id=run.id)
        if held.state in from_states:
            moment = now()
            held.state = state
            held.due_at, held.fault_count, held.held_because = moment, 0, ""
            held.claim_id = held.lease_until = None
            held.finished_at = moment if held.is_over else None
            held.save()
            note(held, by, word, done=held.done_count, skipped=held.skipped_count)
        elif held.is_over and held.state != state:
            raise Conflict(f"The run is {held.state} already")
    return held


def note(run: Run, by: str, word: str, **numbers: object) -> None:
    """In the log of its tenant; that of a run over all tenants is the installation's own."""
    tenant_id = run.tenant_id or settings.HL_TENANT_ID
    audit.record(tenant_id, by, f"run.{word}", run.id, verb=run.verb, **numbers)
