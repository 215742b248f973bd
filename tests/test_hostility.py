"""The client against receivers that misbehave: each ends in an answer, in bounded time and memory."""

import gzip
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from deliveries.sending.client import Client
from deliveries.work import Answer
from tests.hostile import (
    OK,
    Connection,
    Habit,
    answers,
    hangs_up,
    hangs_up_after,
    hears_and_stays_silent,
    hostile,
    repeats,
    resets,
    resets_after,
    stays_silent,
)
from tests.sending import a_client, request, send

pytestmark = pytest.mark.embedded

EMPTY = OK + b"Content-Length: 0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
KIB = 1024
CAP = 16 * KIB
# What the kernel takes from a sender whom nobody reads is less than this.
BUFFERS = 16 * KIB * KIB


@pytest.fixture
def client() -> Iterator[Client]:
    with a_client() as client:
        yield client


def exchange(client: Client, habit: Habit, timeout_ms: int = 30_000) -> Answer:
    with hostile(habit) as receiver:
        answer = send(client, receiver.url(), timeout_ms=timeout_ms)
        assert receiver.sent < BUFFERS
    return answer


DRIP = 0.01


@pytest.mark.parametrize(
    "habit",
    [
        pytest.param(stays_silent, id="accepts and never reads"),
        pytest.param(hears_and_stays_silent, id="reads and never answers"),
        pytest.param(repeats(b"HTTP/1.1 200 ", b"O", DRIP), id="drips a status line"),
        pytest.param(repeats(OK, b"X-More: 1\r\n", DRIP), id="drips headers"),
        pytest.param(repeats(OK + b"X-More: ", b"1", DRIP), id="drips one header"),
        pytest.param(repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", DRIP), id="drips 100 Continue"),
        pytest.param(
            repeats(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", DRIP), id="drips early hints"
        ),
        pytest.param(
            answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), id="switches protocols"
        ),
        pytest.param(repeats(OK + b"\r\n", b"x", DRIP), id="drips a body"),
        pytest.param(
            repeats(OK + b"Content-Length: 16384\r\n\r\n", b"x", DRIP), id="drips a body of known length"
        ),
        pytest.param(answers(OK + b"Content-Length: 5\r\n\r\nabc"), id="stops within the body"),
        pytest.param(repeats(CHUNKED, b"1\r\nx\r\n", DRIP), id="drips chunks"),
        pytest.param(repeats(CHUNKED + b"1;", b"x", DRIP), id="drips a chunk extension"),
        pytest.param(repeats(CHUNKED + b"0\r\n", b"X-Trailer: 1\r\n", DRIP), id="drips trailers"),
        pytest.param(repeats(b"HTTP/1.1 429 Wait\r\n\r\n", b"x", DRIP), id="drips the body of a refusal"),
    ],
)
def test_the_deadline_ends_whatever_takes_too_long(client: Client, habit: Habit) -> None:
    answer = exchange(client, habit, timeout_ms=300)

    assert (answer.status, answer.error, answer.headers, answer.body) == (0, "timeout", (), b"")
    assert answer.duration_ms >= 300
    assert answer.detail == f"No complete answer came within {answer.duration_ms} ms."
    assert answer.address == "127.0.0.1"


FLOOD = b"x" * 64 * KIB
ZIPPED = gzip.compress(b"\0" * 50 * KIB * KIB)


@pytest.mark.parametrize(
    ("habit", "status", "body"),
    [
        pytest.param(repeats(OK + b"\r\n", FLOOD), 200, b"x" * CAP, id="endless"),
        pytest.param(repeats(OK + b"Content-Length: 9999999999\r\n\r\n", FLOOD), 200, b"x" * CAP, id="10 GB"),
        pytest.param(
            repeats(CHUNKED, b"4000\r\n" + b"x" * CAP + b"\r\n"), 200, b"x" * CAP, id="endless chunks"
        ),
        pytest.param(
            answers(OK + b"Content-Length: 16385\r\n\r\n" + b"x" * 16385), 200, b"x" * CAP, id="one too many"
        ),
        pytest.param(
            repeats(OK + b"Content-Length: 16385\r\n\r\n" + b"x" * 16385, b""),
            200,
            b"x" * CAP,
            id="past the cap",
        ),
        pytest.param(
            answers(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED),
            200,
            ZIPPED[:CAP],
            id="gzip bomb",
        ),
        pytest.param(repeats(b"HTTP/1.1 500 No\r\n\r\n", FLOOD), 500, b"x" * CAP, id="endless failure"),
        pytest.param(
            repeats(b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1/\r\n\r\n", FLOOD),
            302,
            b"x" * CAP,
            id="endless redirect",
        ),
    ],
)
def test_a_body_is_read_up_to_its_cap_and_never_unpacked(
    client: Client, habit: Habit, status: int, body: bytes
) -> None:
    answer = exchange(client, habit)

    assert (answer.status, answer.body) == (status, body)
    assert answer.error == {200: None, 500: "http_5xx", 302: "redirect"}[status]


@pytest.mark.parametrize(
    ("habit", "status"),
    [
        (hangs_up_after(OK + b"Content-Length: 5\r\n\r\nabc"), 200),
        (resets_after(OK + b"Content-Length: 5\r\n\r\n"), 200),
        (hangs_up_after(CHUNKED + b"nonsense\r\n"), 200),
        (hangs_up_after(CHUNKED + b"ffffffffffffffffffff\r\n"), 200),
        (hangs_up_after(CHUNKED + b"5\r\nab"), 200),
        (answers(CHUNKED + b"1\r\na\r\n0\r\nHTTP/1.1 500 No\r\nX: 1\r\n\r\n"), 200),
        (answers(CHUNKED + b"1\r\na\r\n0\r\n" + b"X-Trailer: %b\r\n" % (b"x" * 900) * 60 + b"\r\n"), 200),
        (hangs_up_after(CHUNKED + b"1\r\na\r\n0\r\nno colon\r\n\r\n"), 200),
        (answers(b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"), 204),
        (hangs_up_after(b"HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nabc"), 503),
        (resets_after(b"HTTP/1.1 410 Gone\r\nContent-Length: 5\r\n\r\nabc"), 410),
    ],
)
def test_once_all_headers_are_in_a_broken_body_does_not_change_the_status(
    client: Client, habit: Habit, status: int
) -> None:
    assert exchange(client, habit).status == status


@pytest.mark.parametrize(
    ("habit", "error"),
    [
        (hangs_up, "connect"),
        (resets, "connect"),
        (hangs_up_after(), "connect"),
        (resets_after(), "connect"),
        (hangs_up_after(b"HTTP/1.1 200 OK\r\nContent-"), "connect"),
        (resets_after(b"HTTP/1.1 200 OK\r\nContent-"), "connect"),
        (hangs_up_after(b"HTTP/1.1 200 OK\r\nX: 1\r\n"), "connect"),
        (hangs_up_after(b"HTTP/1.1 100 Continue\r\n\r\n"), "connect"),
        (hangs_up_after(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"), "connect"),
        (hangs_up_after(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), "connect"),
        (hangs_up_after(b"hello\r\n\r\n"), "protocol"),
        (hangs_up_after(b"<html>"), "protocol"),
        (hangs_up_after(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
        (hangs_up_after(b"\x15\x03\x01\x00\x02\x02\x28"), "protocol"),
        (hangs_up_after(b"\0" * 1000), "protocol"),
        (hangs_up_after(b"HTTP/0.9 200 OK\r\n\r\n"), "protocol"),
        (hangs_up_after(b"HTTP/9.1 200 OK\r\n\r\n"), "protocol"),
        (hangs_up_after(b"HTTP/1.1 99 Odd\r\n\r\n"), "protocol"),
        (hangs_up_after(b"HTTP/1.1 000 Odd\r\n\r\n"), "protocol"),
        (hangs_up_after(b"HTTP/1.1 -200 Odd\r\n\r\n"), "protocol"),
        (hangs_up_after(OK + b"no colon\r\n\r\n"), "protocol"),
        (hangs_up_after(OK + b"X-Nul: a\0b\r\n\r\n"), "protocol"),
        (hangs_up_after(OK + b"Content-Length: -5\r\n\r\n"), "protocol"),
        (hangs_up_after(OK + b"Content-Length: five\r\n\r\n"), "protocol"),
        (hangs_up_after(OK + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n"), "protocol"),
        (hangs_up_after(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), "protocol"),
        (answers(OK + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n"), "protocol"),
        (answers(OK + b"X-Long: " + b"x" * 40_000 + b"\r\n\r\n"), "protocol"),
        (answers(OK + b"X-Many: %b\r\n" % (b"x" * 80) * 500 + b"\r\n"), "protocol"),
        (answers(b"HTTP/1.1 200 " + b"x" * 200_000 + b"\r\n\r\n"), "protocol"),
        (repeats(OK, b"X-More: 1\r\n"), "protocol"),
        (repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "protocol"),
    ],
)
def test_without_all_headers_there_is_no_status(client: Client, habit: Habit, error: str) -> None:
    answer = exchange(client, habit)

    assert (answer.status, answer.error, answer.headers, answer.body) == (0, error, (), b"")
    assert answer.detail


@pytest.mark.parametrize(
    ("line", "status", "error"),
    [
        (b"HTTP/1.1 200", 200, None),
        (b"HTTP/1.0 200 OK", 200, None),
        (b"HTTP/1.1 299 \xe4\xff", 299, None),
        (b"HTTP/1.1 304 Not Modified", 304, "redirect"),
        (b"HTTP/1.1 407 Proxy", 407, "http_4xx"),
        (b"HTTP/1.1 417 Expect", 417, "http_4xx"),
        (b"HTTP/1.1 426 Upgrade", 426, "http_4xx"),
        (b"HTTP/1.1 599 Odd", 599, "http_5xx"),
        (b"HTTP/1.1 600 Odd", 600, "protocol"),
        (b"HTTP/1.1 999 Odd", 999, "protocol"),
        (b"HTTP/1.1 099 Odd", 99, "protocol"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", 200, None),
        (b"HTTP/1.1 103 Hints\r\nX-Interim: 1\r\n\r\nHTTP/1.1 200 OK", 200, None),
    ],
)
def test_a_status_is_taken_at_its_word(client: Client, line: bytes, status: int, error: str | None) -> None:
    answer = exchange(client, hangs_up_after(line + b"\r\nX-Last: \xe4\x01\r\nContent-Length: 0\r\n\r\n"))

    assert (answer.status, answer.error) == (status, error)
    assert answer.headers == (("X-Last", "ä\x01"), ("Content-Length", "0"))
    assert answer.detail.endswith(f"(HTTP {status})" if error else "")


def test_many_headers_are_kept_while_they_are_short(client: Client) -> None:
    answer = exchange(client, answers(OK + b"X: 1\r\n" * 500 + b"Content-Length: 0\r\n\r\n"))
    assert (answer.status, len(answer.headers)) == (200, 501)


def test_an_answer_that_comes_before_the_request_was_read_counts(client: Client) -> None:
    def refuses_before_reading(connection: Connection) -> None:
        connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.read_request()

    with hostile(refuses_before_reading) as receiver:
        assert send(client, receiver.url(), body=b"x" * 4 * KIB * KIB).status == 413


def test_what_one_receiver_does_takes_nothing_from_the_others(client: Client) -> None:
    with hostile(repeats(OK, b"X: 1\r\n", DRIP)) as slow, hostile(answers(EMPTY)) as good:
        for number in range(100):
            client.start("slow", request(slow.url()))
            client.start(number, request(good.url()))
        ended: dict[object, int] = {}
        while len(ended) < 100:
            ended |= {key: answer.status for key, answer in client.poll(0.05)}

        assert ended == dict.fromkeys(range(100), 200)
        assert client.abort() == ["slow"] * 100


beginnings = some.sampled_from(
    [
        b"",
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\n",
        OK + b"Content-Length: ",
        OK + b"X: ",
        CHUNKED,
        EMPTY,
        b"HTTP/1.1 1",
    ]
)
pieces = some.sampled_from(
    [b"\r\n", b"\n", b"\r\n\r\n", b"HTTP/1.1 500 No\r\n", b": ", b"0", b"\0", b"1\r\na\r\n", b" "]
)
endings = some.lists(pieces | some.binary(max_size=20), max_size=8).map(b"".join)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some.tuples(beginnings, endings).map(b"".join))
@example(b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 1")
def test_whatever_bytes_come_there_is_an_answer(client: Client, data: bytes) -> None:
    answer = exchange(client, hangs_up_after(data), timeout_ms=5000)

    assert (answer.error is None) == (200 <= answer.status < 300)
    assert answer.status == 0 or answer.status // 100 in (0, *range(2, 10))
    assert answer.status or not (answer.headers or answer.body)
    assert answer.detail.isprintable()
