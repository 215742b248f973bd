"""Tenants from a shell: the verbs of /v1/tenants."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from deliveries import purge
from deliveries.moving.verbs import Export, Import
from hookline import commands
from hookline.commands import Action, Verbs
from hookline.environment import refuse
from hookline.ids import uuid7
from hookline.progress import show
from tenants import documents, lifecycle, names
from tenants.models import Tenant

AT_ONCE_SECONDS = 1.0
DEFAULT = "default"


class Create(Action):
    help = "Make a tenant, and show its first key this once."
    example = "tenant create --id acme --name 'ACME Ltd'"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--id", help="1 to 200 letters, digits or . _ : @ + -; made up if left out")
        parser.add_argument("--name", default="", help="for people")

    def work(self, id: str | None, name: str, **options: Any) -> None:
        tenant_id = str(uuid7()) if id is None else names.tenant_id(id)
        tenant, token = lifecycle.create(
            tenant_id, names.printable(name) or "unnamed", None, "command", commands.by()
        )
        self.tell(
            f"Tenant {tenant.id}. Its key, shown this once: {token}",
            **documents.of_tenant(tenant),
            api_key=token,
        )


class List(Action):
    help = "List the tenants that are active."
    example = "tenant list --json"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="deleted ones, too")

    def work(self, all: bool, **options: Any) -> None:
        tenants = Tenant.objects.order_by("created_at", "id")
        chosen = list(tenants if all else tenants.filter(status=Tenant.Status.ACTIVE))
        lines = commands.table([(t.id, t.status, f"{t.created_at:%Y-%m-%d}", t.name) for t in chosen])
        for tenant, line in zip(chosen, lines, strict=True):
            self.tell(line, **documents.of_tenant(tenant))


class Update(Action):
    help = "Change a tenant's name, or how many jobs may wait for it."
    example = "tenant update acme --max-queue-depth 5000"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="its id")
        parser.add_argument("--name", help="for people")
        parser.add_argument(
            "--max-queue-depth", type=depth, help="pending jobs before 429; `default` for HL_MAX_QUEUE_DEPTH"
        )

    def work(self, tenant: str, name: str | None, max_queue_depth: object, **options: Any) -> None:
        values: dict[str, Any] = {}
        if name is not None and (printable := names.printable(name)):
            values["name"] = printable
        if max_queue_depth is not None:
            wanted = None if max_queue_depth == DEFAULT else max_queue_depth
            values["max_queue_depth"] = names.queue_depth(wanted)
        if not values:
            refuse("Say what to change: --name, --max-queue-depth or both.")
        chosen = lifecycle.active(tenant)
        lifecycle.change(chosen, values, commands.by())
        self.tell(f"Tenant {chosen.id} is changed.", **documents.of_tenant(chosen))


class Purge(Action):
    help = "Delete a tenant and all it has: its keys at once, then endpoints, events and history."
    example = "tenant purge acme --yes"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="its id")
        parser.add_argument("--yes", action="store_true", help="do not ask for the id to be typed again")

    def work(self, tenant: str, yes: bool, **options: Any) -> None:
        chosen = lifecycle.find(tenant)
        if not yes:
            require_typed(chosen.id)
        purge.delete_tenant(chosen, commands.by())
        self.remove(chosen)
        self.tell(f"Tenant {chosen.id} is deleted, with all it had.", tenant_id=chosen.id, status="deleted")

    def remove(self, tenant: Tenant) -> None:
        """Goes on where the request of an API would have left the rest to a chore."""
        removed = 0
        while Tenant.objects.filter(id=tenant.id, purged_at=None).exists():
            removed += purge.purge(tenant.id, AT_ONCE_SECONDS)
            show("events", removed, 0)
        show("events", removed, 1)


class Command(Verbs):
    help = "Make, list, change, move and delete tenants. Example: manage.py tenant create --id acme"
    verbs = {
        "create": Create,
        "list": List,
        "update": Update,
        "export": Export,
        "import": Import,
        "purge": Purge,
    }


def depth(text: str) -> int | str:
    """A number of jobs, or the word that stands for the installation's limit."""
    if text != DEFAULT and not text.isdecimal():
        raise ArgumentTypeError(f"write a whole number, or {DEFAULT}, not {text!r}")
    return text if text == DEFAULT else int(text)


def require_typed(tenant_id: str) -> None:
    """Ends with status 2 unless someone at a terminal types the id."""
    if not sys.stdin.isatty():
        refuse("This cannot be undone: say --yes, or type the id at a terminal.")
    sys.stderr.write(f"All that tenant {tenant_id} has is deleted, for good. Type its id to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != tenant_id:
        refuse("That is not its id; nothing was deleted.")
