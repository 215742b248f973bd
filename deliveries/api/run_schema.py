"""How the views of runs are told in the API document: the same for dead letters and for events."""

from typing import Any

from drf_spectacular.utils import extend_schema_view

from deliveries import fields
from deliveries.api import shapes
from hookline.openapi import operation


def _list_and_start(of: str, what: str, body: type[fields.Strict], start: str) -> Any:
    return extend_schema_view(
        get=operation(f"list_{of}_runs", f"List the latest runs over {what}", {200: shapes.RunList}),
        post=operation(
            f"start_{of}_run",
            start,
            {201: shapes.Run, 200: shapes.Preview},
            body=body,
            faults=[409],
            description="A run goes on in the background, no faster than `rate`, and is about what there is "
            "at its start. 200 answers `dry_run`: nothing was started. 409: ten are not over yet.",
        ),
    )


def _read(of: str, what: str) -> Any:
    summary = f"Read how far a run over {what} has come"
    return extend_schema_view(get=operation(f"get_{of}_run", summary, {200: shapes.Run}))


def _press(of: str, what: str) -> Any:
    return extend_schema_view(
        post=operation(
            f"control_{of}_run",
            f"Pause, resume or cancel a run over {what}",
            {200: shapes.Run},
            faults=[409],
            description="No step begins after the answer. What was done stays done. 409: it is over already.",
        )
    )


letter_runs = _list_and_start(
    "dead_letter", "dead letters", fields.LetterRunFields, "Requeue or discard many dead letters"
)
letter_run = _read("dead_letter", "dead letters")
letter_run_button = _press("dead_letter", "dead letters")
replay_runs = _list_and_start("replay", "events", fields.ReplayRunFields, "Deliver many past events again")
replay_run = _read("replay", "events")
replay_run_button = _press("replay", "events")
