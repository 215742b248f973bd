"""How far a run has come, and how long it may take."""

import msgspec

from deliveries.models import Run
from deliveries.runs.preview import Preview
from deliveries.runs.walk import Place
from hookline.times import milliseconds

ALMOST = 0.99


def share(run: Run) -> float | None:
    """Of 1; None where nobody can tell. Where the total is not known, by the time that it has come to:
    it goes from the oldest row to what there was at its start."""
    if run.state == Run.State.DONE:
        return 1.0
    if run.is_exact:
        return min(ALMOST, run.done_count / run.total) if run.total else 0.0
    return _by_time(run) if run.tenant_id is not None else None


def seconds_left(run: Run) -> float | None:
    """At its rate, if nothing holds it; None where nobody can tell."""
    if run.left is None:
        return None
    found = Preview.from_json(run.preview)
    each = found.deliveries / found.count if found.deliveries else 1.0
    return run.left * each / run.rate


def _by_time(run: Run) -> float | None:
    oldest_ms, end_ms = Preview.from_json(run.preview).oldest_ms, milliseconds(run.created_at)
    at = msgspec.json.decode(run.place, type=Place).at if run.place else None
    if at is None or oldest_ms is None:
        return 0.0
    at_ms = at if isinstance(at, int) else milliseconds(at)
    return max(0.0, min(ALMOST, (at_ms - oldest_ms) / max(1, end_ms - oldest_ms)))
