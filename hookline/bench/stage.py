"""Where a scenario plays: throw-away servers, the processes under test, and what they use."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from hookline.banner import is_answering

TICKS = os.sysconf("SC_CLK_TCK")
KEY = "the-key-of-the-benchmark"
START_SECONDS = 30.0
LOOK_SECONDS = 0.1

# What differs from a server as it is installed. Durability does not: fsync and synchronous_commit
# are on. A checkpoint in the midst of a run would be the luck of that run.
POSTGRES: dict[str, Any] = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
LIMITS = {"HL_MAX_QUEUE_DEPTH": "100000000", "HL_LOG_LEVEL": "WARNING", "HL_RETENTION_SECS": "864000"}


def environment(directory: Path, port: int, postgres: str, redis: str) -> dict[str, str]:
    """Of the processes under test."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("HL_", "PG"))}
    return ours | LIMITS | {
        "HL_STORE_BACKEND": "postgres",
        "HL_POSTGRES_URL": postgres,
        "HL_REDIS_URL": redis,
        "HL_DATA_DIR": str(directory),
        "HL_LISTEN_ADDR": "127.0.0.1",
        "HL_PORT": str(port),
        "HL_API_KEY": KEY,
        "HL_MASTER_KEY": "0" * 64,
        "HL_SECRET_KEY": KEY,
        "HL_CONSOLE_PASS": KEY,
        "HL_EGRESS_ALLOW": "127.0.0.0/8",
    }  # fmt: skip


def embedded(directory: Path) -> dict[str, str]:
    """The same with the embedded store."""
    without = {"HL_STORE_BACKEND": "embedded", "HL_POSTGRES_URL": "", "HL_REDIS_URL": ""}
    return dict(os.environ) | without | {"HL_DATA_DIR": str(directory)}


@dataclass(frozen=True)
class Stage:
    """What every scenario is given. `scale` is how much of its full size is played."""

    port: int
    receiver: int
    scale: float

    def some(self, number: int) -> int:
        return max(1, round(number * self.scale))

    def seconds(self, number: float) -> float:
        """How long to load: shorter at a small scale, but not so short that it says nothing."""
        return max(2.0, min(number, number * self.scale * 5))

    def receiver_url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.receiver}/{path}"


def noted(stage: Stage, path: str) -> list[float]:
    """What the receiver noted of this path since it was last asked."""
    with urllib.request.urlopen(stage.receiver_url(path), timeout=10) as answer:  # noqa: S310 - our own
        found: list[float] = json.load(answer)
        return found


@contextmanager
def serving(environ: dict[str, str] | None = None, **limits: int) -> Iterator[int]:
    """Runs `manage.py serve`; gives its process id."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve"]
    given = (environ or dict(os.environ)) | {name: str(value) for name, value in limits.items()}
    with process(command, given) as started:
        deadline = time.monotonic() + START_SECONDS
        while not is_answering():
            require_alive(started)
            if time.monotonic() > deadline:
                raise TimeoutError("The server under test did not answer.")
            time.sleep(LOOK_SECONDS)
        yield started.pid


@contextmanager
def process(command: list[str], environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, cwd=settings.BASE_DIR)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait()


def require_alive(started: subprocess.Popen[bytes]) -> None:
    """Else a scenario would wait for ever."""
    if started.poll() is not None:
        raise ChildProcessError(f"{started.args!r} ended with status {started.returncode}.")


@dataclass
class Use:
    """What was used of the machine, in seconds, bytes and MB."""

    cpu: float
    database_cpu: float
    wal: int
    memory: float


class Meter:
    """Reads what a process and the database, each with all its children, have used so far."""

    def __init__(self, pid: int) -> None:
        self.pid, self.database = pid, int(os.environ.get("BENCH_POSTGRES_PID", "0"))
        self.before = self._read()

    def use(self) -> Use:
        after = self._read()
        cpu, database, wal = (now - then for now, then in zip(after, self.before, strict=True))
        return Use(cpu, database, int(wal), max(map(_memory, _tree(self.pid)), default=0.0))

    def _read(self) -> tuple[float, float, float]:
        return sum(map(_cpu, _tree(self.pid))), sum(map(_cpu, _tree(self.database))), _wal()


def largest(pid: int, role: str) -> float:
    """MB of the largest process below this one whose command line has the word."""
    return max((_memory(child) for child in _tree(pid) if role in _command(child)), default=0.0)


def _command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    if not pid:
        return []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _cpu(pid: int) -> float:
    """Seconds of a process, and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def _memory(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _wal() -> float:
    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        return float(cursor.fetchone()[0])
