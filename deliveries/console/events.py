"""What producers sent."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from deliveries.documents import REMOVED
from deliveries.models import Event, IdempotencyKey
from hookline.console.drawing import as_text, link, moment, short, status
from hookline.console.rows import Rows, View
from tenants.models import Tenant


@admin.register(Event)
class EventAdmin(Rows):
    list_display = ("topic", "short_id", "of_tenant", "idempotency_key", "published")
    search_help_text = "An event's id or its idempotency key"
    narrowed_by = ("tenant_id", "topic")
    indexed_by = ("tenant_id",)
    views = (View("All"), View("Last hour", "since=1h"), View("Last 24 hours", "since=24h"))
    hint = (
        "Events appear here once they are published: curl -X POST …/v1/events "
        '-H "Authorization: Bearer $KEY" -d \'{"topic": "order.paid", "payload": {"id": 1}}\''
    )
    fields = (
        "id", "of_tenant", "topic", "published", "occurred_at", "idempotency_key", "jobs", "body", "others",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return super().get_queryset(request).defer("payload", "extra")

    def known(self, rows: "QuerySet[Event]", term: str) -> "QuerySet[Event]":
        """By id, or by a producer's key of the last 24 hours, whoever's it is."""
        by_id = super().known(rows, term)
        keys = IdempotencyKey.objects.filter(tenant_id__in=Tenant.objects.values("id"), key=term)
        return by_id if by_id.exists() else rows.filter(id__in=list(keys.values_list("event_id", flat=True)))

    @display(description="id")
    def short_id(self, event: Event) -> Any:
        return short(event.id)

    @display(description="published")
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
