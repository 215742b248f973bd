"""Sends a test event, and follows it to its receivers."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from json import dumps
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from deliveries import depth, documents, intake, routing, trial
from deliveries.intake import Accepted
from deliveries.models import Attempt, Endpoint, Job
from deliveries.why import sentences
from hookline import commands, jsontext
from hookline.commands import Action
from hookline.errors import Invalid, NotFound, TooLarge
from hookline.ids import parse_uuid
from hookline.jsontext import BadJson
from hookline.times import milliseconds
from tenants import lifecycle
from tenants.models import Tenant

LOOK_SECONDS = 0.2
FINAL = (Job.Status.SUCCEEDED, Job.Status.DEAD)
NOBODY = "No subscription matches it, so nobody gets it."


class Command(Action):
    help = (
        "Publish an event, and show each attempt to deliver it. Ends with status 0 if every receiver took "
        "it, and with 1 if not, or not yet when the wait is over."
    )
    example = """send --topic order.paid --payload '{"order": 42}'"""

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", default=settings.HL_TENANT_ID, help="its id; default %(default)s")
        parser.add_argument("--endpoint", help="its id: a test event for it alone, whatever it subscribes to")
        parser.add_argument("--topic", default=trial.TOPIC, help="default %(default)s")
        body = parser.add_mutually_exclusive_group()
        body.add_argument("--payload", default=trial.PAYLOAD, help="JSON")
        body.add_argument("--file", help="where the payload is; - for what is typed or piped in")
        parser.add_argument(
            "--wait", type=commands.duration, default=timedelta(seconds=30), help="such as 90s; default 30s"
        )

    def work(self, tenant: str, endpoint: str | None, wait: timedelta, **options: Any) -> None:
        sender = lifecycle.active(tenant)
        if endpoint:
            event_id, job_ids = self.try_endpoint(sender, endpoint, options)
        else:
            event_id, job_ids = publish(sender, options["topic"], payload_of(options))
        deliveries = f"{len(job_ids)} {'delivery' if len(job_ids) == 1 else 'deliveries'}"
        self.tell(f"Event {event_id}: {deliveries}.", event_id=event_id, job_ids=job_ids)
        if not job_ids:
            self.finish(event_id, NOBODY, is_delivered=False)
        self.names = names_of(job_ids)
        for attempt in attempts(job_ids, time.monotonic() + wait.total_seconds()):
            self.show(attempt)
        self.judge(event_id, job_ids)

    def try_endpoint(self, sender: Tenant, endpoint: str, options: dict[str, Any]) -> tuple[UUID, list[UUID]]:
        if options["topic"] != trial.TOPIC or options["payload"] != trial.PAYLOAD or options["file"]:
            raise Invalid("A test event for one endpoint has a topic and a payload of its own: name neither.")
        found = Endpoint.objects.filter(tenant=sender, id=parse_uuid(endpoint)).first()
        if found is None:
            raise NotFound("Endpoint not found")
        sent = trial.send_test(found, commands.by())
        return sent.event_id, [sent.job_id]

    def show(self, attempt: Attempt) -> None:
        sentence = sentences.of_attempt(attempt)
        answer = f"{attempt.http_status or 'no answer'} in {attempt.duration_ms} ms."
        name = self.names.get(attempt.job_id, attempt.endpoint_id)
        self.tell(
            f"Attempt {attempt.attempt_n} to {name}: {answer} {sentence}".rstrip(),
            attempt_id=attempt.id,
            job_id=attempt.job_id,
            endpoint_id=attempt.endpoint_id,
            attempt_n=attempt.attempt_n,
            status=attempt.status,
            http_status=attempt.http_status,
            error=attempt.error,
            detail=sentence,
            started_at=milliseconds(attempt.started_at),
            duration_ms=attempt.duration_ms,
        )

    def judge(self, event_id: UUID, job_ids: list[UUID]) -> None:
        found = list(Job.objects.filter(id__in=job_ids).values_list("status", flat=True))
        delivered, dead = found.count(Job.Status.SUCCEEDED), found.count(Job.Status.DEAD)
        if delivered == len(job_ids):
            self.finish(event_id, "Delivered.", is_delivered=True)
        waiting = len(job_ids) - delivered - dead
        told = f"{delivered} delivered, {dead} given up, {waiting} waiting."
        if waiting:
            told += " `manage.py doctor` tells whether anything delivers."
        self.finish(event_id, told, is_delivered=False)

    def finish(self, event_id: UUID, sentence: str, *, is_delivered: bool) -> None:
        self.tell(sentence, event_id=event_id, delivered=is_delivered, detail=sentence)
        raise SystemExit(0 if is_delivered else 1)


def payload_of(options: dict[str, Any]) -> str:
    if options["file"] is None:
        return str(options["payload"])
    try:
        return sys.stdin.read() if options["file"] == "-" else Path(options["file"]).read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise Invalid(f"{options['file']}: {getattr(fault, 'strerror', 'it is no text')}.") from None


def publish(sender: Tenant, topic: str, payload: str) -> tuple[UUID, list[UUID]]:
    """As the API does."""
    raw = payload.encode()
    if len(raw) > settings.HL_MAX_PAYLOAD_BYTES:
        raise TooLarge
    try:
        jsontext.check(raw)
        jsontext.parse(raw)
    except BadJson as fault:
        raise Invalid(f"The payload is no JSON: {fault}.") from None
    draft = documents.draft({"topic": dumps(topic).encode(), "payload": raw}, {})
    depth.check(sender.id, sender.max_queue_depth)
    routes = routing.routes_of(sender.id, sender.routes_version)
    [result] = intake.publish(sender.id, routes, [draft])
    assert isinstance(result, Accepted), "it has no idempotency key"
    return result.event.id, [job.id for job in result.jobs]


def names_of(job_ids: list[UUID]) -> dict[UUID, str]:
    """Where each goes: a URL without its query, where people put tokens."""
    jobs = Job.objects.filter(id__in=job_ids).select_related("endpoint")
    return {job.id: str(job.endpoint).partition("?")[0] for job in jobs}


def attempts(job_ids: list[UUID], deadline: float) -> Iterator[Attempt]:
    """Each as soon as it is recorded, until every job has come to its end or the time has."""
    seen: set[UUID] = set()
    while True:
        is_over = time.monotonic() > deadline or not _unfinished(job_ids)
        made = Attempt.objects.filter(job_id__in=job_ids).order_by("id").defer("response_body")
        new = [attempt for attempt in made if attempt.id not in seen]
        yield from new
        seen |= {attempt.id for attempt in new}
        if is_over:
            return
        time.sleep(LOOK_SECONDS)


def _unfinished(job_ids: list[UUID]) -> bool:
    return Job.objects.filter(id__in=job_ids).exclude(status__in=FINAL).exists()
