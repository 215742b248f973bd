"""The guard against inner addresses: every range, every spelling, and a canary that hears no knock."""

import contextlib
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from urllib.parse import quote

import pytest

from deliveries.sending.client import Client
from deliveries.sending.guard import Guard, parse_allow
from tests.certificates import Authority
from tests.hostile import Hostile, hangs_up_after, hostile
from tests.resolver import options, resolver
from tests.sending import LOOPBACK, a_client, finish, request, send

pytestmark = pytest.mark.embedded

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

RANGES = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
    "192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 "
    "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32 "
    "168.63.129.16/32 ::/8 64:ff9b::/32 100::/8 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 "
    "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20"
).split()
NEVER = (
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 fe80::/10 ff00::/8 168.63.129.16 100.100.100.200 192.0.0.192 "
    "fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42"
).split()
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.0", "11.0.0.0", "2606:4700::1111", "2a00:1450:4001::1"]
INNER = [
    IPv4Address(text)
    for text in (
        "127.0.0.1 127.1.2.3 127.255.255.254 0.0.0.0 10.0.0.1 10.255.0.7 100.64.0.1 169.254.169.254 "
        "172.16.0.9 172.31.255.254 192.168.0.1 168.63.129.16 100.100.100.200 198.18.0.1 224.0.0.1 "
        "255.255.255.255"
    ).split()
]
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
CIRCLED = str.maketrans("123456789", "①②③④⑤⑥⑦⑧⑨")
LEAST_FORMS = 600


@dataclass
class Canary:
    """On every address of this machine, of both kinds: whatever is dialled here is heard."""

    four: Hostile
    six: socket.socket

    @property
    def port(self) -> int:
        return self.four.port

    def knocks(self) -> int:
        heard = self.four.connections
        with contextlib.suppress(BlockingIOError):
            while True:
                self.six.accept()[0].close()
                heard += 1
        return heard


@pytest.fixture
def canary() -> Iterator[Canary]:
    with (
        hostile(hangs_up_after(OK), host="0.0.0.0") as four,
        socket.create_server(("::", four.port), family=socket.AF_INET6, backlog=1024) as six,
    ):
        six.setblocking(False)
        yield Canary(four, six)


@pytest.mark.parametrize("text", RANGES)
def test_both_ends_of_every_range_are_refused(text: str) -> None:
    network = ip_network(text)
    for address in (network[0], network[-1], network[network.num_addresses // 2]):
        assert Guard().refusal(str(address), 443) is not None


@pytest.mark.parametrize("text", NEVER)
def test_no_permission_opens_what_is_never_dialled(text: str) -> None:
    guard, network = Guard(parse_allow("0.0.0.0/0 ::/0")), ip_network(text)
    assert guard.refusal(str(network[0]), 80) is not None
    assert guard.refusal(str(network[-1]), 80) is not None


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_may_be_dialled(text: str) -> None:
    assert Guard().refusal(text, 443) is None


def test_what_the_standard_library_calls_inner_is_never_let_through() -> None:
    guard, chance = Guard(), random.Random(4)
    for _ in range(20_000):
        four = IPv4Address(chance.getrandbits(32))
        six = IPv6Address(chance.getrandbits(128))
        for address in (four, six):
            assert address.is_global or guard.refusal(str(address), 443) is not None


def test_the_canary_is_heard_when_the_loopback_is_allowed(canary: Canary) -> None:
    with a_client(LOOPBACK) as client:
        for host in ("127.0.0.1", "127.9.9.9", "2130706433", "[::ffff:127.0.0.1]", "[::1]"):
            send(client, f"http://{host}:{canary.port}/", timeout_ms=500)
    assert canary.knocks() == 5


def test_no_spelling_of_an_inner_address_reaches_it(canary: Canary) -> None:
    urls = {
        f"{scheme}://{host}:{canary.port}/"
        for scheme in ("http", "https")
        for address in INNER
        for host in spellings(address)
    } | {f"http://{host}:{canary.port}/" for host in SIXES}
    assert len(urls) >= LEAST_FORMS

    with a_client("") as client:
        for url in sorted(urls):
            client.start(url, request(url, timeout_ms=8000))
        ended = finish(client)

    assert len(ended) == len(urls)
    # None was dialled: that would have ended in an answer, a refusal or a time-out.
    wrong = {
        url: answer for url, answer in ended if answer.error not in ("blocked_address", "dns", "protocol")
    }
    assert wrong == {}
    assert canary.knocks() == 0


def test_no_name_leads_inside(canary: Canary, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with a_client("", str(authority.file)) as client:
        # The name server of this test is on the loopback, so that alone is open, on its port alone.
        zone = [""]
        with resolver(authority, lambda: zone) as names:
            client.options |= options(names)
            client.guard = Guard(parse_allow(f"127.0.0.0/8:{names.port}"))
            for address in inner_addresses():
                zone[:] = [address]
                answer = _send(client, f"http://inside.acme.example:{canary.port}/")
                assert answer == "blocked_address", address
    assert canary.knocks() == 0


def _send(client: Client, url: str) -> str | None:
    return send(client, url).error


def inner_addresses() -> list[str]:
    networks = [ip_network(text) for text in RANGES]
    return [str(network[place]) for network in networks for place in (0, -1)] + ["::1", "::ffff:127.0.0.1"]


SIXES = (
    "[::1] [::] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [fe80::1] "
    "[fe80::1%25lo] "
    "[::1%25lo] [fc00::1] [fd00:ec2::254] [fec0::1] [ff02::1] [2001:db8::1] [100::1] [5f00::1] [3fff::1] "
    "localhost LOCALHOST localhost. ip6-localhost"
).split()


def spellings(address: IPv4Address) -> set[str]:
    a, b, c, d = address.packed
    number, dotted = int(address), str(address)
    high, low = number >> 16, number & 0xFFFF
    sixes = [
        f"::ffff:{dotted}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{high:x}:{low:x}", f"::{dotted}",
        f"::FFFF:{high:04X}:{low:04X}", f"64:ff9b::{dotted}", f"64:ff9b:1::{dotted}", f"::ffff:0:{dotted}",
        f"2002:{high:x}:{low:x}::", f"2002:{high:x}:{low:x}::1", f"fe80::5efe:{high:x}:{low:x}",
        f"2001::{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}",
    ]  # fmt: skip
    return {
        dotted, f"{dotted}.", f"{number}", f"0x{number:x}", f"0X{number:X}", f"0{number:o}", f"00{number:o}",
        f"0x00000{number:x}", f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{low}", f"0x{a:x}.{number & 0xFFFFFF}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0x{a:02x}.{b}.0{c:o}.{d}",
        f"{a}.0x{b:x}.{low}", f"{a}.{b}.0x{low:x}", f"00{a:o}.{b}.{c}.{d}", f"{a}.{b}.{c}.0{d:o}",
        dotted.translate(FULL_WIDTH), dotted.translate(CIRCLED), dotted.replace(".", "。"),
        dotted.replace(".", "．"), quote(dotted).replace(".", "%2e"),
        "".join(f"%{ord(x):02x}" for x in dotted),
        *(f"[{six}]" for six in sixes),
    }  # fmt: skip
