"""The client against receivers that behave: what it sends, and what it never does."""

import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pycurl
import pytest

from deliveries.sending.client import Client, ascii_url
from tests.hostile import (
    OK,
    Connection,
    Hostile,
    answers,
    hangs_up,
    hangs_up_after,
    hears_and_stays_silent,
    hostile,
)
from tests.sending import a_client, finish, request, send

pytestmark = pytest.mark.embedded

EMPTY = OK + b"Content-Length: 0\r\n\r\n"


@pytest.fixture
def client() -> Iterator[Client]:
    with a_client() as client:
        yield client


def sent_to(receiver: Hostile) -> tuple[str, list[str], bytes]:
    """The only request that came: its first line, its headers, its body."""
    [raw] = receiver.requests
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    return first, headers, body


def test_a_request_is_sent_as_it_was_sealed_and_nothing_is_added(client: Client) -> None:
    with hostile(answers(OK + b"X-Greeting: hello\r\nContent-Length: 2\r\n\r\nhi")) as receiver:
        url = receiver.url("/hooks/a%20b?key=1&x=%2F;y")
        own = ["content-type: application/json", "user-agent: HookLine/3", "X-Own: a: b"]
        answer = send(client, url, *own, body=b'{"n":1.50}')

    first, headers, body = sent_to(receiver)
    assert first == "POST /hooks/a%20b?key=1&x=%2F;y HTTP/1.1"
    assert sorted(headers) == sorted([*own, f"Host: 127.0.0.1:{receiver.port}", "Content-Length: 10"])
    assert body == b'{"n":1.50}'
    assert (answer.status, answer.error, answer.detail, answer.body) == (200, None, "", b"hi")
    assert answer.headers == (("X-Greeting", "hello"), ("Content-Length", "2"))
    assert answer.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("x-empty: ", "x-empty:"),
        ("x-blank:    ", "x-blank:"),
        ("x-tab: \t ", "x-tab:"),
        ("x-colon: :", "x-colon: :"),
        ("x-colons: : : ", "x-colons: : : "),
        ("x-end: a ", "x-end: a "),
        ("x-semicolon: ;", "x-semicolon: ;"),
        ("x-unicode: Zürich ✓", "x-unicode: Zürich ✓"),
        ("x-hl-topic: größe.✓", "x-hl-topic: größe.✓"),
        ("accept: text/html", "accept: text/html"),
    ],
)
def test_every_header_value_arrives(client: Client, header: str, sent: str) -> None:
    with hostile(answers(EMPTY)) as receiver:
        send(client, receiver.url(), header)
        assert sent in sent_to(receiver)[1]


@pytest.mark.parametrize("size", [0, 1, 65_536, 512 * 1024, 1024 * 1024])
def test_a_body_arrives_whole_and_without_asking_first(client: Client, size: int) -> None:
    body = os.urandom(size)
    with hostile(answers(EMPTY)) as receiver:
        assert send(client, receiver.url(), body=body).status == 200
        assert sent_to(receiver)[2] == body
        assert not any(header.lower().startswith("expect") for header in sent_to(receiver)[1])


@pytest.mark.parametrize(
    ("url", "ascii"),
    [
        ("https://example.com/a?b#c", "https://example.com/a?b#c"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://BÜCHER.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("https://例え.テスト/x", "https://xn--r8jz45g.xn--zckzah/x"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://a。b/", "http://a.b/"),
        ("https://example.com/straße?ü=ö%20&x=1", "https://example.com/stra%C3%9Fe?%C3%BC=%C3%B6%20&x=1"),
        ("http://[::1]:80/é", "http://[::1]:80/%C3%A9"),
        ("http://Example.com:80/é", "http://Example.com:80/%C3%A9"),
        ("http://é:80/é", "http://xn--9ca:80/%C3%A9"),
    ],
)
def test_a_url_is_dialled_in_ascii(url: str, ascii: str) -> None:
    assert ascii_url(url) == ascii


def test_a_host_and_a_path_outside_ascii_reach_their_server(client: Client) -> None:
    with hostile(answers(EMPTY)) as receiver:
        client.options[pycurl.RESOLVE] = [f"xn--bcher-kva.example:{receiver.port}:127.0.0.1"]
        assert send(client, receiver.url("/straße?ü=1", host="bücher.example")).status == 200

        first, headers, _ = sent_to(receiver)
        assert first == "POST /stra%C3%9Fe?%C3%BC=1 HTTP/1.1"
        assert f"Host: xn--bcher-kva.example:{receiver.port}" in headers


def test_an_ipv6_address_can_be_the_host(client: Client) -> None:
    with hostile(answers(EMPTY), host="::1") as receiver:
        answer = send(client, receiver.url("/é", host="[::1]"))

        assert (answer.status, answer.address) == (200, "::1")
        assert sent_to(receiver)[0] == "POST /%C3%A9 HTTP/1.1"


def test_a_redirect_is_not_followed(client: Client) -> None:
    with hostile(answers(EMPTY)) as second:
        location = b"HTTP/1.1 307 Go\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % second.url().encode()
        with hostile(answers(location)) as first:
            answer = send(client, first.url())

        assert (answer.status, answer.error) == (307, "redirect")
        assert "set the final URL" in answer.detail
        assert (first.connections, second.connections) == (1, 0)


def test_cookies_are_not_kept(client: Client) -> None:
    with hostile(answers(OK + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")) as receiver:
        for _ in range(3):
            send(client, receiver.url())

        assert len(receiver.requests) == 3
        assert not any(b"cookie" in raw.lower() for raw in receiver.requests)


def test_a_challenge_is_not_answered(client: Client) -> None:
    schemes = b"WWW-Authenticate: Basic\r\nWWW-Authenticate: Negotiate\r\n"
    with hostile(answers(b"HTTP/1.1 401 No\r\n" + schemes + b"Content-Length: 0\r\n\r\n")) as receiver:
        assert send(client, receiver.url()).status == 401
        assert len(receiver.requests) == 1


PROXIES = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]


def test_a_proxy_of_the_environment_is_not_used(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile(answers(EMPTY)) as proxy, hostile(answers(EMPTY)) as receiver, hostile(hangs_up) as closed:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url())

        assert send(client, receiver.url()).status == 200
        assert send(client, closed.url().replace("http", "https")).error == "tls"
        assert (proxy.connections, closed.connections) == (0, 1)


def test_a_netrc_is_not_read(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login acme password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with hostile(answers(EMPTY)) as receiver:
        send(client, receiver.url())

        assert b"authorization" not in receiver.requests[0].lower()


def test_a_connection_is_kept_for_the_next_request(client: Client) -> None:
    with hostile(answers(OK + b"Content-Length: 16384\r\n\r\n" + b"x" * 16_384)) as receiver:
        addresses = [send(client, receiver.url()).address for _ in range(5)]

        assert addresses == ["127.0.0.1"] * 5
        assert (receiver.connections, len(receiver.requests)) == (1, 5)


def test_a_kept_connection_that_was_closed_is_opened_anew(client: Client) -> None:
    with hostile(hangs_up_after(EMPTY)) as receiver:
        answers = [send(client, receiver.url()) for _ in range(5)]

        assert [answer.status for answer in answers] == [200] * 5
        assert receiver.connections == 5


def test_a_kept_connection_that_breaks_under_a_request_is_opened_anew(client: Client) -> None:
    def hangs_up_at_the_second(connection: Connection) -> None:
        connection.read_request()
        connection.send(EMPTY)
        connection.read_request()

    with hostile(hangs_up_at_the_second) as receiver:
        assert [send(client, receiver.url()).status for _ in range(3)] == [200] * 3
        assert receiver.connections == 3


def test_requests_of_all_kinds_share_handles_without_leaving_traces(client: Client) -> None:
    """A handle that carried a large body, a long answer or an error is used again."""
    with hostile(answers(OK + b"X-First: 1\r\nContent-Length: 4\r\n\r\nlong")) as first:
        send(client, first.url(), "authorization: of acme", body=b"x" * 100_000)
    assert send(client, first.url()).error == "connect"  # it is closed
    with hostile(answers(EMPTY)) as second:
        answer = send(client, second.url())

        assert len(client.idle) == 1
        assert (answer.body, answer.headers) == (b"", (("Content-Length", "0"),))
        assert b"acme" not in second.requests[0]
        assert second.requests[0].endswith(b"\r\n\r\n{}")


def test_a_request_that_cannot_be_made_is_refused_and_the_next_is_sent(client: Client) -> None:
    with hostile(answers(EMPTY)) as receiver:
        with pytest.raises(UnicodeError):
            client.start("bad", request(receiver.url(), "x-half: \ud83d"))
        with pytest.raises(UnicodeError):
            client.start("bad", request("http://" + "ü" * 70 + ".example/"))

        assert client.in_flight == 0
        assert send(client, receiver.url()).status == 200


MANY = 1200


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4 * MANY), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_than_a_thousand_requests_are_under_way_at_once(client: Client, many_descriptors: None) -> None:
    everybody = threading.Event()

    def waits_for_the_others(connection: Connection) -> None:
        connection.read_request()
        if len(connection.receiver.requests) >= MANY:
            everybody.set()
        everybody.wait()
        connection.send(EMPTY)

    with hostile(waits_for_the_others) as receiver:
        for number in range(MANY):
            client.start(number, request(receiver.url(f"/{number}")))
        ended = finish(client)

        assert sorted(key for key, _ in ended) == list(range(MANY))
        assert {answer.status for _, answer in ended} == {200}
        assert receiver.connections == MANY


def test_abort_drops_everything_and_the_client_can_go_on(client: Client) -> None:
    hung_up = threading.Semaphore(0)

    def waits_until_hung_up(connection: Connection) -> None:
        connection.read_request()
        if not connection.read_request():
            hung_up.release()

    with hostile(waits_until_hung_up) as receiver, hostile(answers(EMPTY)) as other:
        for number in range(20):
            client.start(number, request(receiver.url()))
        while len(receiver.requests) < 20:
            client.poll(0.01)

        assert sorted(client.abort()) == list(range(20))
        assert client.in_flight == 0
        for _ in range(20):
            hung_up.acquire()
        assert send(client, other.url()).status == 200


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def test_neither_descriptors_nor_memory_grow_over_20_000_requests(client: Client) -> None:
    def forgets(connection: Connection) -> None:
        """Every 16th answer closes the connection, so that new ones are opened all the time."""
        for _ in range(16):
            connection.read_request()
            connection.receiver.requests.clear()
            connection.send(OK + b"X-Some: header\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)

    with hostile(forgets) as receiver:

        def send_many(count: int) -> tuple[int, int]:
            started = ended = 0
            while ended < count:
                while started < count and client.in_flight < 8:
                    client.start(started, request(receiver.url(), body=b"x" * 1000))
                    started += 1
                ended += len(client.poll(0.05))
            receiver.threads[1:] = [thread for thread in receiver.threads[1:] if thread.is_alive()]
            receiver.open[:] = [connected for connected in receiver.open if connected.fileno() >= 0]
            return open_descriptors(), resident_bytes()

        descriptors, memory = send_many(4_000)
        descriptors_after, memory_after = send_many(16_000)

    assert descriptors_after <= descriptors + 8  # at times a connection is just being exchanged
    assert memory_after - memory < 4 * 1024 * 1024


def test_a_closed_client_leaves_no_descriptors() -> None:
    with hostile(hears_and_stays_silent) as receiver:
        before = open_descriptors()
        for _ in range(10):
            with a_client() as client:
                client.start(1, request(receiver.url()))
                while len(receiver.requests) < 1:
                    client.poll(0.01)
                receiver.requests.clear()
        for thread in threading.enumerate():
            if thread.name == "close libcurl":
                thread.join()

        assert open_descriptors() - before == 10  # those of the receiver, which stays silent
