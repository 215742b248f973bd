"""What the pages about runs show alike: a selection in words, and how much falls to whom."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from deliveries.console.run_forms import MODES
from deliveries.models import Endpoint, Run
from deliveries.runs.preview import Preview
from deliveries.runs.selection import Mode, Selection, moment_of

TITLES = {
    Run.Verb.REQUEUE: "Send dead letters again",
    Run.Verb.DISCARD: "Let dead letters go",
    Run.Verb.REPLAY: "Replay events",
}
# What a run is about, in the plural.
THINGS = {Run.Verb.REQUEUE: "dead letters", Run.Verb.DISCARD: "dead letters", Run.Verb.REPLAY: "events"}
PERMISSION = "deliveries.change_run"


def shares(found: Preview) -> dict[str, Any]:
    """A preview as `run_shares.html` shows it."""
    endpoints = Endpoint.objects.in_bulk([UUID(share.id) for share in found.by_endpoint])
    return {
        "oldest": moment_of(found.oldest_ms) if found.oldest_ms is not None else None,
        "newest": moment_of(found.newest_ms) if found.newest_ms is not None else None,
        "by_endpoint": [(share, endpoints.get(UUID(share.id))) for share in found.by_endpoint],
        "by_tenant": found.by_tenant,
    }


def words_of(tenant_id: str | None, selection: Selection) -> Iterator[tuple[str, str]]:
    """A selection as labels and values."""
    yield "Tenant", tenant_id or "all"
    if selection.endpoint_id:
        endpoint = Endpoint.objects.filter(id=selection.endpoint_id).first()
        yield "Endpoint", str(endpoint or selection.endpoint_id)
    for label, text in (("Reason", selection.reason), ("Topic", selection.topic)):
        if text:
            yield label, text
    for label, at in (("From", selection.from_ms), ("To", selection.to_ms)):
        if at is not None:
            yield label, f"{moment_of(at):%Y-%m-%d %H:%M:%S} UTC"
    if selection.ids:
        yield "Ids", ", ".join(map(str, selection.ids[:10])) + (" …" if len(selection.ids) > 10 else "")
    if selection.mode != Mode.ALL:
        yield "To whom", MODES[selection.mode]
