"""The line as operators see it: rows, newest first, and the verbs that can be done to them."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from deliveries import dead_letters, endpoints
from deliveries.documents import REMOVED
from deliveries.models import (
    Attempt,
    DeadLetter,
    Endpoint,
    Event,
    InboxMessage,
    Job,
    Lane,
    Replay,
    Subscription,
)
from hookline.console import Rows, as_text, operator_of
from hookline.errors import NotFound

# A sign besides the colour, for those who do not see it and for copies without it.
SIGNS = {
    "succeeded": "✓",
    "success": "✓",
    "pending": "…",
    "retrying": "↻",
    "running": "▶",
    "dead": "✗",
    "failure": "✗",
    "enabled": "✓",
    "disabled": "✗",
}


def status(word: str) -> SafeString:
    return format_html('<span class="status {}">{} {}</span>', word, SIGNS.get(word, ""), word)


def moment(at: datetime | None) -> SafeString | str:
    """To the second, and exactly on hover."""
    return format_html('<time title="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}") if at else "-"


def link(model: str, id: UUID | None, text: str = "") -> SafeString | str:
    if id is None:
        return "-"
    return format_html(
        '<a href="{}">{}</a>', reverse(f"admin:deliveries_{model}_change", args=[id]), text or id
    )


def narrowed(model: str, field: str, id: object, text: str) -> SafeString:
    """A link to the rows of another table that belong to this one."""
    place = reverse(f"admin:deliveries_{model}_changelist")
    return format_html('<a href="{}?{}={}">{}</a>', place, field, id, text)


@admin.register(Event)
class EventAdmin(Rows):
    list_display = ("id", "tenant_id", "topic", "published")
    search_fields = ("=id", "=idempotency_key")
    search_help_text = "An event's id or its idempotency key"
    narrowed_by = ("tenant_id", "topic")
    fields = (
        "id", "tenant_id", "topic", "published", "occurred_at", "idempotency_key", "jobs", "body", "others",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).defer("payload", "extra")

    @display(description="published", ordering="id")
    def published(self, event: Event) -> Any:
        return moment(event.created_at)

    @display(description="deliveries")
    def jobs(self, event: Event) -> Any:
        found = event.jobs.order_by("id")[:100]
        rows = ((status(job.status), link("job", job.id), link("endpoint", job.endpoint_id)) for job in found)
        return format_html_join("", "<p>{} {} to {}</p>", rows) or "No subscription matched it."

    @display(description="payload")
    def body(self, event: Event) -> Any:
        return REMOVED[event.payload_removed] if event.payload_removed else as_text(event.payload)

    @display(description="other fields")
    def others(self, event: Event) -> Any:
        return as_text(event.extra)


@admin.register(Job)
class JobAdmin(Rows):
    list_display = ("id", "state", "tenant_id", "to", "of", "attempt_count", "due", "made")
    list_filter = ("status",)
    search_fields = ("=id", "=event_id", "=endpoint_id")
    search_help_text = "The id of a job, an event or an endpoint"
    narrowed_by = ("tenant_id", "endpoint_id", "event_id")
    actions = ("resend",)
    fields = ("id", "state", "tenant_id", "to", "of", "attempt_count", "due", "made", "timeline")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """With names: a job outlives its endpoint and its event, so that neither is joined."""
        endpoint = Endpoint.objects.filter(id=OuterRef("endpoint_id"))
        event = Event.objects.filter(id=OuterRef("event_id"))
        named = endpoint.annotate(label=Coalesce(NullIf("name", Value("", TextField())), "url")).values(
            "label"
        )
        labels = {"endpoint_label": Subquery(named), "topic": Subquery(event.values("topic"))}
        jobs: QuerySet[Job] = super().get_queryset(request)
        return jobs.annotate(**labels)

    @display(description="status")
    def state(self, job: Job) -> Any:
        is_retrying = job.status == Job.Status.PENDING and job.attempt_count
        return status("retrying" if is_retrying else job.status)

    @display(description="endpoint")
    def to(self, job: Job) -> Any:
        label = getattr(job, "endpoint_label", None)
        return link("endpoint", job.endpoint_id, label) if label else f"{job.endpoint_id} (deleted)"

    @display(description="event")
    def of(self, job: Job) -> Any:
        topic = getattr(job, "topic", None)
        return link("event", job.event_id, topic) if topic else f"{job.event_id} (removed)"

    @display(description="next attempt", ordering="next_attempt_at")
    def due(self, job: Job) -> Any:
        return moment(job.next_attempt_at if job.status == Job.Status.PENDING else None)

    @display(description="made", ordering="id")
    def made(self, job: Job) -> Any:
        return moment(job.created_at)

    @display(description="what happened")
    def timeline(self, job: Job) -> Any:
        lines = [_told(attempt) for attempt in job.attempts.order_by("attempt_n")[:100]]
        return format_html_join("", "<p>{}</p>", ((line,) for line in lines)) or "Nothing was sent yet."

    @admin.action(description="Send dead jobs again", permissions=["operate"])
    def resend(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        _requeue(self, request, DeadLetter.objects.filter(job__in=jobs))


def _told(attempt: Attempt) -> SafeString:
    answer = attempt.http_status or attempt.error or ""
    return format_html(
        "{} {} {} after {} ms. {} ({})",
        moment(attempt.started_at),
        status(attempt.status),
        answer,
        attempt.duration_ms,
        attempt.error_detail,
        link("attempt", attempt.id, f"attempt {attempt.attempt_n}"),
    )


@admin.register(Attempt)
class AttemptAdmin(Rows):
    list_display = (
        "id",
        "result",
        "http_status",
        "error",
        "duration_ms",
        "tenant_id",
        "endpoint_id",
        "started",
    )
    search_fields = ("=id", "=job_id", "=event_id", "=endpoint_id")
    search_help_text = "The id of an attempt, a job, an event or an endpoint"
    narrowed_by = ("tenant_id", "endpoint_id", "job_id")
    fields = (
        "id", "result", "of", "attempt_n", "http_status", "error", "error_detail", "started", "duration_ms",
        "address", "headers", "body",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return super().get_queryset(request).defer("response_body", "response_headers")

    @display(description="status")
    def result(self, attempt: Attempt) -> Any:
        return status(attempt.status)

    @display(description="job")
    def of(self, attempt: Attempt) -> Any:
        return link("job", attempt.job_id)

    @display(description="started", ordering="id")
    def started(self, attempt: Attempt) -> Any:
        return moment(attempt.started_at)

    @display(description="response headers")
    def headers(self, attempt: Attempt) -> Any:
        return as_text(attempt.response_headers)

    @display(description="response body")
    def body(self, attempt: Attempt) -> Any:
        return as_text(attempt.response_body)


@admin.register(DeadLetter)
class DeadLetterAdmin(Rows):
    list_display = ("job_id", "reason", "attempt_count", "tenant_id", "endpoint_id", "event_id", "buried")
    ordering = ("-created_at",)
    search_fields = ("=job_id", "=event_id", "=endpoint_id")
    search_help_text = "The id of a job, an event or an endpoint"
    narrowed_by = ("tenant_id", "endpoint_id", "reason")
    actions = ("requeue", "discard")
    fields = ("of", "reason", "attempt_count", "tenant_id", "endpoint_id", "event_id", "buried")
    readonly_fields = fields

    @display(description="job")
    def of(self, letter: DeadLetter) -> Any:
        return link("job", letter.job_id)

    @display(description="given up", ordering="created_at")
    def buried(self, letter: DeadLetter) -> Any:
        return moment(letter.created_at)

    @admin.action(description="Send again", permissions=["operate"])
    def requeue(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        _requeue(self, request, letters)

    @admin.action(description="Remove; their jobs stay dead", permissions=["operate"])
    def discard(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        removed = _pressed(dead_letters.discard, letters, operator_of(request))
        self.message_user(request, f"{removed} dead letters were removed.")


def _requeue(page: Rows, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
    sent = _pressed(dead_letters.requeue, letters, operator_of(request))
    page.message_user(request, f"{sent} jobs are due now." if sent else "None of these jobs is dead.")


def _pressed(verb: Callable[[DeadLetter, str], None], letters: QuerySet[DeadLetter], by: str) -> int:
    """For how many the verb was done; where somebody else was faster it is not done twice."""
    done = 0
    for letter in letters:
        with contextlib.suppress(NotFound):
            verb(letter, by)
            done += 1
    return done


@admin.register(Endpoint)
class EndpointAdmin(Rows):
    list_display = ("name", "url", "state", "tenant_id", "max_in_flight", "rate_limit_rps", "made")
    list_filter = ("is_enabled",)
    search_fields = ("=id", "=tenant_id", "=url")
    search_help_text = "An endpoint's id or URL, or its tenant's id"
    narrowed_by = ("tenant_id",)
    actions = ("enable", "disable")
    fields = (
        "id", "tenant_id", "name", "url", "state", "disabled_reason", "timeout_ms", "max_in_flight",
        "rate_limit_rps", "max_retries", "retry_schedule", "payload_format", "lane", "subscribed", "more",
        "made",
    )  # fmt: skip
    readonly_fields = fields

    @display(description="status")
    def state(self, endpoint: Endpoint) -> Any:
        return status("enabled" if endpoint.is_enabled else "disabled")

    @display(description="queue")
    def lane(self, endpoint: Endpoint) -> str:
        lane = Lane.objects.filter(endpoint_id=endpoint.id).first()
        return f"{lane.get_state_display()}, {lane.in_flight} in flight" if lane else "-"

    @display(description="subscriptions")
    def subscribed(self, endpoint: Endpoint) -> Any:
        topics = endpoint.subscriptions.filter(deleted_at=None).values_list("topic_pattern")[:100]
        return format_html_join("", "<p>{}</p>", topics) or "None: no event reaches it."

    @display(description="more")
    def more(self, endpoint: Endpoint) -> Any:
        jobs = narrowed("job", "endpoint_id", endpoint.id, "jobs")
        letters = narrowed("deadletter", "endpoint_id", endpoint.id, "dead letters")
        return format_html("{}, {}", jobs, letters)

    @display(description="made", ordering="id")
    def made(self, endpoint: Endpoint) -> Any:
        return moment(endpoint.created_at)

    @admin.action(description="Enable", permissions=["operate"])
    def enable(self, request: HttpRequest, chosen: QuerySet[Endpoint]) -> None:
        self._switch(request, chosen, True)

    @admin.action(description="Disable", permissions=["operate"])
    def disable(self, request: HttpRequest, chosen: QuerySet[Endpoint]) -> None:
        self._switch(request, chosen, False)

    def _switch(self, request: HttpRequest, chosen: QuerySet[Endpoint], is_on: bool) -> None:
        for endpoint in chosen:
            endpoints.change(endpoint.id, {"enabled": is_on}, {}, operator_of(request))
        self.message_user(request, f"{'Enabled' if is_on else 'Disabled'}: {len(chosen)}.")


@admin.register(Subscription)
class SubscriptionAdmin(Rows):
    list_display = ("id", "topic_pattern", "tenant_id", "endpoint_id", "made")
    search_fields = ("=id", "=endpoint_id", "=tenant_id")
    narrowed_by = ("tenant_id", "endpoint_id")
    fields = ("id", "tenant_id", "endpoint_id", "topic_pattern", "filter", "transform", "description", "made")
    readonly_fields = fields

    @display(description="made", ordering="id")
    def made(self, subscription: Subscription) -> Any:
        return moment(subscription.created_at)


@admin.register(Replay)
class ReplayAdmin(Rows):
    list_display = ("id", "tenant_id", "created_at")
    fields = ("id", "tenant_id", "created_at", "request", "results")
    readonly_fields = fields


@admin.register(Lane)
class LaneAdmin(Rows):
    list_display = ("endpoint_id", "tenant_id", "state", "wake_at", "in_flight", "tokens", "ramp")
    list_filter = ("state",)
    search_fields = ("=endpoint_id", "=tenant_id")
    readonly_fields = list_display


@admin.register(InboxMessage)
class InboxMessageAdmin(Rows):
    list_display = ("id", "token", "received_at")
    fields = ("id", "token", "received_at", "headers", "content")
    readonly_fields = fields

    @display(description="body")
    def content(self, message: InboxMessage) -> Any:
        return as_text(message.body)
