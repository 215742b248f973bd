"""Re-encrypts what endpoints keep secret with the first key of HL_MASTER_KEY."""

from uuid import UUID

from django.conf import settings

from deliveries.models import Endpoint
from hookline import keyring
from hookline.database import write
from hookline.errors import Conflict
from hookline.ids import NO_ID
from hookline.keyring import CannotOpen
from hookline.progress import Progress, unseen
from tenants import audit

AT_ONCE = 50
BOXES = ("secret_box", "old_secret_box", "headers_box")


def rekey(tenant_id: str, by: str, progress: Progress = unseen) -> int:
    """Returns how many endpoints were re-encrypted. It can be killed and started again: what is under
    the current key already is passed over. What cannot be opened is left and does not keep the others:
    it raises Conflict in the end."""
    changed, closed, seen, after = 0, list[UUID](), 0, NO_ID
    total = Endpoint.objects.count()
    while batch := _rekey_some(after, closed):
        changed, seen, after = changed + sum(batch.values()), seen + len(batch), max(batch)
        progress("endpoints", seen, min(0.99, seen / max(1, total)))
    progress("endpoints", seen, 1)
    if changed:
        audit.record(tenant_id, by, "secrets.reencrypted", endpoints=changed)
    if closed:
        raise Conflict(
            f"HL_MASTER_KEY holds no key for the secrets of {len(closed)} endpoints, the first of them "
            f"{closed[0]}: add the key that they were encrypted with, and do this again."
        )
    return changed


def _rekey_some(after: UUID, closed: list[UUID]) -> dict[UUID, bool]:
    """The next endpoints, and whether each was re-encrypted; `closed` gets those that cannot be."""
    with write():
        following = Endpoint.objects.filter(id__gt=after).order_by("id").select_for_update()
        return {endpoint.id: _rekey(endpoint, closed) for endpoint in following[:AT_ONCE]}


def _rekey(endpoint: Endpoint, closed: list[UUID]) -> bool:
    current = next(iter(settings.HL_MASTER_KEY))
    boxes = [box for name in BOXES if (box := getattr(endpoint, name))]
    if all(keyring.key_of(bytes(box)) == current for box in boxes):
        return False
    try:
        endpoint.reseal()
    except CannotOpen:
        closed.append(endpoint.id)
        return False
    endpoint.save(update_fields=BOXES)
    return True
