"""What `tail` and `listen` have in common: where they hear what happens, and of what they tell."""

import json
from argparse import ArgumentParser
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings

from deliveries import live
from deliveries.live import Message, NotLetIn
from deliveries.rules import topics
from hookline.commands import Action
from hookline.environment import refuse
from hookline.times import EPOCH, MILLISECOND
from tenants import lifecycle

# Events whose results are still told.
FOLLOWED = 10_000


class Watching(Action):
    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", default=settings.HL_TENANT_ID, help="its id; default %(default)s")
        parser.add_argument(
            "--server", metavar="URL", help="a running HookLine to ask instead of the store, with HL_API_KEY"
        )
        parser.add_argument("--topic", default=live.ALL, help="a pattern, such as 'order.*'; default all")
        parser.add_argument("--count", type=int, help="end after so many")

    def needs_store(self, **options: Any) -> bool:
        return options["server"] is None

    def messages(self, server: str | None, tenant: str) -> Iterator[Message]:
        """What happens, from where the options say. Ends with status 2 if that is nowhere."""
        if server is None:
            return live.of_store(lifecycle.active(tenant).id)
        return _of_server(server)


def _of_server(url: str) -> Iterator[Message]:
    try:
        yield from live.once(live.of_server(url, settings.HL_API_KEY))
    except NotLetIn as fault:
        refuse(str(fault))


def on_topic(messages: Iterator[Message], pattern: str) -> Iterator[Message]:
    """Events on these topics, and their results."""
    followed: OrderedDict[str, None] = OrderedDict()
    for message in messages:
        if message.is_result:
            if message.id in followed or pattern == live.ALL:
                yield message
        elif topics.matches(pattern, message.topic):
            followed[message.id] = None
            if len(followed) > FOLLOWED:
                followed.popitem(last=False)
            yield message


def results(messages: Iterator[Message], endpoint: str | None, *, are_failed: bool) -> Iterator[Message]:
    """Of one endpoint, of failures, or of both."""
    for message in messages:
        if message.is_result:
            told = json.loads(message.data)
            if endpoint in (None, told["endpoint_id"]) and not (are_failed and told["status"] == "success"):
                yield message


def clock(milliseconds: int) -> str:
    moment: datetime = EPOCH + MILLISECOND * milliseconds
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
