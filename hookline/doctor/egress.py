"""Where tenants may have deliveries sent."""

from collections.abc import Sequence

from django.conf import settings

from deliveries.sending.guard import PRIVATE, Allowed, Network
from hookline.doctor.findings import Findings, ok, warning

NARROW = "Name the hosts, and their ports: HL_EGRESS_ALLOW=10.20.0.5/32:443"
# A network with so many addresses is somebody's whole house.
MOST_ADDRESSES = 65_536


def egress() -> Findings:
    yield from policy(settings.HL_EGRESS_ALLOW, is_for_trying=settings.EMBEDDED)


def policy(allowed: Sequence[Allowed], *, is_for_trying: bool) -> Findings:
    yield ok("Deliveries go to public addresses" + (f", and to {_list(allowed)}." if allowed else " only."))
    for entry in allowed:
        shown = _list([entry])
        if entry.network.is_loopback:
            if not is_for_trying:
                yield warning(f"{shown} lets tenants reach what runs on this machine.", NARROW)
        elif any(_holds(entry, network) for network in PRIVATE):
            yield warning(f"{shown} opens whole private networks to every tenant.", NARROW)
        elif entry.network.num_addresses >= MOST_ADDRESSES and not entry.ports:
            yield warning(f"{shown} opens every port of {entry.network.num_addresses:,} addresses.", NARROW)


def _holds(entry: Allowed, network: Network) -> bool:
    return all(end in entry.network for end in (network.network_address, network.broadcast_address))


def _list(allowed: Sequence[Allowed]) -> str:
    return ", ".join(":".join([str(entry.network), *map(str, sorted(entry.ports))]) for entry in allowed)
