"""How the body of a request arrives: declared or in chunks, cut short, or too slowly.

granian bounds the time for a request's head and not for its body, so whoever sends half a body and
waits would hold a thread for ever. Nothing ends a read but the end of its connection, which only
the kernel can name: it knows when each last sent and received.
"""

import logging
import os
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

# No part of HookLine reads more than this of one body; each has a limit of its own below it.
MOST_BYTES = 17 * 1024 * 1024
SECONDS = 30.0
LOOK_SECONDS = 5.0

# Of the kernel's struct tcp_info: when it last sent and received data, in ms ago; bytes acknowledged.
TCP_INFO = struct.Struct("44xI4xI64xQ")


class CutShort(OSError):
    """The connection ended, or was ended, before the body did."""


class Body:
    """What Django reads a request from. A declared length must be kept; chunks end where they end."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        declared = environ.get("CONTENT_LENGTH") or ""
        self.is_declared = declared.isdecimal()
        self.left = int(declared) if self.is_declared else MOST_BYTES if _is_chunked(environ) else 0
        self.input = environ["wsgi.input"]
        self.address: str = environ["REMOTE_ADDR"]
        self.asked_at = 0.0

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = self._limited(size)
        data = self._received(self.input.read, wanted)
        if self.is_declared and len(data) < wanted:
            raise CutShort("the request's body ended before its declared length")
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._received(self.input.readline, self._limited(size))

    def close(self) -> None:
        """Django closes what it has read a form from. The connection goes on."""

    def _limited(self, size: int | None) -> int:
        return self.left if size is None or size < 0 else min(size, self.left)

    def _received(self, read: Callable[[int], bytes], wanted: int) -> bytes:
        if wanted == 0:
            return b""
        with _arriving(self):
            data = read(wanted)
        self.left -= len(data)
        return data


def _is_chunked(environ: Mapping[str, Any]) -> bool:
    return "HTTP_TRANSFER_ENCODING" in environ


_bodies: set[Body] = set()


@contextmanager
def _arriving(body: Body) -> Iterator[None]:
    body.asked_at = body.asked_at or time.monotonic()
    _bodies.add(body)
    try:
        yield
    finally:
        _bodies.discard(body)


def end_slow_ones(port: int) -> None:
    """Watches, in a thread, over the connections of the server on this port. Linux only."""
    if sys.platform == "linux":
        threading.Thread(target=_Watch(port).run, name="slow bodies", daemon=True).start()


class _Watch:
    """Ends a connection on which we were sent something and have answered nothing for SECONDS,
    if its peer's address is one from which a body has been arriving for so long."""

    def __init__(self, port: int) -> None:
        self.port = port
        # For each peer that waits for an answer: what it had acknowledged of us, and since when.
        self.waiting: dict[object, tuple[int, float]] = {}

    def run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        slow = {body.address for body in _bodies.copy() if now - body.asked_at > SECONDS - LOOK_SECONDS}
        before, self.waiting = self.waiting, {}
        for connection in _connections(self.port) if slow else ():
            with connection:
                self._judge(connection, slow, before, now)

    def _judge(
        self, connection: socket.socket, slow: set[str], before: dict[object, tuple[int, float]], now: float
    ) -> None:
        try:
            peer = connection.getpeername()
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
            sent_ago, received_ago, acknowledged = TCP_INFO.unpack(info)
            if peer[0] not in slow or sent_ago <= received_ago:
                return
            known, since = before.get(peer, (acknowledged, now))
            self.waiting[peer] = (acknowledged, since if known == acknowledged else now)
            if now - self.waiting[peer][1] >= LOOK_SECONDS:
                logger.warning("A request from %s did not arrive within %d s; hung up", peer[0], SECONDS)
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it ended by itself
            return


def _connections(port: int) -> Iterator[socket.socket]:
    """Copies of this process's own descriptors of connections to the port."""
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            number = int(descriptor.name)
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            connection = socket.socket(fileno=os.dup(number))
        except OSError:  # closed since the directory was read
            continue
        is_internet = connection.family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and connection.getsockname()[1] == port:
            yield connection
        else:
            connection.close()
