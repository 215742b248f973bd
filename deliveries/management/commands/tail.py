"""Live events and delivery results in a terminal."""

import json
from argparse import ArgumentParser
from itertools import islice
from typing import Any

from deliveries.live import Message
from deliveries.management.watching import Watching, clock, on_topic, results
from hookline import jsontext

# Inside JSON such a character may stand as it is, and must not reach a terminal so.
CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Command(Watching):
    help = "Show events and the results of their deliveries as they happen, until Ctrl-C. Times are UTC."
    example = "tail --topic 'order.*' --failed"

    def arguments(self, parser: ArgumentParser) -> None:
        super().arguments(parser)
        parser.add_argument("--endpoint", help="its id: only results of deliveries to it")
        parser.add_argument("--failed", action="store_true", help="only results that are no success")

    def work(self, server: str | None, tenant: str, count: int | None, **options: Any) -> None:
        shown = on_topic(self.messages(server, tenant), options["topic"])
        if options["endpoint"] or options["failed"]:
            shown = results(shown, options["endpoint"], are_failed=options["failed"])
        for message in islice(shown, count):
            self.show(message)

    def show(self, message: Message) -> None:
        if self.is_json:  # as it came: numbers keep their digits
            self.write(message.data.decode().translate(CONTROLS))
        elif message.is_result:
            told = json.loads(message.data)
            paint = self.style.SUCCESS if told["status"] == "success" else self.style.ERROR
            self.tell(_result(told), paint)
        else:
            at = jsontext.parse(jsontext.fields(message.data)["created_at"])
            self.tell(f"{clock(at)}  event    {message.topic}  {message.id}")


def _result(told: dict[str, Any]) -> str:
    answer = told["http_status"] or "no answer"
    return (
        f"{clock(told['ts'])}  {told['status']:<7}  {answer} in {told['latency_ms']} ms, "
        f"attempt {told['attempt_n']} of event {told['event_id']} to endpoint {told['endpoint_id']}"
    )
