"""The installation that the demo runs in: a process with a directory of its own, gone when it ends."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from hookline import throwaway
from hookline.datadir import SECRETS
from hookline.environment import environment as given

RECEIVERS_PORT = "DEMO_RECEIVERS_PORT"


def is_inside() -> bool:
    return RECEIVERS_PORT in os.environ


def run(arguments: list[str], port: int, *, on_postgres: bool) -> int:
    """Runs the command again, inside; returns its status."""
    with throwaway.Directory() as directory, _store(on_postgres) as store:
        environ = _environment(directory.path, port) | store
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        inside = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: inside.terminate())
        return inside.wait()


def end_with_our_starter() -> None:
    """Whatever became of it: the pipe between us ends with it."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="starter", daemon=True).start()


def free_port() -> int:
    """The usual port, or another one where somebody sits on it."""
    with socket.socket() as probe:
        is_taken = probe.connect_ex(("127.0.0.1", settings.HL_PORT)) == 0
    return throwaway.free_port() if is_taken and not given.is_given("HL_PORT") else int(settings.HL_PORT)


@contextmanager
def _store(on_postgres: bool) -> Iterator[dict[str, str]]:
    if not on_postgres:
        yield {"HL_STORE_BACKEND": "embedded"}
        return
    with throwaway.start_postgres() as postgres:
        yield {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": postgres.url}


def _environment(directory: Path, port: int) -> dict[str, str]:
    """Nothing of the caller's installation, whose settings would say where its data is."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("HL_", "PG"))}
    return ours | {name: make() for name, make in SECRETS.items()} | {
        "HL_DATA_DIR": str(directory),
        "HL_LISTEN_ADDR": "127.0.0.1",
        "HL_PORT": str(port),
        "HL_EGRESS_ALLOW": "127.0.0.0/8",
        "HL_CONSOLE_PASS": secrets.token_urlsafe(6),
        "HL_LOG_LEVEL": "WARNING",
        RECEIVERS_PORT: str(throwaway.free_port()),
    }  # fmt: skip
