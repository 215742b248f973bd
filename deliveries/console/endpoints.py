"""Where deliveries go, and how each receiver is doing."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from deliveries import endpoints
from deliveries.models import Endpoint, Lane
from hookline.console.drawing import moment, narrowed, status
from hookline.console.pages import operator_of
from hookline.console.rows import Rows, View


@admin.register(Endpoint)
class EndpointAdmin(Rows):
    list_display = ("label", "state", "url", "of_tenant", "max_in_flight", "rate_limit_rps", "made")
    known_by = ("id", "url", "name")
    searched_by = ("url__icontains", "name__icontains")
    search_help_text = "An endpoint's id, or a part of its URL or name"
    narrowed_by = ("tenant_id", "is_enabled")
    indexed_by = ("tenant_id",)
    views = (View("All"), View("Enabled", "is_enabled=True"), View("Disabled", "is_enabled=False"))
    hint = 'Make one: curl -X POST …/v1/endpoints -H "Authorization: Bearer $KEY" -d \'{"url": "https://…"}\''
    actions = ("enable", "disable")
    fields = (
        "id", "of_tenant", "name", "url", "state", "disabled_reason", "timeout_ms", "max_in_flight",
        "rate_limit_rps", "max_retries", "retry_schedule", "payload_format", "lane", "subscribed", "more",
        "made",
    )  # fmt: skip
    readonly_fields = fields

    @display(description="name")
    def label(self, endpoint: Endpoint) -> str:
        return endpoint.name or "unnamed"

    @display(description="status")
    def state(self, endpoint: Endpoint) -> Any:
        return status("enabled" if endpoint.is_enabled else "disabled", endpoint.disabled_reason)

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

    @display(description="made")
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
