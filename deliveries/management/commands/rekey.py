"""POST /v1/admin/rotate-secrets from a shell."""

from typing import Any

from django.conf import settings

from deliveries.rekey import rekey
from hookline import commands
from hookline.commands import Action
from hookline.environment import refuse
from hookline.progress import show


class Command(Action):
    help = (
        "Encrypt all endpoint secrets and custom headers with the first key of HL_MASTER_KEY, while "
        "deliveries go on. If it is interrupted, start it again: it goes on where it was."
    )
    example = "rekey --json"

    def work(self, **options: Any) -> None:
        if not settings.HL_MASTER_KEY:
            refuse("HL_MASTER_KEY is not set: give the key that HookLine runs with, after the new one.")
        changed = rekey(settings.HL_TENANT_ID, commands.by(), show)
        number = next(iter(settings.HL_MASTER_KEY))
        self.tell(
            f"Encrypted anew: endpoints {changed:,}. All are under key {number} now.",
            endpoints=changed,
            key=number,
        )
