"""The record of who changed what: append-only, one chain of hashes per tenant.

Each entry's hash covers the entry and the hash before it, so a row that was edited, removed,
moved or slipped in breaks every hash after it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from hookline.database import now, write
from tenants.models import AuditEntry, Tenant

START = "0" * 64
# The actor of what nobody asked for.
OURSELVES = "HookLine"


def record(tenant_id: str, actor: str, action: str, target: object = "", **metadata: Any) -> None:
    """Adds an entry, in the transaction of the change itself where there is one.

    `action` is `<resource>.<verb>`, such as `endpoint.created`. No secret may be in `metadata`.
    """
    with write():
        # The tenant's row is the lock that keeps the chain in one line.
        Tenant.objects.select_for_update(no_key=True).filter(id=tenant_id).first()
        latest = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("-number").first()
        entry = AuditEntry(
            tenant_id=tenant_id,
            number=latest.number + 1 if latest else 1,
            actor=actor,
            action=action,
            target=str(target),
            metadata=msgspec.json.encode(metadata).decode(),
            at=now(),
        )
        entry.hash = hash_of(entry, latest.hash if latest else START)
        entry.save(force_insert=True)


def hash_of(entry: AuditEntry, previous: str) -> str:
    """SHA-256 over the hash before and the entry's own columns."""
    columns = [entry.tenant_id, entry.number, entry.actor, entry.action, entry.target, entry.metadata]
    text = msgspec.json.encode([previous, *columns, entry.at.isoformat()])
    return hashlib.sha256(text).hexdigest()


def broken_links(tenant_id: str, newest: int | None = None) -> Iterator[AuditEntry]:
    """The entries whose hash or number does not follow from the entry before: of all, or of the newest so
    many."""
    entries = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("number")
    previous, number = START, 0
    if newest is not None and (before := entries.reverse()[newest : newest + 1].first()):
        previous, number = before.hash, before.number
    for entry in entries.filter(number__gt=number).iterator():
        number += 1
        if entry.number != number or entry.hash != hash_of(entry, previous):
            yield entry
            number = entry.number
        previous = entry.hash


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which entries were looked at, by number, and the first that does not follow. `last` is 0 where there
    are none."""

    first: int
    last: int
    broken: AuditEntry | None


def verify(tenant_id: str, newest: int) -> Verdict:
    latest = AuditEntry.objects.filter(tenant_id=tenant_id).order_by("-number").first()
    last = latest.number if latest else 0
    return Verdict(max(1, last - newest + 1), last, next(broken_links(tenant_id, newest), None))


def sentence_of(broken: AuditEntry) -> str:
    return f"entry {broken.number} ({broken.action}, {broken.at}) does not follow from the one before it."
