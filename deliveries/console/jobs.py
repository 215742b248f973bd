"""What is owed to each endpoint, and what became of it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deliveries.console.dead_letters import requeue
from deliveries.console.names import to_endpoint, with_endpoint
from deliveries.models import Attempt, DeadLetter, Event, Job
from hookline.console.drawing import link, listed, milliseconds, moment, short, status
from hookline.console.rows import Rows, View


@admin.register(Job)
class JobAdmin(Rows):
    list_display = ("short_id", "state", "of", "to", "of_tenant", "tries", "due", "made")
    searched_by = ("event_id",)
    search_help_text = "The id of a job or of its event"
    narrowed_by = ("tenant_id", "endpoint_id", "event_id", "status", "attempt_count__gt", "replay_id")
    indexed_by = ("event_id",)
    views = (
        View("All"),
        View("Retrying", "status=pending&attempt_count__gt=0"),
        View("Waiting", "status=pending"),
        View("Running", "status=running"),
        View("Dead", "status=dead"),
        View("Dead today", "status=dead&since=24h"),
    )
    hint = "A job is made for each subscription that an event matches. Publish an event to see one."
    actions = ("resend",)
    fields = ("id", "state", "of_tenant", "to", "of", "attempt_count", "due", "made", "timeline")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """With names: a job outlives its endpoint and its event, so that neither is joined."""
        event = Event.objects.filter(id=OuterRef("event_id"))
        jobs = super().get_queryset(request).annotate(topic=Subquery(event.values("topic")))
        return with_endpoint(jobs)

    @display(description="id")
    def short_id(self, job: Job) -> Any:
        return short(job.id)

    @display(description="status")
    def state(self, job: Job) -> Any:
        is_retrying = job.status == Job.Status.PENDING and job.attempt_count
        return status("retrying" if is_retrying else job.status)

    @display(description="endpoint")
    def to(self, job: Job) -> Any:
        return to_endpoint(job)

    @display(description="event")
    def of(self, job: Job) -> Any:
        topic = getattr(job, "topic", None)
        removed = format_html("{} (removed)", short(job.event_id))
        return link("event", job.event_id, topic) if topic else removed

    @display(description="attempts")
    def tries(self, job: Job) -> int:
        return job.attempt_count

    @display(description="next attempt")
    def due(self, job: Job) -> Any:
        return moment(job.next_attempt_at if job.status == Job.Status.PENDING else None)

    @display(description="made")
    def made(self, job: Job) -> Any:
        return moment(job.created_at)

    @display(description="what happened")
    def timeline(self, job: Job) -> Any:
        told = map(_told, job.attempts.order_by("attempt_n")[:100])
        return listed(told) or "Nothing was sent yet."

    @admin.action(description="Send dead jobs again", permissions=["operate"])
    def resend(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        requeue(self, request, DeadLetter.objects.filter(job__in=jobs))


def _told(attempt: Attempt) -> SafeString:
    return format_html(
        "{} {} {} after {}. {} ({})",
        moment(attempt.started_at),
        status(attempt.status),
        attempt.http_status or attempt.error or "",
        milliseconds(attempt.duration_ms),
        attempt.error_detail,
        link("attempt", attempt.id, f"attempt {attempt.attempt_n}"),
    )
