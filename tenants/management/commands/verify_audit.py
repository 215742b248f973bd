"""Whether anybody changed what is written about who did what."""

from argparse import ArgumentParser
from typing import Any

from hookline.commands import Action
from tenants import audit
from tenants.models import AuditEntry


class Command(Action):
    help = (
        "Verify the audit log: ends with status 1 and names the first entry of each tenant that was changed."
    )
    example = "verify_audit --tenant acme"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="its id; all if left out")

    def work(self, tenant: str | None, **options: Any) -> None:
        entries = AuditEntry.objects.order_by("tenant_id").values_list("tenant_id", flat=True).distinct()
        tenants = [tenant] if tenant else list(entries)
        broken = [entry for each in tenants if (entry := next(audit.broken_links(each), None))]
        for entry in broken:
            sentence = f"Tenant {entry.tenant_id}: {audit.sentence_of(entry)}"
            self.tell(sentence, tenant_id=entry.tenant_id, number=entry.number, detail=sentence)
        if broken:
            raise SystemExit(1)
        self.tell("Every entry follows from the one before it.", tenants=len(tenants))
