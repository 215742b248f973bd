"""Runs and previews as documents: what the API answers, and what commands tell with `--json`."""

from typing import Any

from deliveries.models import Run
from deliveries.runs.preview import Preview
from deliveries.runs.selection import Selection
from hookline.times import milliseconds


def document_of(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "tenant_id": run.tenant_id,
        "verb": run.verb,
        "state": run.state,
        "selection": _as_sent(run),
        "rate": run.rate,
        "total": run.total,
        "is_exact": run.is_exact,
        "done": run.done_count,
        "skipped": run.skipped_count,
        "deliveries": run.job_count,
        "held_because": run.held_because or None,
        "last_error": run.last_error or None,
        "asked_by": run.asked_by,
        "created_at": milliseconds(run.created_at),
        "started_at": milliseconds(run.started_at) if run.started_at else None,
        "finished_at": milliseconds(run.finished_at) if run.finished_at else None,
    }


def document_of_preview(found: Preview) -> dict[str, Any]:
    return {
        "dry_run": True,
        "count": found.count,
        "is_exact": found.is_exact,
        "deliveries": found.deliveries,
        "oldest": found.oldest_ms,
        "newest": found.newest_ms,
        "by_endpoint": [{"endpoint_id": share.id, "count": share.count} for share in found.by_endpoint],
    }


def _as_sent(run: Run) -> dict[str, Any]:
    """The selection in the words of the request."""
    given = Selection.from_json(run.selection).given()
    ids = "event_ids" if run.verb == Run.Verb.REPLAY else "job_ids"
    return {ids if name == "ids" else name: value for name, value in given.items()}
