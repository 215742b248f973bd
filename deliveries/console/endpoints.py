"""Where deliveries go, and how each receiver is doing."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from deliveries import endpoints, series
from deliveries.console import endpoint_page, health
from deliveries.models import Endpoint, Lane
from hookline.console.drawing import ago, status
from hookline.console.keyset import KeyList
from hookline.console.pages import operator_of
from hookline.console.row_pages import RowPages
from hookline.console.rows import View
from hookline.database import now


class EndpointList(KeyList):
    """The rows with their lanes and their last day, each read once for the page."""

    def _tell(self, page: list[Model]) -> None:
        super()._tell(page)
        ids = [row.pk for row in page]
        lanes, days = Lane.objects.in_bulk(ids), series.of_endpoints(ids, now())
        for row in page:
            row.lane, row.day = lanes.get(row.pk), days[row.pk]  # type: ignore[attr-defined]


# Of such an endpoint nothing has succeeded lately.
FAILS = Exists(Lane.objects.filter(endpoint_id=OuterRef("id"), failing_since__isnull=False))


def _failing(rows: "QuerySet[Endpoint]") -> "QuerySet[Endpoint]":
    return rows.filter(FAILS, is_enabled=True)


def _in_trouble(rows: "QuerySet[Endpoint]") -> "QuerySet[Endpoint]":
    return rows.filter(Q(is_enabled=False) | FAILS)


@admin.register(Endpoint)
class EndpointAdmin(RowPages):
    list_display = ("label", "state", "day", "queue", "url", "of_tenant")
    known_by = ("id", "url", "name")
    searched_by = ("url__icontains", "name__icontains")
    search_help_text = "An endpoint's id, or a part of its URL or name"
    narrowed_by = ("tenant_id", "is_enabled")
    indexed_by = ("tenant_id",)
    picks = {"health": {"failing": _failing, "trouble": _in_trouble}}
    views = (
        View("All"),
        View("In trouble", "health=trouble"),
        View("Failing", "health=failing"),
        View("Disabled", "is_enabled=False"),
    )
    hint = "Make one with the button above, or with POST /v1/endpoints."
    actions = ("enable", "disable")
    change_list_template = "console/endpoints.html"
    page_template = "console/endpoint.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeyList]:
        return EndpointList

    @display(description="name")
    def label(self, endpoint: Endpoint) -> str:
        return endpoint.name or "unnamed"

    @display(description="status")
    def state(self, endpoint: Endpoint) -> Any:
        """With the reason at hand, for nobody looks for what only a pointer finds."""
        if endpoint.is_enabled:
            return status("enabled")
        return format_html("{} <small>{}</small>", status("disabled"), endpoint.disabled_reason)

    @display(description="last 24 hours")
    def day(self, endpoint: Any) -> Any:
        return health.of_day(endpoint.day)

    @display(description="queue")
    def queue(self, endpoint: Any) -> Any:
        lane: Lane | None = endpoint.lane
        return _queue(lane, endpoint) if lane else "-"

    def told(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return endpoint_page.told(row)

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


def _queue(lane: Lane, endpoint: Endpoint) -> str:
    """What is under way, and what the rest waits for, in few words."""
    words = [f"{lane.in_flight} of {endpoint.max_in_flight} under way"] if lane.in_flight else []
    match lane.state:
        case Lane.State.LIMITED:
            words.append(f"waits for its {endpoint.rate_limit_rps} a second")
        case Lane.State.WAITING if lane.wake_at:
            words.append(f"next {ago(lane.wake_at)}")
    if lane.ramp is not None and lane.ramp < endpoint.max_in_flight:
        words.append(f"recovers, {lane.ramp} at a time")
    if lane.failing_since:
        words.append(f"has only failed for {ago(lane.failing_since).removesuffix(' ago')}")
    return ", ".join(words) or "-"
