"""A customer's server on the loopback: it answers as the test says and remembers what came."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the receiver answers, `delay` seconds after it has read the request."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0

    def encode(self) -> bytes:
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Reply", *(f"{name}: {text}" for name, text in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True)
class Received:
    """A request as it came. `headers` are found in whatever case; `at` is monotonic time."""

    method: str
    path: str
    headers: Message
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Listens until it is closed. Paths without replies of their own get an empty 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.closing = threading.Event()
        self._replies: defaultdict[str, list[Reply]] = defaultdict(lambda: [Reply()])
        self._lock = threading.Lock()
        self._server = Listener(("127.0.0.1", 0), Conversation)
        self._server.receiver = self
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def reply(self, path: str, *replies: Reply) -> None:
        """Answers requests for `path` with these in turn; the last one stays."""
        with self._lock:
            self._replies[path] = list(replies)

    def at(self, path: str) -> list[Received]:
        """The requests that came for `path`, oldest first."""
        with self._lock:
            return [request for request in self.received if request.path == path]

    def wait_for(self, path: str, count: int, seconds: float = 30.0) -> list[Received]:
        """So many requests for `path`, once they have come."""
        deadline = time.monotonic() + seconds
        while len(found := self.at(path)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} requests came for {path}"
            time.sleep(0.01)
        return found

    def take(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            replies = self._replies[request.path]
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class Listener(ThreadingHTTPServer):
    """Ends its conversations when it is closed, those too that are kept alive."""

    daemon_threads = False
    request_queue_size = 1024
    receiver: Receiver

    def __init__(self, *arguments: Any) -> None:
        self.open: set[socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for request in list(self.open):
            with suppress(OSError):  # its sender has hung up
                request.shutdown(SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders may hang up whenever they like."""


class Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Received(self.command, self.path, self.headers, body, time.monotonic())
        receiver = self.server.receiver
        reply = receiver.take(request)
        if not receiver.closing.wait(reply.delay):
            self.wfile.write(reply.encode())  # one segment, as real servers send

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815

    def log_message(self, *arguments: Any) -> None:
        """Nothing: pytest shows what matters."""
