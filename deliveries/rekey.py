"""Re-encrypts what endpoints keep secret with the first key of HL_MASTER_KEY."""

from django.conf import settings

from deliveries.models import Endpoint
from hookline import keyring
from hookline.database import write

AT_ONCE = 200
BOXES = ("secret_box", "old_secret_box", "headers_box")


def rekey() -> int:
    """Returns how many endpoints were re-encrypted. It can be stopped and started again: what
    is under the current key already is passed over."""
    current = next(iter(settings.HL_MASTER_KEY))
    changed, after = 0, None
    while True:
        with write():
            following = Endpoint.objects.filter(id__gt=after) if after else Endpoint.objects.all()
            batch = list(following.order_by("id").select_for_update()[:AT_ONCE])
            changed += sum(_rekey(endpoint, current) for endpoint in batch)
        if len(batch) < AT_ONCE:
            return changed
        after = batch[-1].id


def _rekey(endpoint: Endpoint, current: int) -> bool:
    boxes = [box for name in BOXES if (box := getattr(endpoint, name))]
    if all(keyring.key_of(bytes(box)) == current for box in boxes):
        return False
    endpoint.reseal()
    endpoint.save(update_fields=BOXES)
    return True
