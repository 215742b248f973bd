"""API keys from a shell: the verbs of /v1/apikeys."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from hookline import commands
from hookline.commands import Action, Verbs
from hookline.database import now
from hookline.errors import NotFound
from hookline.ids import parse_uuid
from tenants import documents, keys, lifecycle, names
from tenants.models import ApiKey


class Create(Action):
    help = "Issue a key, and show its token this once."
    example = "apikey create --tenant acme --name ci --scope events.publish --expires-in 90d"

    def arguments(self, parser: ArgumentParser) -> None:
        tenant_argument(parser)
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument(
            "--scope", action="append", help="such as events.publish; may be repeated; all if left out"
        )
        parser.add_argument("--expires-in", type=commands.duration, help="such as 90d; never if left out")

    def work(
        self, tenant: str, name: str, scope: list[str] | None, expires_in: timedelta | None, **options: Any
    ) -> None:
        chosen, scopes = lifecycle.active(tenant), names.granting(scope or ["*"])
        end = now() + expires_in if expires_in else None
        called = names.printable(name) or "default"
        key, token = keys.issue(chosen.id, called, scopes, "command", commands.by(), end)
        self.tell(f"Key {key.id}. Its token, shown this once: {token}", **documents.of_key(key), key=token)


class List(Action):
    help = "List the keys of a tenant that work, without their tokens."
    example = "apikey list --tenant acme"

    def arguments(self, parser: ArgumentParser) -> None:
        tenant_argument(parser)

    def work(self, tenant: str, **options: Any) -> None:
        found = ApiKey.objects.usable().filter(tenant_id=lifecycle.find(tenant).id).order_by("id")
        chosen = list(found)
        for key, line in zip(chosen, commands.table([row(key) for key in chosen]), strict=True):
            self.tell(line, **documents.of_key(key))


class Revoke(Action):
    help = "Revoke a key, which ends at once."
    example = "apikey revoke 01929e3c-7c6e-7a52-8f0c-4f1e0c5b7a11"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="its id, as `apikey list` tells it")

    def work(self, key: str, **options: Any) -> None:
        found = ApiKey.objects.filter(id=parse_uuid(key)).first()
        if found is None:
            raise NotFound("Key not found")
        keys.revoke(found, commands.by())
        self.tell(f"Key {found.id} is revoked.", key_id=found.id, tenant_id=found.tenant_id)


class Command(Verbs):
    help = "Issue, list and revoke API keys. Example: manage.py apikey create --tenant acme"
    verbs = {"create": Create, "list": List, "revoke": Revoke}


def tenant_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--tenant", default=settings.HL_TENANT_ID, help="its id; default %(default)s")


def row(key: ApiKey) -> tuple[object, ...]:
    return key.id, f"{key.prefix}…", _until(key.expires_at), ",".join(key.scopes), key.name


def _until(end: datetime | None) -> str:
    return f"until {end:%Y-%m-%d %H:%M}" if end else "for good"
