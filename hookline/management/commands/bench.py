"""Measures this installation's code on servers of its own."""

import inspect
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from hookline import throwaway
from hookline.bench import receiver, seed, stage
from hookline.bench.stage import Stage
from hookline.environment import refuse

PLAYS = 3


class Command(BaseCommand):
    help = (
        "Measure throughput, latency and fairness on a PostgreSQL and a Redis of its own. "
        "Example: manage.py bench deliver latency --scale 0.2"
    )
    requires_system_checks: Any = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scenarios", nargs="*", help="which to play; the usual ones if none is named")
        parser.add_argument("--scale", type=float, default=0.2, help="1 is full size; default %(default)s")
        parser.add_argument(
            "--plays", type=int, default=PLAYS, help="of each; medians of %(default)s by default"
        )
        parser.add_argument(
            "--json", type=Path, default=Path("bench.json"), help="where to write all figures"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["scale"] <= 10 or not 0 < options["plays"] <= 100:
            refuse("--scale is a number above 0 and at most 10, --plays one from 1 to 100.")
        if "BENCH_POSTGRES_PID" in os.environ:
            self._play(options)
        else:
            raise SystemExit(_on_own_servers(sys.argv[2:]))

    def _play(self, options: dict[str, Any]) -> None:
        from hookline.bench import report  # noqa: PLC0415 - it takes what only the inner process has
        from hookline.bench.scenarios import SCENARIOS, USUAL  # noqa: PLC0415

        wanted = options["scenarios"] or list(USUAL)
        if unknown := set(wanted) - set(SCENARIOS):
            refuse(f"There is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}.")
        call_command("migrate", verbosity=0)
        given = Stage(settings.HL_PORT, int(os.environ["BENCH_RECEIVER_PORT"]), options["scale"])
        results: dict[str, list[dict[str, float]]] = {}
        for name in wanted:
            results[name] = []
            for number in range(options["plays"]):
                self.stderr.write(f"{name}, play {number + 1} of {options['plays']}")
                seed.clear()
                seed.pause(False)
                results[name].append(SCENARIOS[name](given))
            summary = inspect.getdoc(SCENARIOS[name]) or ""
            self.stdout.write(report.table(name, " ".join(summary.split()), report.medians(results[name])))
        report.write(options["json"], options["scale"], results)
        self.stdout.write(f"All figures: {options['json']}")


def _on_own_servers(arguments: list[str]) -> int:
    """Runs this command again, with the servers that it measures on."""
    try:
        with (
            throwaway.start_postgres(**stage.POSTGRES) as postgres,
            throwaway.start_redis() as redis,
            tempfile.TemporaryDirectory() as directory,
        ):
            sink = receiver.start(port := throwaway.free_port())
            environ = stage.environment(Path(directory), throwaway.free_port(), postgres.url, redis.url)
            environ |= {"BENCH_POSTGRES_PID": str(postgres.pid), "BENCH_RECEIVER_PORT": str(port)}
            try:
                command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "bench", *arguments]
                return subprocess.run(command, env=environ, check=False).returncode
            finally:
                sink.terminate()
                sink.wait()
    except throwaway.Missing as fault:
        refuse(f"{fault} The benchmark starts servers of its own: apt-get install postgresql redis-server")
