"""Which addresses a delivery may dial.

The judgement is made on the address about to be dialled, never on the text of a URL: names,
short forms such as `127.1` and IPv4 inside IPv6 have all become plain addresses by then.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(word) for word in text.split())


# Not even an allowed network opens these: this-host, link-local, multicast, cloud metadata.
NEVER = networks(
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 168.63.129.16/32 100.100.100.200/32 192.0.0.192/32 "
    "fe80::/10 ff00::/8 ::/128 fd00:ec2::254/128 fd00:ec2::23/128 fd20:ce::254/128 fd00:42::42/128"
)
# IANA's special-purpose registries, less what NEVER holds.
PRIVATE = networks(
    "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24 "
    "192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 "
    "203.0.113.0/24 240.0.0.0/4 "
    "2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20"
)
# Of IPv6 only this is public. What lies outside carries IPv4 in disguise, is local to a site, or
# is not assigned.
GLOBAL_UNICAST = IPv6Network("2000::/3")
# Where the last 32 bits are an IPv4 address that some gateway goes on to: compatible, translated,
# and the two kinds of NAT64. ISATAP puts it behind a mark in the middle of any address.
WRAPPED = networks("::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48")
ISATAP, ISATAP_MASK = 0x5EFE << 32, 0xFDFFFFFF << 32

# Tenants read these, so they do not say which address it was.
NEVER_DIALLED = "The host leads to a reserved address, which is never dialled."
NOT_ALLOWED = "The host leads to a private address; the operator can allow it with HL_EGRESS_ALLOW."


@dataclass(frozen=True)
class Allowed:
    """A private network that the operator opened, on some ports or on all (none named)."""

    network: Network
    ports: frozenset[int] = frozenset()

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and (not self.ports or port in self.ports)


@dataclass(frozen=True)
class Guard:
    """`own` are the addresses and ports of our database and broker: never a customer's."""

    allowed: tuple[Allowed, ...] = ()
    own: frozenset[tuple[Address, int]] = frozenset()

    def refusal(self, text: str, port: int) -> str | None:
        """Why this address may not be dialled, as a sentence; None if it may be."""
        return _refusal(self, text, port)


@lru_cache(maxsize=65_536)
def _refusal(guard: Guard, text: str, port: int) -> str | None:
    if "%" in text:  # bound to one network interface
        return NEVER_DIALLED
    address = unwrap(ip_address(text))
    if any(_is_forbidden(guard, face, port) for face in (address, wrapped(address)) if face):
        return NEVER_DIALLED
    if is_public(address) or any(entry.covers(address, port) for entry in guard.allowed):
        return None
    return NOT_ALLOWED


def _is_forbidden(guard: Guard, address: Address, port: int) -> bool:
    is_own = any(port == own and same_host(address, host) for host, own in guard.own)
    return is_own or any(address in network for network in NEVER)


def unwrap(address: Address) -> Address:
    """The IPv4 address inside `::ffff:a.b.c.d`, since that is what the kernel dials."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def wrapped(address: Address) -> IPv4Address | None:
    """The IPv4 address that a tunnel or a gateway would make of this IPv6 address."""
    if isinstance(address, IPv4Address) or address.is_loopback:
        return None
    if address.teredo:
        return address.teredo[1]
    is_isatap = int(address) & ISATAP_MASK == ISATAP
    if is_isatap or any(address in network for network in WRAPPED):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def is_public(address: Address) -> bool:
    """Both our list and the standard library must agree; each knows ranges the other lacks."""
    if isinstance(address, IPv6Address) and (address not in GLOBAL_UNICAST or wrapped(address)):
        return False
    listed = any(address in network for network in PRIVATE)
    return address.is_global and not (listed or address.is_multicast or address.is_reserved)


def same_host(address: Address, own: Address) -> bool:
    """Every loopback address reaches a server that listens on one of them."""
    return address == own or (address.is_loopback and own.is_loopback)


def parse_allow(text: str) -> tuple[Allowed, ...]:
    """`10.20.0.0/16:443:8443, fd12::/48` as a list. Raises ValueError with a sentence."""
    return tuple(_parse_entry(word) for word in re.split(r"[\s,;]+", text) if word)


def _parse_entry(word: str) -> Allowed:
    address, slash, tail = word.partition("/")
    prefix, *ports = tail.split(":")
    try:
        network = ip_network(address + slash + prefix)
    except ValueError as fault:
        raise ValueError(f"write CIDRs such as 10.20.0.0/16:443, not {word!r} ({fault})") from None
    return Allowed(network, frozenset(_parse_port(port) for port in ports))


def _parse_port(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise ValueError(f"{text!r} is not a port from 1 to 65535")
    return int(text)
