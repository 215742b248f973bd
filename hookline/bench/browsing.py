"""How long the pages of the console take where much is stored."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from hookline.bench.stage import Stage, embedded

EVENTS = 1_000_000
SLOW_MS = 300


def console(stage: Stage) -> dict[str, float]:
    """Every list, view, filter and page of the console beside 1 M events with their jobs and 2 M attempts:
    each asked for five times in a row, its median; and of all these the median and the worst."""
    return _browse(stage, dict(os.environ))


def embedded_console(stage: Stage) -> dict[str, float]:
    """As console, with the embedded store."""
    with tempfile.TemporaryDirectory() as directory:
        return _browse(stage, embedded(Path(directory)))


def _browse(stage: Stage, environ: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "hookline.bench.pages", str(stage.some(EVENTS))]
    told = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True).stdout
    times: dict[str, float] = json.loads(told)
    return {
        "pages": len(times),
        "median": median(times.values()),
        "slowest": max(times.values()),
        "slow": sum(time > SLOW_MS for time in times.values()),
    }
