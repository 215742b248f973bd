"""A request and its answer, as text, and what can be taken away of them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from deliveries.documents import REMOVED
from deliveries.models import Attempt, Endpoint, Event, Job, Subscription
from deliveries.rehearsal import as_curl, rehearse
from deliveries.work import Request
from hookline.console.drawing import LONGEST_TEXT
from hookline.console.pages import page
from hookline.jsontext import parse
from hookline.layout import laid_out

# All that a browser may do with what a stranger wrote is save it.
BINARY = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Parties:
    """Those of a job that are still there."""

    event: Event | None
    endpoint: Endpoint | None
    subscription: Subscription | None
    is_without_rules: bool

    def request(self, attempt: Attempt) -> Request | str:
        """What is sent in an attempt, without secrets; or why that cannot be told."""
        if self.event is None:
            return "The event is no longer kept."
        if self.event.payload_removed:
            return REMOVED[self.event.payload_removed]
        if self.endpoint is None:
            return "The endpoint was deleted, and with it how its requests are made."
        if self.is_without_rules:
            return "The subscription is no longer kept, and its transform with it."
        transform = self.subscription.transform if self.subscription else None
        return rehearse(attempt, self.event, self.endpoint, transform)


@dataclass(frozen=True, slots=True)
class Part:
    """Headers and a body. `is_cut` tells that not all of it is shown."""

    headers: tuple[tuple[str, str], ...]
    body: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """Without a request, `note` says why; else that it may have been another one, or nothing."""

    attempt: Attempt
    request: Part | None
    note: str
    curl: str
    answer: Part


def parties_of(job: Job) -> Parties:
    rules = job.subscription_id
    subscription = Subscription.objects.filter(id=rules).first() if rules else None
    return Parties(
        Event.objects.filter(id=job.event_id).first(),
        Endpoint.objects.filter(id=job.endpoint_id).first(),
        subscription,
        rules is not None and subscription is None,
    )


def exchange_of(attempt: Attempt, parties: Parties) -> Exchange:
    request, answer = parties.request(attempt), _answer(attempt)
    if isinstance(request, str):
        return Exchange(attempt, None, request, "", answer)
    pairs = tuple((name, text) for name, _, text in (line.partition(": ") for line in request.headers))
    body = request.body.decode()
    part = Part(pairs, body[:LONGEST_TEXT], len(body) > LONGEST_TEXT)
    note = CHANGED if _has_changed(parties.endpoint, attempt) else ""
    return Exchange(attempt, part, note, "" if part.is_cut else as_curl(request), answer)


CHANGED = "The endpoint was changed since: this is what it would get now."


def _has_changed(endpoint: Endpoint | None, attempt: Attempt) -> bool:
    changed_at = endpoint.updated_at if endpoint else None
    return changed_at is not None and changed_at > attempt.started_at


def _answer(attempt: Attempt) -> Part:
    headers: Any = parse(attempt.response_headers.encode()) if attempt.response_headers else []
    body = bytes(attempt.response_body or b"").decode(errors="replace")
    return Part(tuple((str(name), str(text)) for name, text in headers), laid_out(body, LONGEST_TEXT))


def download(body: bytes, name: str, content_type: str = BINARY) -> HttpResponse:
    """A file to save, whatever is in it."""
    response = HttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "no-store"
    return response


@page("attempts/<uuid:attempt_id>/answer/", name="attempt_answer", look="deliveries.view_attempt")
def answer(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    attempt = get_object_or_404(Attempt, id=attempt_id)
    return download(bytes(attempt.response_body or b""), f"answer-{attempt_id}.bin")


@page("attempts/<uuid:attempt_id>/request/", name="attempt_request", look="deliveries.view_attempt")
def sent(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The body, or with `?as=curl` the whole request for a shell."""
    attempt = get_object_or_404(Attempt.objects.select_related("job"), id=attempt_id)
    made = parties_of(attempt.job).request(attempt)
    if isinstance(made, str):
        raise Http404
    if request.GET.get("as") == "curl":
        return download(as_curl(made).encode(), f"request-{attempt_id}.sh", TEXT)
    return download(made.body, f"request-{attempt_id}.json")
