"""Sends many requests at once over libcurl, each within one absolute deadline.

What a hostile receiver can do is bounded here: every address is judged as it is dialled, no
redirect is followed, nothing is decompressed, an answer is read up to a cap and then cut off,
and the deadline covers connecting, sending, headers and body together.
"""

import select
import socket
import threading
import time
from functools import lru_cache
from itertools import takewhile
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import certifi
import pycurl

from deliveries.sending import answers
from deliveries.sending.guard import Guard
from deliveries.work import Answer, Request

BODY_CAP = 16 * 1024
HEADER_CAP = 32 * 1024
CONNECT_MS = 10_000
# Half of the 1,024 descriptors that a process may have open unless it is allowed more.
KEPT_CONNECTIONS = 512
IDLE_SECONDS = 60
# A connection is let go in the end, so that receivers can move to other addresses.
KEPT_SECONDS = 600

OPTIONS = {
    pycurl.NOSIGNAL: 1,
    pycurl.PROXY: "",  # none, also not from the environment
    pycurl.FOLLOWLOCATION: 0,
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.HTTP09_ALLOWED: 0,
    pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,  # at least
    pycurl.MAXAGE_CONN: IDLE_SECONDS,
    pycurl.MAXLIFETIME_CONN: KEPT_SECONDS,
    pycurl.TCP_NODELAY: 1,
}


class Client:
    """Starts requests and, at each `poll`, hands back those that ended, under the caller's key."""

    def __init__(self, guard: Guard, authorities: str = "") -> None:
        self.guard = guard
        self.options = OPTIONS | {pycurl.CAINFO: authorities or certifi.where()}
        self.busy: dict[pycurl.Curl, Transfer] = {}
        self.idle: list[Transfer] = []
        self.epoll = select.epoll()
        self.timer: float | None = None
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self.multi.setopt(pycurl.M_MAXCONNECTS, KEPT_CONNECTIONS)

    @property
    def in_flight(self) -> int:
        return len(self.busy)

    def count_before(self, moment: float) -> int:
        """How many of those in flight were started before this moment of monotonic time."""
        return sum(1 for _ in takewhile(lambda transfer: transfer.started < moment, self.busy.values()))

    def start(self, key: Any, request: Request) -> None:
        transfer = self.idle.pop() if self.idle else Transfer(self.guard, self.options)
        transfer.begin(key, request)
        self.multi.add_handle(transfer.curl)
        self.busy[transfer.curl] = transfer

    def poll(self, seconds: float) -> list[tuple[Any, Answer]]:
        """Waits until something happens, at most `seconds`, and returns what ended."""
        if self.timer is not None:
            seconds = max(0.0, min(seconds, self.timer - time.monotonic()))
        for descriptor, events in self.epoll.poll(seconds):
            self.multi.socket_action(descriptor, _curl_events(events))
        if self.timer is not None and time.monotonic() >= self.timer:
            self.timer = None
            self.multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return self._ended()

    def abort(self) -> list[Any]:
        """Drops every request under way and returns their keys."""
        return [self._release(curl).end() for curl in list(self.busy)]

    def close(self) -> None:
        """Drops all requests and connections, in a thread of its own: libcurl waits for name
        look-ups under way, for as long as those take."""
        self.abort()
        threading.Thread(target=self._close, name="close libcurl", daemon=True).start()

    def _close(self) -> None:
        self.multi.close()
        self.epoll.close()
        for transfer in self.idle:
            transfer.curl.close()

    def _ended(self) -> list[tuple[Any, Answer]]:
        ended: list[tuple[Any, Answer]] = []
        queued = 1
        while queued:
            queued, complete, failed = self.multi.info_read()
            results = [(curl, pycurl.E_OK, "") for curl in complete] + failed
            for curl, code, message in results:
                transfer = self._release(curl)
                answer = transfer.answer(code, message)
                ended.append((transfer.end(), answer))
        return ended

    def _release(self, curl: pycurl.Curl) -> "Transfer":
        self.multi.remove_handle(curl)
        transfer = self.busy.pop(curl)
        self.idle.append(transfer)
        return transfer

    def _watch(self, what: int, descriptor: int, multi: object, data: object) -> None:
        """libcurl says which of its sockets to wait for, and for what."""
        if what == pycurl.POLL_REMOVE:
            self.epoll.unregister(descriptor)
        elif data is None:
            self.epoll.register(descriptor, _epoll_events(what))
            self.multi.assign(descriptor, True)
        else:
            self.epoll.modify(descriptor, _epoll_events(what))

    def _set_timer(self, milliseconds: int) -> None:
        self.timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


class Transfer:
    """One request under way, on a curl handle that is used again and again."""

    def __init__(self, guard: Guard, options: dict[int, Any]) -> None:
        self.guard = guard
        self.curl = pycurl.Curl()
        for option, value in options.items():
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._take_header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take_body)

    def begin(self, key: Any, request: Request) -> None:
        self.key = key
        self.lines: list[bytes] = []
        self.header_size = 0
        self.body = bytearray()
        self.refusal = self.address = ""
        self.started = time.monotonic()
        self.curl.setopt(pycurl.URL, ascii_url(request.url))
        self.curl.setopt(pycurl.HTTPHEADER, [*map(_curl_header, request.headers), *DROPPED])
        self.curl.setopt(pycurl.POSTFIELDS, request.body)
        self.curl.setopt(pycurl.TIMEOUT_MS, request.timeout_ms)
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, min(request.timeout_ms, CONNECT_MS))

    def answer(self, code: int, message: str) -> Answer:
        """What came of it, from libcurl's result code and what was received."""
        headers = _final_headers(self.lines)
        return answers.judge(
            code=code,
            message=message,
            refusal=self.refusal,
            status=self.curl.getinfo(pycurl.RESPONSE_CODE) if headers else 0,
            headers=headers,
            body=bytes(self.body[:BODY_CAP]),
            address=self.curl.getinfo(pycurl.PRIMARY_IP) or self.address,
            duration_ms=round((time.monotonic() - self.started) * 1000),
        )

    def end(self) -> Any:
        """Gives back the key, and keeps nothing of the request until the next one."""
        key, self.key = self.key, None
        self.curl.setopt(pycurl.POSTFIELDS, b"")
        return key

    def _open_socket(self, purpose: int, target: Any) -> Any:
        """Called for every address that libcurl is about to dial."""
        self.address, port = target.addr[:2]
        scope = target.addr[3] if len(target.addr) > 3 else 0
        self.refusal = self.guard.refusal(f"{self.address}%{scope}" if scope else self.address, port) or ""
        if self.refusal:
            return pycurl.SOCKET_BAD
        try:
            return Dialled(target.family, target.socktype, target.protocol)
        except OSError:  # no descriptor is free, or this machine has no IPv6
            return pycurl.SOCKET_BAD

    def _take_header(self, line: bytes) -> int | None:
        self.header_size += len(line)
        if self.header_size > HEADER_CAP:
            return 0
        self.lines.append(line)
        return None

    def _take_body(self, chunk: bytes) -> int | None:
        self.body += chunk
        return None if len(self.body) <= BODY_CAP else 0


class Dialled(socket.socket):
    """libcurl works on a copy of the descriptor, so this one is closed when it is let go."""

    def __del__(self) -> None:
        self.close()


# Headers that libcurl would add of its own.
DROPPED = [b"Expect:", b"Accept:"]
LAST_LINES = (b"\r\n", b"\n")


def _final_headers(lines: list[bytes]) -> list[bytes]:
    """The lines of the answer itself, without those of a 100 Continue or its like before it and of
    trailers after it; none if they are not complete."""
    start = 0
    while lines[start:]:
        end = next((n for n in range(start, len(lines)) if lines[n] in LAST_LINES), None)
        if end is None:
            return []
        if not lines[start].partition(b" ")[2].startswith(b"1"):
            return lines[start:end]
        start = end + 1
    return []


def _curl_header(line: str) -> str | bytes:
    """libcurl takes `name:` for a wish to drop the header, and `name;` for an empty one."""
    if line.isascii() and line[-1] not in ": \t":
        return line
    bare = line.rstrip(" \t")
    is_empty = bare.find(":") == len(bare) - 1
    return f"{bare[:-1]};".encode() if is_empty else line.encode()


@lru_cache(maxsize=10_000)
def ascii_url(url: str) -> str:
    """The URL with a non-ASCII host in IDNA and other such characters percent-encoded."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    if not parts.netloc.isascii():
        host = (parts.hostname or "").encode("idna").decode()
        parts = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}")
    return quote(urlunsplit(parts), safe=":/?#[]@!$&'()*+,;=%~")


def _epoll_events(what: int) -> int:
    reads = select.EPOLLIN if what & pycurl.POLL_IN else 0
    return reads | (select.EPOLLOUT if what & pycurl.POLL_OUT else 0)


def _curl_events(events: int) -> int:
    reads = pycurl.CSELECT_IN if events & (select.EPOLLIN | select.EPOLLHUP) else 0
    writes = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
    return reads | writes | (pycurl.CSELECT_ERR if events & select.EPOLLERR else 0)
