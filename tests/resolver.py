"""A name server on the loopback, asked over HTTPS, that answers what the test says."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pycurl

from tests.certificates import Authority
from tests.hostile import Connection, Hostile, hostile

A, AAAA = 1, 28
NAME_ERROR, SERVER_FAILURE = 3, 2

# The addresses of a name, or one of the two errors.
Zone = Callable[[], list[str] | int]


@contextmanager
def resolver(authority: Authority, zone: Zone) -> Iterator[Hostile]:
    def habit(connection: Connection) -> None:
        while request := connection.read_request():
            answer = _answer(request.partition(b"\r\n\r\n")[2], zone())
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/dns-message\r\ncontent-length: %d\r\n\r\n"
            connection.send(head % len(answer) + answer)

    with hostile(habit, authority.server()) as listening:
        yield listening


def options(listening: Hostile) -> dict[int, Any]:
    """What makes libcurl ask this server, each time anew."""
    return {pycurl.DOH_URL: listening.url("/dns-query"), pycurl.DNS_CACHE_TIMEOUT: 0}


def _answer(query: bytes, found: list[str] | int) -> bytes:
    """RFC 1035, section 4: a header, the question again, and a record for each address."""
    question = query[12 : query.index(b"\0", 12) + 5]
    kind = int.from_bytes(question[-4:-2])
    error, texts = (found, []) if isinstance(found, int) else (0, found)
    addresses = [ip_address(text).packed for text in texts]
    addresses = [packed for packed in addresses if len(packed) == (4 if kind == A else 16)]
    header = query[:2] + struct.pack("!HHHHH", 0x8180 | error, 1, len(addresses), 0, 0)
    records = [b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed for packed in addresses]
    return header + question + b"".join(records)
