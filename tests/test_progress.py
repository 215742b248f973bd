"""Long work says how far it is: by a line that moves on a terminal, and by one line a part elsewhere."""

import os
import pty
import subprocess
import sys

import pytest

from hookline.progress import watched

SHOWS = """
from hookline.progress import show
show("events", 2500, 0.25)
show("events", 10000, 1)
"""

pytestmark = pytest.mark.embedded


def test_on_a_terminal_one_line_moves() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SHOWS], stderr=theirs, check=True)
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)
    moving, rest = told.split("\r", 1)
    assert moving.split() == ["events", "#####...............", "25%", "2,500"]
    assert rest.split() == ["events", "####################", "100%", "10,000"]


def test_elsewhere_only_the_end_of_a_part_is_told() -> None:
    ended = subprocess.run([sys.executable, "-c", SHOWS], capture_output=True, check=True, text=True)
    assert ended.stdout == ""
    assert ended.stderr.split() == ["events", "####################", "100%", "10,000"]


@pytest.mark.parametrize(
    ("total", "told"), [(0, [0]), (999, [999]), (1000, [1000]), (2500, [1000, 2000, 2500])]
)
def test_what_is_watched_comes_through_and_is_told_now_and_then(total: int, told: list[int]) -> None:
    steps: list[tuple[int, float]] = []
    seen = list(watched(range(total), "rows", total, lambda part, done, share: steps.append((done, share))))
    assert seen == list(range(total))
    assert [done for done, _ in steps] == told
    assert [share for _, share in steps if share == 1] == [1]
