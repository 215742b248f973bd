"""Failpoints: they do what they are told, and only where nothing can be lost."""

import os
import signal
import subprocess
import sys

import pytest

from hookline.failpoints import POINTS, Failpoint, parse
from tests.live import ROOT

REACH = """
import django, time; django.setup()
from hookline import failpoints
began = time.monotonic(); failpoints.reach("before_send"); failpoints.reach("sweep")
print("alive", time.monotonic() - began >= 0.2)
"""


def reach(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"DJANGO_SETTINGS_MODULE": "hookline.settings"} | variables
    command = [sys.executable, "-c", REACH]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_point_that_is_not_named_does_nothing() -> None:
    assert reach().stdout == "alive False\n"
    assert reach(HL_THROWAWAY="true", HL_FAILPOINTS="after_send=kill:0").stdout == "alive False\n"


def test_a_point_can_end_the_process_as_kill_does() -> None:
    ended = reach(HL_THROWAWAY="true", HL_FAILPOINTS="sweep=kill:0")
    assert ended.returncode == -signal.SIGKILL
    assert "failpoint sweep kills process" in ended.stderr


def test_a_point_can_wait() -> None:
    assert reach(HL_THROWAWAY="true", HL_FAILPOINTS="before_send=sleep:0.2").stdout == "alive True\n"


def test_only_a_throw_away_installation_may_have_them() -> None:
    ended = reach(HL_FAILPOINTS="sweep=kill:0")
    assert ended.returncode == 2
    assert "HL_FAILPOINTS: it kills processes" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_they_are_read_by_point() -> None:
    assert parse("sweep=sleep:0.5 after_send=kill:3") == {
        "sweep": Failpoint("sleep", 0.5),
        "after_send": Failpoint("kill", 3),
    }
    assert set(parse(" ".join(f"{point}=kill:1" for point in POINTS))) == set(POINTS)


@pytest.mark.parametrize("text", ["sweep", "sweep=kill", "sweep=stop:1", "nowhere=kill:1", "sweep=kill:-1"])
def test_whatever_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="before_send=kill:5"):
        parse(text)
