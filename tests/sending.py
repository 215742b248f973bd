"""A client as the pump has it, and one request sent with it to the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deliveries.sending.client import Client
from deliveries.sending.guard import Guard, parse_allow
from deliveries.work import Answer, Request

LOOPBACK = "127.0.0.0/8 ::1/128"
PATIENCE = 0.05


@contextmanager
def a_client(allow: str = LOOPBACK, authorities: str = "") -> Iterator[Client]:
    client = Client(Guard(parse_allow(allow)), authorities)
    try:
        yield client
    finally:
        client.close()


def request(url: str, *headers: str, body: bytes = b"{}", timeout_ms: int = 30_000) -> Request:
    return Request(url, list(headers), body, timeout_ms)


def send(client: Client, url: str, *headers: str, body: bytes = b"{}", timeout_ms: int = 30_000) -> Answer:
    """Sends one request and waits for its end."""
    client.start(url, request(url, *headers, body=body, timeout_ms=timeout_ms))
    [(key, answer)] = finish(client)
    assert key == url
    return answer


def finish(client: Client) -> list[tuple[Any, Answer]]:
    """Waits until nothing is under way; a request that never ends is one that hangs here."""
    ended: list[tuple[Any, Answer]] = []
    while client.in_flight:
        ended += client.poll(PATIENCE)
    return ended
