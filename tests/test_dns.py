"""Names that lead astray: each address is judged when it is dialled, however it was found."""

from collections.abc import Iterator
from pathlib import Path

import pycurl
import pytest

from deliveries.sending.client import Client
from tests.certificates import Authority
from tests.hostile import OK, Hostile, hangs_up_after, hears_and_stays_silent, hostile
from tests.resolver import NAME_ERROR, SERVER_FAILURE, Zone, options, resolver
from tests.sending import LOOPBACK, a_client, send

CLOSE = OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
ALLOWED, REFUSED = "127.0.0.2", "127.0.0.1"
NAME = "hooks.acme.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def client(authority: Authority) -> Iterator[Client]:
    """May reach one address of the loopback, as a stand-in for the public ones."""
    with a_client(f"{ALLOWED}/32", str(authority.file)) as client:
        yield client


@pytest.fixture
def everywhere() -> Iterator[Hostile]:
    """A receiver on all addresses of the loopback."""
    with hostile(hangs_up_after(CLOSE), host="0.0.0.0") as receiver:
        yield receiver


def test_the_name_server_of_these_tests_is_the_one_asked(
    client: Client, authority: Authority, everywhere: Hostile
) -> None:
    with resolver(authority, lambda: [ALLOWED]) as names:
        client.options |= options(names)
        answer = send(client, everywhere.url(host=NAME))

    assert (answer.status, answer.address) == (200, ALLOWED)
    assert f"Host: {NAME}:{everywhere.port}".encode() in everywhere.requests[0]


def test_a_name_that_is_bound_anew_to_the_loopback_is_refused_then(
    client: Client, authority: Authority, everywhere: Hostile
) -> None:
    bound_to = [ALLOWED]
    with resolver(authority, lambda: bound_to) as names:
        client.options |= options(names)
        first = send(client, everywhere.url(host=NAME))
        bound_to[:] = [REFUSED]
        second = send(client, everywhere.url(host=NAME))
        bound_to[:] = ["::1"]
        third = send(client, everywhere.url(host=NAME))

    assert [first.status, second.error, third.error] == [200, "blocked_address", "blocked_address"]
    assert [first.address, second.address, third.address] == [ALLOWED, REFUSED, "::1"]
    assert everywhere.connections == 1
    assert REFUSED not in second.detail


def test_only_the_allowed_one_of_several_addresses_is_dialled(
    client: Client, authority: Authority, everywhere: Hostile
) -> None:
    with resolver(authority, lambda: [REFUSED, "10.0.0.1", "::1", ALLOWED, "169.254.169.254"]) as names:
        client.options |= options(names)
        answer = send(client, everywhere.url(host=NAME))

    assert (answer.status, answer.address) == (200, ALLOWED)
    assert everywhere.connections == 1


def test_a_refused_address_is_not_dialled_when_the_allowed_one_does_not_answer(
    client: Client, authority: Authority
) -> None:
    with (
        hostile(hangs_up_after(CLOSE), host=REFUSED) as loopback,
        resolver(authority, lambda: [ALLOWED, REFUSED]) as names,
    ):
        client.options |= options(names)
        answer = send(client, loopback.url(host=NAME))

        assert answer.error in ("connect", "blocked_address")
        assert loopback.connections == 0


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(lambda: NAME_ERROR, id="no such name"),
        pytest.param(lambda: SERVER_FAILURE, id="the name server failed"),
        pytest.param(list, id="no address"),
    ],
)
def test_a_name_without_addresses_is_a_failure_of_its_own(
    client: Client, authority: Authority, everywhere: Hostile, zone: Zone
) -> None:
    with resolver(authority, zone) as names:
        client.options |= options(names)
        answer = send(client, everywhere.url(host=NAME))

    assert (answer.status, answer.error, answer.address) == (0, "dns", "")
    assert everywhere.connections == 0


def test_the_deadline_covers_the_look_up_of_the_name(client: Client, everywhere: Hostile) -> None:
    with hostile(hears_and_stays_silent) as silent:
        client.options |= {pycurl.DOH_URL: f"https://127.0.0.1:{silent.port}/"}
        answer = send(client, everywhere.url(host=NAME), timeout_ms=300)

    assert (answer.status, answer.error) == (0, "dns")
    assert answer.detail == "The host name was not resolved in time; check its DNS servers."
    assert answer.duration_ms >= 300


def test_a_thousand_refused_addresses_are_dialled_none_of_them(client: Client, everywhere: Hostile) -> None:
    addresses = ",".join(f"127.0.{n // 250}.{n % 250 + 3}" for n in range(1000))
    client.options[pycurl.RESOLVE] = [f"{NAME}:{everywhere.port}:{addresses}"]

    assert send(client, everywhere.url(host=NAME)).error == "blocked_address"
    assert everywhere.connections == 0


def test_the_system_s_resolver_is_asked_in_a_thread_of_its_own() -> None:
    """libcurl's build decides: a name that takes long must not hold up the other requests."""
    assert pycurl.version_info()[4] & pycurl.VERSION_ASYNCHDNS


def test_a_name_of_the_hosts_file_is_judged_by_where_it_leads(everywhere: Hostile) -> None:
    with a_client("") as closed, a_client(LOOPBACK) as opened:
        assert send(closed, everywhere.url(host="localhost")).error == "blocked_address"
        assert everywhere.connections == 0
        assert send(opened, everywhere.url(host="localhost")).status == 200
