"""Publishes over HTTP from one process, with requests made beforehand, so that it costs little."""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

END = b"\r\n\r\n"
LENGTH = b"content-length: "
Body = Callable[[], bytes]


@dataclass
class Published:
    """`latencies` in ms, one for each request that was answered 201."""

    seconds: float = 0.0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)


class Connection:
    """One request at a time, kept alive."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.read = b""
        self.began = 0.0

    def send(self, request: bytes, began: float) -> None:
        self.read, self.began = b"", began
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the answer is whole, else None."""
        self.read += self.socket.recv(65_536)
        head, end, body = self.read.partition(END)
        length = int(head.lower().partition(LENGTH)[2].partition(b"\r\n")[0] or 0)
        return int(head[9:12]) if end and len(body) >= length else None


def publish(
    port: int, path: str, key: str, body: Body, *, connections: int, seconds: float, rate: float = 0.0
) -> Published:
    """As fast as answers come, or so many requests a second. A steady rate is kept whatever the server
    does: latencies count from the moment at which a request was due."""
    idle = [Connection(port) for _ in range(connections)]
    busy = selectors.DefaultSelector()
    for connection in idle:
        busy.register(connection.socket, selectors.EVENT_READ, connection)
    done, start = Published(), time.monotonic()
    sent, open_requests, end = 0, 0, start + seconds
    while open_requests or time.monotonic() < end:
        now = time.monotonic()
        while idle and now < end and (not rate or start + sent / rate <= now):
            due = start + sent / rate if rate else now
            idle.pop().send(_request(path, key, body()), due)
            sent, open_requests = sent + 1, open_requests + 1
        for ready, _ in busy.select(0.001):
            connection = ready.data
            if (status := connection.receive()) is not None:
                idle.append(connection)
                open_requests -= 1
                done.refused += status != 201
                done.latencies.append((time.monotonic() - connection.began) * 1000)
    done.seconds = time.monotonic() - start
    for connection in idle:
        connection.socket.close()
    return done


def _request(path: str, key: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
