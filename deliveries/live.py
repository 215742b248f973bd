"""What happens, message by message, for who watches at a shell: of the store itself, or of a server far
away. After a break it goes on where it was, and nothing is told twice.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

import requests
from requests.auth import AuthBase

from deliveries import stream
from deliveries.news import STATUS_TOPIC
from deliveries.stream import Stream, hub
from hookline.ids import parse_uuid

CONNECT_SECONDS = 5
# A stream says that it is alive three times as often.
SILENCE_SECONDS = 35
BREAK_SECONDS = 1.0
REMEMBERED = 5000
ALL = "#"


@dataclass(frozen=True, slots=True)
class Message:
    """An event with its document, or the result of an attempt, which bears the id of its event."""

    id: str
    topic: str
    data: bytes

    @property
    def is_result(self) -> bool:
        return self.topic == STATUS_TOPIC


class NotLetIn(Exception):
    """The server will not tell us anything; the text says why."""


def of_store(tenant_id: str) -> Iterator[Message]:
    latest: UUID | None = None
    while True:
        opened = Stream(tenant_id, ALL)
        is_open = hub.open(opened)
        assert is_open, "nobody else has streams in this process"
        try:
            missed = stream.caught_up(opened, latest) if latest else []
            frames = chain(missed, opened.frames())
            for message in parsed(line for frame in frames for line in frame.split(b"\n")):
                latest = latest if message.is_result else parse_uuid(message.id)
                yield message
        finally:
            hub.close(opened)


def of_server(url: str, key: str) -> Iterator[Message]:
    """Raises NotLetIn if the server cannot be reached at first, or will not have the key."""
    latest, has_answered = "", False
    while True:
        try:
            with _opened(url, key, latest) as response:
                has_answered = True
                for message in parsed(response.iter_lines()):
                    latest = latest if message.is_result else message.id
                    yield message
        except requests.RequestException as fault:
            if not has_answered:
                raise NotLetIn(f"{url} cannot be reached: {type(fault).__name__}.") from None
        time.sleep(BREAK_SECONDS)


def once(messages: Iterable[Message]) -> Iterator[Message]:
    """Around a break an event may come again. A result is told at most once by each stream."""
    seen: deque[str] = deque(maxlen=REMEMBERED)
    for message in messages:
        if message.is_result or message.id not in seen:
            yield message
        if not message.is_result:
            seen.append(message.id)


def parsed(lines: Iterable[bytes]) -> Iterator[Message]:
    """Server-Sent Events as our server writes them: a frame ends with an empty line."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        if line == b"" and b"data" in fields:
            yield Message(fields[b"id"].decode(), fields[b"event"].decode(), fields[b"data"])
        fields = fields | {name: value} if name else {}


class _Bearer(AuthBase):
    """Beside a header, requests would rather send what a .netrc says."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.key}"
        return request


def _opened(url: str, key: str, latest: str) -> requests.Response:
    response = requests.get(
        f"{url.rstrip('/')}/v1/stream",
        headers={"Last-Event-ID": latest} if latest else {},
        auth=_Bearer(key),
        stream=True,
        timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
        allow_redirects=False,
    )
    if response.status_code in (401, 403):
        raise NotLetIn(f"{url} does not let this key in: it needs scope stream.subscribe. Set HL_API_KEY.")
    if response.status_code == 200 and "event-stream" in response.headers.get("Content-Type", ""):
        return response
    if response.status_code < 500:
        raise NotLetIn(f"{url} answers with {response.status_code} and no stream: is that a HookLine?")
    raise requests.ConnectionError(f"{response.status_code}")
