"""A HookLine of its own, as `manage.py serve` starts it, for tests over real sockets."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.utils.datastructures import CaseInsensitiveMapping

from hookline import throwaway
from tests.api import NOTHING, Answer, Api
from tests.servers import ENVIRONMENT, PORT

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
ANSWER_SECONDS = 30.0

# Runs a command until we name a signal to end it by, or until we are gone.
GUARD = '"$@" & read -r signal; kill -s "${signal:-TERM}" $!; wait $!'


class LiveServer:
    """One process with a store, a port and keys of its own. Tests that share it make tenants."""

    def __init__(self, **environment: str) -> None:
        self.directory = throwaway.Directory()
        self.port = _free_port()
        self.log = self.directory.path / "log"
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith("HL_")}
        self.environment |= ENVIRONMENT | self._places() | environment
        self.tenants = 0
        self.start()

    def start(self) -> None:
        command = ["sh", "-c", GUARD, "guard", sys.executable, str(ROOT / "manage.py"), "serve"]
        with self.log.open("ab") as log:
            self.guard = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=self.environment,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.guard.poll() is not None or time.monotonic() > deadline:
                told = self.log.read_text()
                self.close()
                pytest.fail(told)
            time.sleep(0.05)

    def stop(self) -> None:
        """As an operator stops it. What it stored stays."""
        self._end("TERM")

    def kill(self) -> None:
        self._end("KILL")

    def close(self) -> None:
        self.stop()
        self.directory.close()

    def api(self, token: str = ENVIRONMENT["HL_ADMIN_KEY"]) -> "LiveApi":
        """Of whoever runs it, unless another key is given."""
        return LiveApi(self, token)

    def tenant(self, *scopes: str) -> "LiveApi":
        """Of a new tenant, with a key for everything or for these scopes."""
        self.tenants += 1
        tenant = f"tenant-{self.tenants}"
        made = self.api().post("/v1/tenants", {"id": tenant}).json
        if not scopes:
            return self.api(made["api_key"])
        path, asked = f"/v1/tenants/{tenant}/api-keys", {"scopes": scopes}
        return self.api(self.api().post(path, asked).json["key"])

    def say(self, request: bytes) -> bytes:
        """All that comes back for these bytes until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def _places(self) -> dict[str, str]:
        places = {
            "HL_DATA_DIR": str(self.directory.path),
            "HL_LISTEN_ADDR": "127.0.0.1",
            "HL_PORT": str(self.port),
            "HL_STORE_BACKEND": settings.HL_STORE_BACKEND,
        }
        return (
            places if settings.EMBEDDED else places | {"HL_POSTGRES_URL": new_database(f"live_{self.port}")}
        )

    def _answers(self) -> bool:
        try:
            return self.api().get("/healthz").status == 200
        except OSError:
            return False

    def _end(self, signal: str) -> None:
        if self.guard.poll() is None:
            self.guard.communicate(f"{signal}\n".encode())


class LiveApi(Api):
    """Each call on a connection of its own."""

    def __init__(self, server: LiveServer, token: str) -> None:
        super().__init__(token)
        self.server = server

    def call(self, method: str, path: str, body: Any = NOTHING, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        if self.token:
            sent.setdefault("authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=ANSWER_SECONDS)
        with closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Answer(response.status, CaseInsensitiveMapping(dict(response.headers)), response.read())


@pytest.fixture(scope="session")
def live() -> Iterator[LiveServer]:
    """One for all tests of a session."""
    server = LiveServer()
    yield server
    server.close()


def new_database(name: str) -> str:
    """The URL of an empty database beside that of the tests."""
    place = urlsplit(settings.HL_POSTGRES_URL)
    with psycopg.connect(settings.HL_POSTGRES_URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return place._replace(path=f"/{name}").geturl()


def directly(url: str) -> str:
    """To the same database, past a pooler that may be in between."""
    place = urlsplit(url)
    user, _, _ = place.netloc.rpartition("@")
    return place._replace(netloc=f"{user}@127.0.0.1:{os.environ[PORT]}").geturl()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
