"""The processes of an installation, each kept alive, and each to be killed, stopped or replaced."""

import ctypes
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from hookline import throwaway
from hookline.bench import stage
from hookline.chaos.producer import TOPICS

START_SECONDS = 60.0
TICK_SECONDS = 0.05
# A kill of what has just been started proves little.
SETTLED_SECONDS = 2.0
PR_SET_PDEATHSIG = 1
LIMITS = {"timeout_ms": 4000, "max_in_flight": 50}
CELERY = [sys.executable, "-m", "celery", "--quiet", "--app", "hookline"]
WORKER = [*CELERY, "worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "--concurrency=1"]
MANAGE = [sys.executable, str(settings.BASE_DIR / "manage.py")]

_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A process that is started again whenever it ends. It leads a group of its own."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.name, self.command, self.environ, self.log = name, command, environ, log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command, env=self.environ, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - it calls nothing but the kernel
            )  # fmt: skip
        self.started_at = time.monotonic()

    def signal(self, number: int) -> None:
        """To the whole group: a worker's main process and its pool are gone at the same moment."""
        try:
            os.killpg(self.running.pid, number)
        except ProcessLookupError:
            return

    def is_settled(self) -> bool:
        return self.running.poll() is None and time.monotonic() - self.started_at > SETTLED_SECONDS


class Fleet:
    """`layout` gives the number of processes of each kind; `serve` stands for all of them in one.
    `worker_clock` are variables that give the workers a time of their own."""

    def __init__(
        self, directory: Path, environ: dict[str, str], layout: dict[str, int], worker_clock: dict[str, str]
    ) -> None:
        self.directory, self.environ, self.layout = directory, environ, layout
        self.clocks = {"worker": worker_clock}
        self.log = directory / "log"
        self.port = int(environ["HL_PORT"])
        self.kills: Counter[str] = Counter()
        self.processes: list[Process] = []
        self.stopping = threading.Event()
        self.keeper = threading.Thread(target=self._keep_alive, daemon=True)

    def start(self) -> None:
        subprocess.run([*MANAGE, "migrate", "--verbosity=0"], env=self._calm(), check=True)
        self._launch(self.environ)
        self.keeper.start()
        self.wait_until_it_answers()

    def make_targets(self, receiver: int) -> None:
        for number in range(TOPICS):
            url = f"http://127.0.0.1:{receiver}/{number}"
            made = self._post("endpoints", {"url": url, "secret": stage.KEY, **LIMITS})
            self._post("subscriptions", {"endpoint_id": made["id"], "topic_pattern": f"chaos.{number}"})

    def kill(self, *names: str) -> None:
        """Ends one process of these kinds at once, if one of them has been up for a while."""
        found = [process for process in self.processes if process.name in names and process.is_settled()]
        if found:
            victim = random.choice(found)
            victim.signal(signal.SIGKILL)
            self.kills[f"kill -9 {victim.name}"] += 1

    def all_kills(self) -> Counter[str]:
        """Ours, and those of processes that ended themselves at a failpoint."""
        lines = self.log.read_text(errors="replace").splitlines()
        return self.kills + Counter(line.split()[1] for line in lines if line.startswith("failpoint "))

    def disarm(self) -> None:
        """Replaces all processes by such as end only when they are told."""
        with self._unkept():
            for process in self.processes:
                process.signal(signal.SIGKILL)
                process.running.wait()
            self._launch(self._calm())
        self.wait_until_it_answers()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if url := self.environ["HL_POSTGRES_URL"]:
            with psycopg.connect(url) as connection:
                return connection.execute(sql.encode()).fetchall()
        with sqlite3.connect(self.directory / "hookline.sqlite3", timeout=20) as connection:
            return connection.execute(sql).fetchall()

    def close(self) -> None:
        with self._unkept():
            for process in self.processes:
                process.signal(signal.SIGTERM)
            deadline = time.monotonic() + 12
            for process in self.processes:
                try:
                    process.running.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.signal(signal.SIGKILL)

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(self.log.read_text()[-2000:])
            time.sleep(TICK_SECONDS)

    def said(self, words: str) -> int:
        return self.log.read_text(errors="replace").count(words)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/{path}",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {stage.KEY}"},
        )
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310 - our own server
            made: dict[str, Any] = json.load(answer)
        return made

    def _launch(self, environ: dict[str, str]) -> None:
        commands = {
            "serve": [*MANAGE, "serve"],
            "web": [*MANAGE, "web"],
            "worker": WORKER,
            "beat": [*CELERY, "beat"],
        }
        self.processes = [
            Process(kind, commands[kind], environ | self.clocks.get(kind, {}), self.log)
            for kind, number in self.layout.items()
            for _ in range(number)
        ]

    def _calm(self) -> dict[str, str]:
        return self.environ | {"HL_FAILPOINTS": ""}

    @contextmanager
    def _unkept(self) -> Iterator[None]:
        self.stopping.set()
        if self.keeper.ident:
            self.keeper.join()
        yield
        self.stopping.clear()
        self.keeper = threading.Thread(target=self._keep_alive, daemon=True)

    def _keep_alive(self) -> None:
        while not self.stopping.wait(TICK_SECONDS):
            for process in self.processes:
                if process.running.poll() is not None:
                    process.start()


@dataclass
class Servers:
    """What an installation runs on: nothing with the embedded store, and not all of it with PostgreSQL."""

    until: ExitStack
    postgres: throwaway.Postgres | None = None
    redis: throwaway.Redis | None = None
    standby: throwaway.Postgres | None = None
    pooler: throwaway.PgBouncer | None = None

    def start(self, store: str) -> None:
        """`replicated` is PostgreSQL with a standby, and with a pooler that can turn to it."""
        if store != "embedded":
            self.postgres = self.until.enter_context(throwaway.start_postgres())
            self.redis = self.until.enter_context(throwaway.start_redis())
        if store == "replicated":
            assert self.postgres
            pooler = throwaway.start_pgbouncer(self.postgres, server_login_retry=1)
            self.pooler = self.until.enter_context(pooler)
            self.add_standby()

    def add_standby(self) -> None:
        assert self.postgres
        self.standby = self.until.enter_context(throwaway.start_standby(self.postgres))

    def fail_over(self) -> None:
        """The primary is gone at once, and the standby takes its place."""
        assert self.postgres
        assert self.standby
        assert self.pooler
        self.postgres.kill()
        self.standby.promote()
        self.pooler.turn_to(self.standby)
        self.postgres, self.standby = self.standby, None


@contextmanager
def fleet(
    store: str, receiver: int, layout: dict[str, int], clock: dict[str, str], **environment: str
) -> Iterator[tuple[Fleet, Servers]]:
    """An installation on servers of its own, with its targets made."""
    with throwaway.Directory() as directory, ExitStack() as until:
        servers = Servers(until)
        servers.start(store)
        place = servers.pooler or servers.postgres
        urls = (place.url if place else "", servers.redis.url if servers.redis else "")
        environ = stage.environment(directory.path, throwaway.free_port(), *urls)
        backend = "postgres" if servers.postgres else "embedded"
        environ |= {"HL_STORE_BACKEND": backend, "HL_THROWAWAY": "true", "HL_DRAIN_SECS": "6", **environment}
        started = Fleet(directory.path, environ, layout, clock)
        try:
            started.start()
            started.make_targets(receiver)
            yield started, servers
        finally:
            started.close()
