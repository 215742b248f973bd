"""Which certificates the client takes, and what it says about the others."""

import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pycurl
import pytest

from deliveries.sending.client import Client
from tests.certificates import Authority
from tests.hostile import OK, answers, hangs_up, hostile, stays_silent
from tests.sending import a_client, send

EMPTY = OK + b"Content-Length: 0\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def client(authority: Authority) -> Iterator[Client]:
    with a_client(authorities=str(authority.file)) as client:
        yield client


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_is_in_order_is_taken(client: Client, authority: Authority, host: str) -> None:
    with hostile(answers(EMPTY), authority.server()) as receiver:
        assert [send(client, receiver.url(host=host)).status for _ in range(2)] == [200, 200]
        assert receiver.connections == 1


def test_the_certificate_is_for_the_name_though_an_address_is_dialled(
    client: Client, authority: Authority
) -> None:
    asked: list[str | None] = []
    context = authority.server("hooks.acme.example")
    context.sni_callback = lambda socket, name, context: asked.append(name)
    with hostile(answers(EMPTY), context) as receiver:
        client.options[pycurl.RESOLVE] = [f"hooks.acme.example:{receiver.port}:127.0.0.1"]
        assert send(client, receiver.url(host="hooks.acme.example")).status == 200

        assert asked == ["hooks.acme.example"]
        assert f"Host: hooks.acme.example:{receiver.port}".encode() in receiver.requests[0]


def refused(client: Client, context: ssl.SSLContext, host: str = "localhost") -> str:
    """What is said of a certificate; no request may be sent to whoever shows it."""
    with hostile(answers(EMPTY), context) as receiver:
        answer = send(client, receiver.url(host=host))
        assert (answer.status, answer.error) == (0, "tls")
        assert (receiver.requests, receiver.connections) == ([], 1)
    assert answer.detail.startswith("The TLS handshake failed; check the receiver's certificate.")
    return answer.detail


def test_an_expired_certificate_is_refused(client: Client, authority: Authority) -> None:
    assert "certificate has expired" in refused(client, authority.server(days_left=-1))


def test_a_certificate_of_the_future_is_refused(client: Client, authority: Authority) -> None:
    assert "not yet valid" in refused(client, authority.server(days_left=20))


def test_a_certificate_for_another_name_is_refused(client: Client, authority: Authority) -> None:
    assert "localhost" in refused(client, authority.server("other.example", "192.0.2.1"))


def test_a_self_signed_certificate_is_refused(client: Client, authority: Authority) -> None:
    assert "self-signed" in refused(client, authority.server(self_signed=True))


def test_a_certificate_of_an_unknown_authority_is_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "globex").mkdir()
    unknown = Authority(tmp_path / "globex", "an authority that nobody knows")
    assert "issuer certificate" in refused(client, unknown.server())


def test_the_authorities_of_the_machine_are_not_asked(authority: Authority) -> None:
    """Without a file of its own the client trusts certifi's, which does not hold the tests'."""
    with a_client() as client:
        assert "issuer certificate" in refused(client, authority.server())


def test_tls_older_than_1_2_is_refused(client: Client, authority: Authority) -> None:
    context = authority.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    refused(client, context)


def test_a_server_that_speaks_no_tls_is_told_from_one_that_does(client: Client) -> None:
    with hostile(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as receiver:
        assert send(client, f"https://127.0.0.1:{receiver.port}/").error == "tls"
    with hostile(hangs_up) as receiver:
        assert send(client, f"https://127.0.0.1:{receiver.port}/").error == "tls"


def test_a_tls_server_that_is_spoken_to_in_the_clear_answers_nothing(
    client: Client, authority: Authority
) -> None:
    with hostile(answers(EMPTY), authority.server()) as receiver:
        assert send(client, f"http://127.0.0.1:{receiver.port}/").error in ("connect", "protocol")
        assert receiver.requests == []


def test_a_handshake_that_never_ends_is_a_timeout(client: Client) -> None:
    with hostile(stays_silent) as receiver:
        answer = send(client, f"https://127.0.0.1:{receiver.port}/", timeout_ms=300)

    assert (answer.status, answer.error) == (0, "timeout")


def test_a_handshake_that_drips_is_a_timeout(client: Client) -> None:
    with hostile(lambda connection: connection.repeat(b"\x16", 0.01)) as receiver:
        assert send(client, f"https://127.0.0.1:{receiver.port}/", timeout_ms=300).error in ("tls", "timeout")
