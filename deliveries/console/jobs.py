"""What is owed to each endpoint, and what became of it."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import display
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.html import format_html

from deliveries import jobs
from deliveries.console.dead_letters import requeue
from deliveries.console.exchange import exchange_of, parties_of
from deliveries.console.names import to_endpoint, with_endpoint
from deliveries.models import Attempt, DeadLetter, Event, Job
from deliveries.why import fates, timeline
from hookline.console.drawing import link, moment, short, status
from hookline.console.pages import operator_of, page
from hookline.console.row_pages import RowPages
from hookline.console.rows import View
from hookline.errors import Conflict, NotFound


@admin.register(Job)
class JobAdmin(RowPages):
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
    page_template = "console/job.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """With names: a job outlives its endpoint and its event, so that neither is joined."""
        event = Event.objects.filter(id=OuterRef("event_id"))
        return with_endpoint(super().get_queryset(request).annotate(topic=Subquery(event.values("topic"))))

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

    @admin.action(description="Send dead jobs again", permissions=["operate"])
    def resend(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        requeue(self, request, DeadLetter.objects.filter(job__in=chosen))

    def told(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        job: Job = row
        parties, attempts, state = parties_of(job), _attempts(job), fates.of_job(job)
        latest = attempts[-1] if attempts else None
        told = timeline.steps(job, parties.event, parties.subscription, parties.endpoint, attempts, state)
        return {
            "job": job,
            "parties": parties,
            "state": state,
            "steps": list(told),
            "refusal": jobs.refusal(job),
            "button": BUTTONS[Job.Status(job.status)],
            "is_open": job.finished_at is None,
            "exchange": latest and exchange_of(latest, parties),
        }


# What is written on the button that sends a job.
BUTTONS = {
    Job.Status.PENDING: "Send now",
    Job.Status.RUNNING: "Send now",
    Job.Status.SUCCEEDED: "Send once more",
    Job.Status.DEAD: "Send again",
}


def _attempts(job: Job) -> list[Attempt]:
    """The newest ones, in their order; what was answered is read of the last alone."""
    newest = job.attempts.order_by("-attempt_n")
    earlier = newest.defer("response_body", "response_headers")[1 : timeline.MOST_ATTEMPTS]
    return [*list(earlier)[::-1], *newest[:1]]


@page("jobs/<uuid:job_id>/send/", name="job_send", press="deliveries.change_job")
def send(request: HttpRequest, job_id: UUID) -> HttpResponse:
    job = get_object_or_404(Job, id=job_id)
    try:
        sent = jobs.send_now(job, operator_of(request))
    except (Conflict, NotFound) as fault:
        messages.warning(request, fault.detail)
        return redirect("admin:deliveries_job_change", job_id)
    messages.success(request, "It is due now." if sent == job_id else "This new job sends it once more.")
    return redirect("admin:deliveries_job_change", sent)
