"""A start of HookLine in the foreground, as from a terminal: it prints, and hears signals itself."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.live import ROOT, START_SECONDS, LiveServer
from tests.receiver import Receiver

SERVE = (sys.executable, "manage.py", "serve")
BANNER = "is ready. Ctrl-C stops it."
# More than the ten that README promises: no test fails because the machine was busy.
STOP_SECONDS = 60.0
GENERATED = dict.fromkeys(["HL_API_KEY", "HL_MASTER_KEY", "HL_SECRET_KEY", "HL_CONSOLE_PASS"], "")
# Ends a process group as soon as we are gone, however that came.
WATCH = 'read -r end; kill -s KILL -- "-$0"'


class Serving(LiveServer):
    """Runs `serve`, or another command, from the repository or from `place`."""

    def __init__(self, *command: str, place: Path = ROOT, **environment: str) -> None:
        self.command, self.place = command or SERVE, place
        self.watch: subprocess.Popen[bytes] | None = None
        super().__init__(**environment)

    @property
    def data(self) -> Path:
        return Path(self.environment["HL_DATA_DIR"])

    @property
    def text(self) -> str:
        return self.log.read_text()

    def start(self) -> None:
        """Does not wait for anything."""
        self._stop_watching()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
        watch = ["sh", "-c", WATCH, str(self.process.pid)]
        self.watch = subprocess.Popen(
            watch, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def wait_for(self, text: str) -> str:
        """All that it printed, once `text` is among it."""
        self.wait_until(lambda: text in self.text)
        return self.text

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not holds():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(self.text)
            time.sleep(0.05)

    def press_ctrl_c(self) -> int:
        """As a terminal does it: to every process of the foreground. Returns the status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_SECONDS)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def end(self, number: int) -> int:
        return self.press_ctrl_c() if number == signal.SIGINT else self.terminate()

    def processes(self) -> dict[int, str]:
        """The command line of everything that runs with this environment, by process id."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                if f"HL_DATA_DIR={self.data}\0".encode() in (place / "environ").read_bytes():
                    found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
        return found

    def close(self) -> None:
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.process.wait()
        self._stop_watching()
        self.directory.close()

    def _stop_watching(self) -> None:
        if self.watch:
            self.watch.communicate()


def pasted(serving: Serving) -> str:
    """The three lines of the banner, for a shell."""
    lines = [line for line in serving.text.splitlines() if line.startswith("curl ")]
    assert len(lines) == 3
    return "\n".join(lines)


def send_to(receiver: Receiver, serving: Serving, **endpoint: str) -> None:
    """Publishes an event for which there is one subscription, of the receiver's."""
    api = serving.api()
    made = api.post("/v1/endpoints", {"url": receiver.url(), **endpoint}).json["id"]
    assert api.post("/v1/subscriptions", {"endpoint_id": made, "topic_pattern": "#"}).status == 201
    publish(serving)


def publish(serving: Serving) -> None:
    assert serving.api().post("/v1/events", {"topic": "order.paid"}).status == 201


def one_job(serving: Serving) -> tuple[Any, ...]:
    """Status, claim, lease and number of attempts of the only job in its store."""
    url = serving.environment.get("HL_POSTGRES_URL")
    store: Any = psycopg.connect(url) if url else sqlite3.connect(serving.data / "hookline.sqlite3")
    with closing(store):
        [job] = store.execute("SELECT status, claim_id, lease_until, attempt_count FROM jobs").fetchall()
    return tuple(job)


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    """Starts as many as a test asks for, and ends them with it."""
    started: list[Serving] = []

    def start(*command: str, place: Path = ROOT, **environment: str) -> Serving:
        started.append(Serving(*command, place=place, **environment))
        return started[-1]

    yield start
    for serving in started:
        serving.close()
