"""The benchmark, at a very small size: that it runs to its end and says what it measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import ROOT

pytestmark = pytest.mark.postgres


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)


def test_it_measures_ours_beside_what_is_usual(tmp_path: Path, redis_server: object) -> None:
    file = tmp_path / "figures.json"
    scenarios = ["deliver", "backlog", "pruning", "scrape", "requeueing", "limits"]
    ended = bench(*scenarios, "--scale", "0.005", "--plays", "1", "--json", str(file))

    assert ended.returncode == 0, ended.stderr
    assert "deliver: From pending rows to recorded attempts" in ended.stdout
    assert "≥ 20,000" in ended.stdout
    figures = json.loads(file.read_text())["scenarios"]
    assert ("deliveries_per_second" in figures["deliver"]["missed"]) == (
        figures["deliver"]["medians"]["deliveries_per_second"] < 20_000
    )
    assert figures["deliver"]["medians"]["times_naive"] > 0
    assert figures["backlog"]["medians"]["us_per_job_loaded"] > 0
    assert figures["pruning"]["medians"]["left"] == 0
    assert figures["requeueing"]["medians"]["left"] == 0
    assert figures["scrape"]["medians"]["whole_ms"] > 0
    assert figures["limits"]["medians"]["most_in_flight"] <= 10


@pytest.mark.parametrize("arguments", [["--scale", "0"], ["--plays", "0"], ["--scale", "much"]])
def test_a_wrong_size_is_refused(arguments: list[str]) -> None:
    ended = bench("deliver", *arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
