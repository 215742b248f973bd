"""The customers' receivers: one server for all of them, told apart by the host's name."""

import random
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hookline.demo.cast import CUSTOMERS, NEW_TOKEN

HANGS_SECONDS = 5.0
FLAKY, LIMITED = 0.12, 0.25
PATH = "/hooks"

FAULTS = {receiver.place: receiver.fault for customer in CUSTOMERS for receiver in customer.receivers}


class Receivers(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Answer)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="receivers", daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hung up did so for a reason; it is no fault of ours."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        place = self.headers.get("host", "").partition(".localhost")[0]
        time.sleep(random.lognormvariate(-3.4, 0.6))
        getattr(self, FAULTS.get(place, "") or "well")()

    def well(self) -> None:
        self._say(200, '{"received":true}')

    def flaky(self) -> None:
        if random.random() < FLAKY:
            self._say(500, '{"error":"deadlock detected"}')
        else:
            self.well()

    def limited(self) -> None:
        if random.random() < LIMITED:
            self._say(429, '{"error":"quota of 5 a second"}', {"Retry-After": "15"})
        else:
            self.well()

    def locked(self) -> None:
        if self.headers.get("authorization") == NEW_TOKEN:
            self.well()
        else:
            self._say(401, '{"error":"token revoked"}', {"WWW-Authenticate": "Bearer"})

    def hanging(self) -> None:
        time.sleep(HANGS_SECONDS)
        self.well()

    def gone(self) -> None:
        self._say(410, '{"error":"moved to ledger.fabrikam"}')

    def _say(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments: Any) -> None:
        """HookLine tells what it sent."""


def url(place: str, port: int) -> str:
    """Every name under .localhost is this machine."""
    return f"http://{place}.localhost:{port}{PATH}"
