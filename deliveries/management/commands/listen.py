"""Delivers to a local port during development."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from itertools import islice
from typing import Any

from django.conf import settings

from deliveries import documents
from deliveries.documents import Stored
from deliveries.listen import Receiver, secret_of
from deliveries.management.watching import Watching, clock, on_topic
from deliveries.models.endpoints import PayloadFormat
from deliveries.work import Answer
from hookline.times import milliseconds

LOCAL = re.compile(r"(\d{1,5})(/.*)?")


class Command(Watching):
    help = (
        "Hand the events of a running HookLine on to a server on this machine, signed as deliveries are, "
        "until Ctrl-C. For development: no endpoint is made, and what fails is not sent again."
    )
    example = "listen 3000/hooks --topic 'order.*'"

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("to", type=place, help="a port, a port with a path, or a URL; such as 3000/hooks")
        super().arguments(parser)
        formats = PayloadFormat.values
        parser.add_argument("--format", choices=formats, default=formats[0], help="default %(default)s")
        parser.add_argument("--secret", help="to sign with; if left out, one of this installation's")

    def work(self, to: str, format: str, count: int | None, **options: Any) -> None:
        secret = options["secret"] or secret_of(settings.HL_SECRET_KEY)
        receiver = Receiver(to, format, secret)
        self.tell(f"Events go to {to}, signed with {secret}. Ctrl-C ends it.", url=to, secret=secret)
        happened = on_topic(self.messages(options["server"], options["tenant"]), options["topic"])
        events = (documents.stored_of(message.data) for message in happened if not message.is_result)
        for event in islice(events, count):
            self.show(event, receiver.take(event))

    def show(self, event: Stored, answer: Answer) -> None:
        came = answer.status or answer.detail
        self.tell(
            f"{clock(milliseconds(event.created_at))}  {event.topic}  {event.id}  "
            f"{came} in {answer.duration_ms} ms",
            self.style.ERROR if answer.error else self.style.SUCCESS,
            event_id=event.id,
            topic=event.topic,
            http_status=answer.status,
            error=answer.error,
            detail=answer.detail,
            duration_ms=answer.duration_ms,
        )


def place(text: str) -> str:
    """`3000`, `3000/hooks` or a whole URL, as a URL."""
    if match := LOCAL.fullmatch(text):
        return f"http://localhost:{match[1]}{match[2] or '/'}"
    if not text.startswith(("http://", "https://")):
        raise ArgumentTypeError(f"write a port, such as 3000 or 3000/hooks, or a URL, not {text!r}")
    return text
