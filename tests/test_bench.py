"""The benchmark, at a very small size: that it runs to its end and says what it measured."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live import ROOT

pytestmark = pytest.mark.postgres


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)


def figures_of(directory: Path, *scenarios: str) -> tuple[dict[str, Any], str]:
    """What is in the file, and what was printed."""
    file = directory / "figures.json"
    ended = bench(*scenarios, "--scale", "0.005", "--plays", "1", "--json", str(file))
    assert ended.returncode == 0, ended.stderr
    return json.loads(file.read_text())["scenarios"], ended.stdout


def test_it_measures_ours_beside_what_is_usual(tmp_path: Path, redis_server: object) -> None:
    figures, told = figures_of(tmp_path, "deliver", "backlog")
    assert "deliver: From pending rows to recorded attempts" in told
    assert "≥ 20,000" in told
    deliver = figures["deliver"]["medians"]
    assert ("deliveries_per_second" in figures["deliver"]["missed"]) == (
        deliver["deliveries_per_second"] < 20_000
    )
    assert deliver["times_naive"] > 0
    assert figures["backlog"]["medians"]["us_per_job_loaded"] > 0


def test_it_measures_what_operators_do(tmp_path: Path, redis_server: object) -> None:
    figures, _ = figures_of(tmp_path, "pruning", "scrape", "requeueing")
    assert figures["pruning"]["medians"]["left"] == 0
    assert figures["requeueing"]["medians"]["left"] == 0
    assert figures["scrape"]["medians"]["whole_ms"] > 0


def test_limits_hold_while_workers_share_them(tmp_path: Path, redis_server: object) -> None:
    figures, _ = figures_of(tmp_path, "limits")
    assert figures["limits"]["medians"]["most_in_flight"] <= 10


@pytest.mark.parametrize("arguments", [["--scale", "0"], ["--plays", "0"], ["--scale", "much"]])
def test_a_wrong_size_is_refused(arguments: list[str]) -> None:
    ended = bench("deliver", *arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
