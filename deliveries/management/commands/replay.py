"""Past events once more: /v1/replay/runs from a shell."""

from argparse import ArgumentParser
from typing import Any

from deliveries.models import Run
from deliveries.runs.selection import Mode
from deliveries.runs.shell import Starts, selection_of
from hookline.ids import parse_uuid


class Command(Starts):
    help = (
        "Deliver past events again, to those who subscribe to them today. Workers do it in the background; "
        "this waits for the end."
    )
    example = "replay --tenant acme --endpoint 01929e3c-7c6e-7a52-8f0c-4f1e0c5b7a11 --missed-only --dry-run"

    def arguments(self, parser: ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("--event", action="append", default=[], help="an event's id; may be repeated")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--failed-only", action="store_true", help="only to endpoints where they are dead letters now"
        )
        mode.add_argument(
            "--missed-only",
            action="store_true",
            help="only to endpoints where they neither arrived nor are on their way",
        )

    def work(self, event: list[str], failed_only: bool, missed_only: bool, **options: Any) -> None:
        mode = Mode.FAILED if failed_only else Mode.MISSED if missed_only else Mode.ALL
        selection = selection_of(options, mode=mode, ids=tuple(map(parse_uuid, event)))
        self.begin(Run.Verb.REPLAY, selection, **options)
