"""The installation's switch: whether workers take jobs. Publishing goes on while they do not."""

from django.db import transaction

from deliveries import bell
from hookline.database import checkpoint, write
from hookline.models import Switch
from tenants import audit


def pause(tenant_id: str, by: str) -> None:
    """Workers end what they have begun and take nothing more. The audit log is that of the tenant of
    whoever did it. The embedded store's file is made whole, since scripts pause, copy, and resume."""
    _turn(True, tenant_id, by, "claims.paused")
    transaction.on_commit(checkpoint)


def resume(tenant_id: str, by: str) -> None:
    _turn(False, tenant_id, by, "claims.resumed")


def is_paused() -> bool:
    return Switch.objects.filter(name=Switch.CLAIMS_PAUSED, is_on=True).exists()


def _turn(is_on: bool, tenant_id: str, by: str, action: str) -> None:
    with write():
        Switch.objects.update_or_create(name=Switch.CLAIMS_PAUSED, defaults={"is_on": is_on})
        audit.record(tenant_id, by, action)
        transaction.on_commit(bell.ring)
