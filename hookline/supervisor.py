"""The layout with a broker: web, worker and beat processes, started and kept alive by `serve`.

What dies is started again, after a pause that grows while it keeps dying. If this process itself
dies, the kernel tells its children to stop.
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from hookline import banner
from hookline.lifecycle import stopping

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# One that lived so long did not die of its start.
HEALTHY_SECONDS = 60.0
# What a stop may take beyond HL_DRAIN_SECS.
KILL_SECONDS = 1.5

CELERY = [sys.executable, "-m", "celery", "--quiet", "--app", "hookline"]
WORKER_OPTIONS = ["--without-gossip", "--without-mingle", "--without-heartbeat"]

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def run() -> None:
    """Keeps the installation's processes alive until SIGTERM or SIGINT, then ends them in order."""
    _close_store()
    children = _children()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks
            signal.signal(number, lambda *args: stopping.set())
    is_announced = False
    while not stopping.is_set():
        for child in children:
            child.keep_alive(time.monotonic())
        if not is_announced and (is_announced := banner.is_answering()):
            banner.show(_layout())
        stopping.wait(TICK_SECONDS)
    _stop(children)


class Child:
    """A process that is kept alive. It leads a group of its own, so that Ctrl-C reaches us alone."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name, self.command = name, command
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = self.due_at = 0.0
        self.pause = FIRST_PAUSE_SECONDS
        self.groups: set[int] = set()

    def keep_alive(self, now: float) -> None:
        self.groups = {group for group in self.groups if _signal_group(group, 0)}
        if self.process is None and now >= self.due_at:
            self._start(now)
        elif self.process and self.process.poll() is not None:
            self._note_death(self.process, now)

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self) -> None:
        if self.process:
            self.process.terminate()

    def kill(self) -> None:
        """Ends it, and what an earlier one of its lives may have left behind."""
        if self.is_alive():
            logger.warning("%s did not end in time; it is killed", self.name)
        for group in self.groups:
            _signal_group(group, signal.SIGKILL)

    def _start(self, now: float) -> None:
        ours = os.getpid()
        self.process = subprocess.Popen(
            self.command,
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _stop_with(ours),  # noqa: PLW1509 - this process has one thread
        )
        self.groups.add(self.process.pid)
        self.started_at = now

    def _note_death(self, process: subprocess.Popen[bytes], now: float) -> None:
        if now - self.started_at >= HEALTHY_SECONDS:
            self.pause = FIRST_PAUSE_SECONDS
        what = f"{self.name} (process {process.pid}) ended with status {process.returncode}"
        logger.warning("%s; starting it again in %.1f s", what, self.pause)
        self.process, self.due_at = None, now + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)


def _children() -> list[Child]:
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    processes = f"--concurrency={settings.HL_WORKER_PROCESSES}"
    return [
        *(Child(f"web {n}", [*manage, "web"]) for n in range(1, settings.HL_WEB_WORKERS + 1)),
        Child("worker", [*CELERY, "worker", *WORKER_OPTIONS, processes]),
        Child("beat", [*CELERY, "beat"]),
    ]


def _stop(children: Sequence[Child]) -> None:
    """Web first, then deliveries, then beat; at the deadline, whatever is left. None of them waits
    for another: each needs all the time there is for what it has under way."""
    deadline = time.monotonic() + settings.HL_DRAIN_SECS + KILL_SECONDS
    for child in children:
        child.end()
    _wait_for(children, deadline)
    for child in children:
        child.kill()


def _wait_for(children: Sequence[Child], deadline: float) -> None:
    while any(child.is_alive() for child in children) and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS / 5)


def _stop_with(parent: int) -> None:
    """Runs in the new process: it is to get SIGTERM when its parent dies, or now if that is dead."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _signal_group(group: int, number: int) -> bool:
    """Signals every process of a group; false if there is none."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _close_store() -> None:
    """Leaves no connection of ours open: this process only watches."""
    connection.close()
    if close_pool := getattr(connection, "close_pool", None):
        close_pool()


def _layout() -> str:
    broker = urlsplit(settings.HL_REDIS_URL)
    web, workers = settings.HL_WEB_WORKERS, settings.HL_WORKER_PROCESSES
    return f"in {web} web and {workers} worker processes, woken through {broker.scheme}://{broker.hostname}"
