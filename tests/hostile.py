"""Receivers that misbehave: raw sockets on the loopback, each with one bad habit.

A habit is a function of one connection. It runs in a thread of its own until it returns, the
sender hangs up, or the receiver is closed.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"
RESET = struct.pack("ii", 1, 0)  # to linger for no time: close with RST in place of FIN
BACKLOG = 4096


class Connection:
    """One sender's connection, as a habit sees it."""

    def __init__(self, connected: socket.socket, receiver: "Hostile") -> None:
        self.socket = connected
        self.receiver = receiver

    def read_request(self) -> bytes:
        """The next request, head and body; b"" if the sender has hung up."""
        request = b""
        while b"\r\n\r\n" not in request:
            if not (read := self.socket.recv(65_536)):
                return b""
            request += read
        head, _, body = request.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            if not (read := self.socket.recv(65_536)):
                return b""
            body += read
        self.receiver.requests.append(head + b"\r\n\r\n" + body)
        return head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.receiver.sent += len(data)

    def repeat(self, data: bytes, seconds: float = 0.0) -> None:
        """Sends the same again and again, for ever."""
        while not self.receiver.closing.wait(seconds):
            self.send(data)

    def stay_silent(self) -> None:
        self.receiver.closing.wait()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


Habit = Callable[[Connection], None]


class Hostile:
    """Listens until it is closed, and remembers what was sent and received."""

    def __init__(self, habit: Habit, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.habit = habit
        self.tls = tls
        self.closing = threading.Event()
        self.connections = 0
        self.requests: list[bytes] = []
        self.sent = 0
        self.open: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=BACKLOG)
        self.port: int = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._listen)]
        self.threads[0].start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join()
        self.listener.close()
        for connected in self.open:
            with contextlib.suppress(OSError):  # the sender has hung up
                connected.shutdown(socket.SHUT_RDWR)
        for thread in self.threads[1:]:
            thread.join()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # what `close` does
            while not self.closing.is_set():
                connected, _ = self.listener.accept()
                self.connections += 1
                self.threads.append(threading.Thread(target=self._meet, args=[connected]))
                self.threads[-1].start()

    def _meet(self, connected: socket.socket) -> None:
        """Senders may hang up whenever they like."""
        with contextlib.suppress(OSError), self._wrapped(connected) as wrapped:
            self.open.append(wrapped)
            if isinstance(wrapped, ssl.SSLSocket):
                wrapped.do_handshake()
            self.habit(Connection(wrapped, self))

    def _wrapped(self, connected: socket.socket) -> socket.socket:
        if self.tls is None:
            return connected
        return self.tls.wrap_socket(connected, server_side=True, do_handshake_on_connect=False)


@contextlib.contextmanager
def hostile(habit: Habit, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Hostile]:
    receiver = Hostile(habit, tls, host)
    try:
        yield receiver
    finally:
        receiver.close()


def answers(*parts: bytes) -> Habit:
    """Answers each request with these bytes, and keeps the connection."""

    def habit(connection: Connection) -> None:
        while connection.read_request():
            for part in parts:
                connection.send(part)

    return habit


def hangs_up_after(*parts: bytes) -> Habit:
    def habit(connection: Connection) -> None:
        connection.read_request()
        for part in parts:
            connection.send(part)

    return habit


def resets_after(*parts: bytes) -> Habit:
    def habit(connection: Connection) -> None:
        connection.read_request()
        for part in parts:
            connection.send(part)
        connection.reset()

    return habit


def repeats(start: bytes, data: bytes, seconds: float = 0.0) -> Habit:
    """Answers with a beginning, and then with the same again and again."""

    def habit(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        connection.repeat(data, seconds)

    return habit


def stays_silent(connection: Connection) -> None:
    connection.stay_silent()


def hears_and_stays_silent(connection: Connection) -> None:
    connection.read_request()
    connection.stay_silent()


def hangs_up(connection: Connection) -> None:
    """Without as much as listening."""


def resets(connection: Connection) -> None:
    connection.reset()
