"""Where this installation lets deliveries go, from its settings."""

import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from django.conf import settings

from deliveries.sending.guard import Address, Guard, unwrap

DEFAULT_PORTS = {"postgres": 5432, "redis": 6379, "rediss": 6379, "valkey": 6379, "amqp": 5672}


def guard() -> Guard:
    return Guard(settings.HL_EGRESS_ALLOW, frozenset(_own_addresses()))


def _own_addresses() -> Iterator[tuple[Address, int]]:
    """The database and the broker: a customer's URL must not reach them, allowed network or not."""
    for url in filter(None, [settings.HL_POSTGRES_URL, settings.HL_REDIS_URL]):
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.split("+")[0].replace("ql", ""), 0)
        for address in _resolve(parts.hostname or "localhost"):
            yield address, port


def _resolve(host: str) -> set[Address]:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return set()
    return {unwrap(ip_address(str(entry[4][0]).partition("%")[0])) for entry in found}


@cache
def authorities() -> str:
    """A PEM file with certifi's authorities and those of HL_CA_BUNDLE."""
    if not settings.HL_CA_BUNDLE:
        return certifi.where()
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        for source in (certifi.where(), settings.HL_CA_BUNDLE):
            file.write(Path(source).read_text() + "\n")
    return file.name
