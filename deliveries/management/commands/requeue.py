"""Dead letters once more, or never again: /v1/dlq/runs from a shell."""

from argparse import ArgumentParser
from typing import Any

from deliveries.models import Run
from deliveries.runs.shell import Starts, selection_of
from hookline.ids import parse_uuid


class Command(Starts):
    help = (
        "Send dead letters again, each with a fresh budget of attempts, or let them go with --discard. "
        "Workers do it in the background; this waits for the end."
    )
    example = "requeue --tenant acme --reason http_404 --from 2h --dry-run"

    def arguments(self, parser: ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("--reason", default="", help="only given up for this, such as http_404")
        parser.add_argument("--job", action="append", default=[], help="a job's id; may be repeated")
        parser.add_argument(
            "--discard", action="store_true", help="let them go instead; their jobs stay dead"
        )

    def work(self, reason: str, job: list[str], discard: bool, **options: Any) -> None:
        selection = selection_of(options, reason=reason, ids=tuple(map(parse_uuid, job)))
        self.begin(Run.Verb.DISCARD if discard else Run.Verb.REQUEUE, selection, **options)
