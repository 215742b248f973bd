"""The record of who changed what: append-only, one chain of hashes per tenant.

Each entry's hash covers the entry and the hash before it, so a row that was edited, removed,
moved or slipped in breaks every hash after it.
"""

import hashlib
from collections.abc import Iterator
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


def broken_links(tenant_id: str) -> Iterator[AuditEntry]:
    """The entries whose hash or number does not follow from the entry before."""
    previous, number = START, 0
    for entry in AuditEntry.objects.filter(tenant_id=tenant_id).order_by("number").iterator():
        number += 1
        if entry.number != number or entry.hash != hash_of(entry, previous):
            yield entry
            number = entry.number
        previous = entry.hash
