"""Removes the payload of one event, at once and for good."""

from argparse import ArgumentParser
from typing import Any

from deliveries import payloads
from deliveries.models import Event
from hookline import commands
from hookline.commands import Action
from hookline.errors import NotFound
from hookline.ids import parse_uuid


class Command(Action):
    help = (
        "Remove what one event carried, and what receivers answered. The record of its deliveries stays; "
        "what is still to be delivered of it is given up. This cannot be undone."
    )
    example = "expunge 01929e3c-7c6e-7a52-8f0c-4f1e0c5b7a11"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("event", help="its id")

    def work(self, event: str, **options: Any) -> None:
        found = Event.objects.filter(id=parse_uuid(event)).first()
        if found is None:
            raise NotFound("Event not found")
        payloads.expunge(found, commands.by())
        self.tell(f"The payload of event {found.id} is gone.", event_id=found.id, tenant_id=found.tenant_id)
