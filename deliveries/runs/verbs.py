"""Which walk a verb takes."""

from datetime import datetime
from typing import Any

from deliveries.models import Run
from deliveries.runs.events import Replay
from deliveries.runs.letters import Discard, Requeue
from deliveries.runs.selection import Selection
from deliveries.runs.walk import Walk

WALKS: dict[str, type[Walk[Any]]] = {
    Run.Verb.REQUEUE: Requeue,
    Run.Verb.DISCARD: Discard,
    Run.Verb.REPLAY: Replay,
}


def walk_of(verb: str, tenant_id: str | None, selection: Selection, until: datetime) -> Walk[Any]:
    return WALKS[verb](tenant_id, selection, until)
