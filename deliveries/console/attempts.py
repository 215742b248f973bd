"""Every HTTP try and its answer."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest

from deliveries.console.exchange import exchange_of, parties_of
from deliveries.console.names import to_endpoint, with_endpoint
from deliveries.models import Attempt
from deliveries.why import sentences
from hookline.console.drawing import link, milliseconds, moment, short, status
from hookline.console.row_pages import RowPages
from hookline.console.rows import View


@admin.register(Attempt)
class AttemptAdmin(RowPages):
    list_display = ("short_id", "result", "answer", "took", "to", "of", "of_tenant", "started")
    searched_by = ("job_id", "endpoint_id")
    search_help_text = "The id of an attempt, a job or an endpoint"
    narrowed_by = ("tenant_id", "endpoint_id", "job_id", "status", "http_status", "error", "duration_ms__gte")
    indexed_by = ("tenant_id", "endpoint_id", "job_id")
    views = (
        View("All"),
        View("Failed", "status=failure"),
        View("Failed in the last hour", "since=1h&status=failure"),
        View("Timed out", "error=timeout"),
        View("Slower than 5 s", "duration_ms__gte=5000"),
    )
    hint = "An attempt appears here as soon as something was sent."
    page_template = "console/attempt.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return with_endpoint(super().get_queryset(request).defer("response_body", "response_headers"))

    @display(description="id")
    def short_id(self, attempt: Attempt) -> Any:
        return short(attempt.id)

    @display(description="status")
    def result(self, attempt: Attempt) -> Any:
        return status(attempt.status)

    @display(description="answer")
    def answer(self, attempt: Attempt) -> Any:
        return attempt.http_status or attempt.error or "-"

    @display(description="took")
    def took(self, attempt: Attempt) -> Any:
        return milliseconds(attempt.duration_ms)

    @display(description="endpoint")
    def to(self, attempt: Attempt) -> Any:
        return to_endpoint(attempt)

    @display(description="job")
    def of(self, attempt: Attempt) -> Any:
        return link("job", attempt.job_id, f"…{str(attempt.job_id)[-8:]} #{attempt.attempt_n}")

    @display(description="started")
    def started(self, attempt: Attempt) -> Any:
        return moment(attempt.started_at)

    def told(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        attempt: Attempt = row
        parties = parties_of(attempt.job)
        return {
            "attempt": attempt,
            "job": attempt.job,
            "parties": parties,
            "sentence": sentences.of_attempt(attempt),
            "exchange": exchange_of(attempt, parties),
        }
