"""Breaks an installation of its own in many ways, and counts what was lost."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from hookline import throwaway
from hookline.chaos.play import play
from hookline.chaos.scenarios import SCENARIOS
from hookline.chaos.verdict import Verdict, table
from hookline.environment import refuse


class Command(BaseCommand):
    help = (
        "Kill, stop and starve an installation of its own under load, and count what was lost. "
        "Ends with status 1 if a promise did not hold. Example: manage.py chaos kills --kills 50"
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scenarios", nargs="*", help=f"of {', '.join(SCENARIOS)}; all if none is named")
        parser.add_argument(
            "--kills", type=int, default=200, help="in a scenario of kills; default %(default)s"
        )
        parser.add_argument("--events", type=int, default=10_000, help="in the same, at least; %(default)s")
        parser.add_argument("--rate", type=float, default=60.0, help="events a second; default %(default)s")
        parser.add_argument(
            "--json", type=Path, default=Path("chaos.json"), help="where to write all figures"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["scenarios"] or list(SCENARIOS)
        if unknown := set(wanted) - set(SCENARIOS):
            refuse(f"There is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}.")
        if options["kills"] < 1 or options["events"] < 1 or not 0 < options["rate"] <= 1000:
            refuse("--kills and --events are at least 1, --rate is above 0 and at most 1000.")
        verdicts: list[Verdict] = []
        for name in wanted:
            self.stderr.write(f"{time.strftime('%H:%M:%S')} {name}")
            verdicts.append(self._play(name, options))
            _write(options["json"], verdicts)
        self.stdout.write(table(verdicts))
        self.stdout.write(f"All figures: {options['json']}")
        if any(verdict.faults_found() for verdict in verdicts):
            raise SystemExit(1)

    def _play(self, name: str, options: dict[str, Any]) -> Verdict:
        try:
            return play(name, SCENARIOS[name], options["kills"], options["events"], options["rate"])
        except throwaway.Missing as fault:
            refuse(f"{fault} Chaos starts servers of its own: apt-get install postgresql redis-server")


def _write(file: Path, verdicts: list[Verdict]) -> None:
    told = [vars(verdict) | {"broken": verdict.faults_found()} for verdict in verdicts]
    file.write_text(json.dumps(told, indent=2) + "\n")
