from typing import Any

from django.core.management.base import BaseCommand

from tenants import audit
from tenants.models import AuditEntry


class Command(BaseCommand):
    help = (
        "Verify the audit log: ends with status 1 and names the first entry of each tenant that was changed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        tenants = AuditEntry.objects.order_by("tenant_id").values_list("tenant_id", flat=True).distinct()
        broken = [entry for tenant in tenants if (entry := next(audit.broken_links(tenant), None))]
        for entry in broken:
            self.stdout.write(
                f"Tenant {entry.tenant_id}: entry {entry.number} ({entry.action}, {entry.at}) does not "
                "follow from the one before it."
            )
        if broken:
            raise SystemExit(1)
        self.stdout.write("Every entry follows from the one before it.")
