"""The short form of `make chaos`: real processes, really killed, and every event counted.

What the full form found stands in docs/reliability.md.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.live import ROOT

SECONDS = 170


def chaos(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    file = tmp_path / "chaos.json"
    command = [sys.executable, str(ROOT / "manage.py"), "chaos", *arguments, "--json", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    [verdict] = json.loads(file.read_text())
    assert verdict["lost"] == []
    assert verdict["duplicates"] <= verdict["bound"]
    return dict(verdict)


def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path, redis_server: object) -> None:
    if settings.EMBEDDED:
        verdict = chaos(tmp_path, "embedded_kills", "--kills", "20", "--events", "1000", "--rate", "40")
    else:
        verdict = chaos(tmp_path, "kills", "--kills", "8", "--events", "300", "--rate", "40")

    assert sum(verdict["kills"].values()) >= 4
    assert verdict["events"] >= 200


def test_nothing_is_lost_when_the_store_fails(tmp_path: Path, redis_server: object) -> None:
    if settings.EMBEDDED:
        verdict = chaos(tmp_path, "disk_full", "--rate", "40")
        assert set(verdict["refused"]) == {"503"}
        assert verdict["notes"]["accepted_afterwards"] > 0
    else:
        verdict = chaos(tmp_path, "sessions_terminated", "--rate", "40")
        assert verdict["faults"] == 12
    assert verdict["events"] >= 100


@pytest.mark.parametrize(
    "arguments", [["--kills", "0"], ["--rate", "0"], ["earthquake"], ["--events", "many"]]
)
def test_what_cannot_be_played_is_refused(arguments: list[str]) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "chaos", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
