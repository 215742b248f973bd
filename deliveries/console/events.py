"""What producers sent."""

import json
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import display
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from deliveries import payloads, routing
from deliveries.console.exchange import download
from deliveries.documents import REMOVED
from deliveries.models import Endpoint, Event, IdempotencyKey
from deliveries.replay import Selection, replay
from deliveries.why import fates
from deliveries.why.fates import Fate
from hookline.console.drawing import LONGEST_TEXT, moment, short
from hookline.console.pages import operator_of, page
from hookline.console.row_pages import RowPages
from hookline.console.rows import View
from hookline.ids import parse_uuid
from hookline.layout import laid_out
from tenants.models import Tenant

ENDPOINTS_SHOWN = 25
EXPUNGE = "deliveries.delete_event"


@admin.register(Event)
class EventAdmin(RowPages):
    list_display = ("topic", "short_id", "of_tenant", "idempotency_key", "published")
    search_help_text = "An event's id or its idempotency key"
    narrowed_by = ("tenant_id", "topic")
    indexed_by = ("tenant_id",)
    views = (View("All"), View("Last hour", "since=1h"), View("Last 24 hours", "since=24h"))
    hint = (
        "Events appear here once they are published: curl -X POST …/v1/events "
        '-H "Authorization: Bearer $KEY" -d \'{"topic": "order.paid", "payload": {"id": 1}}\''
    )
    page_template = "console/event.html"

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

    def told(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        event: Event = row
        event.refresh_from_db(fields=["payload", "extra"])
        term, payload = request.GET.get("endpoint", "").strip(), event.payload or ""
        found, following = _fates(event, term, request.GET.get("after", ""))
        return {
            "event": event,
            "removed": REMOVED.get(event.payload_removed or ""),
            "may_expunge": request.user.has_perm(EXPUNGE) and not event.payload_removed,
            "is_raw": "raw" in request.GET,
            "raw": payload[:LONGEST_TEXT],
            "laid_out": laid_out(payload, LONGEST_TEXT),
            "is_cut": len(payload) > LONGEST_TEXT,
            "fates": found,
            "following": following,
            "term": term,
        }


def _fates(event: Event, term: str, after: str) -> tuple[list[Fate], UUID | None]:
    """What became of it at every endpoint, or at those that somebody looks for, by id, name or URL."""
    if not term:
        return fates.page(event, parse_uuid(after) if after else None, ENDPOINTS_SHOWN)
    named = Endpoint.objects.filter(tenant_id=event.tenant_id)
    found = named.filter(Q(id=parse_uuid(term)) | Q(name__icontains=term) | Q(url__icontains=term))
    ids = found.order_by("id").values_list("id", flat=True)[:ENDPOINTS_SHOWN]
    return fates.at(event, list(ids) or [parse_uuid(term)]), None


@page("events/<uuid:event_id>/payload/", name="event_payload", look="deliveries.view_event")
def payload(request: HttpRequest, event_id: UUID) -> HttpResponse:
    event = get_object_or_404(Event, id=event_id)
    return download((event.payload or "").encode(), f"payload-{event_id}.json")


@page("events/<uuid:event_id>/send/", name="event_send", press="deliveries.change_event")
def send(request: HttpRequest, event_id: UUID) -> HttpResponse:
    """To one endpoint, or to all that it matches today."""
    event = get_object_or_404(Event.objects.select_related("tenant"), id=event_id)
    if event.payload_removed:
        messages.warning(request, REMOVED[event.payload_removed])
        return redirect("admin:deliveries_event_change", event_id)
    chosen = request.POST.get("endpoint")
    selection = Selection([str(event_id)], endpoint_id=parse_uuid(chosen) if chosen else None)
    routes = routing.routes_of(event.tenant_id, event.tenant.routes_version)
    record = replay(event.tenant_id, routes, selection, operator_of(request))
    job_ids = json.loads(record.results)[0].get("job_ids", [])
    if len(job_ids) == 1:
        return redirect("admin:deliveries_job_change", job_ids[0])
    messages.info(
        request, f"{len(job_ids)} jobs are due now." if job_ids else "No subscription matches it now."
    )
    return redirect("admin:deliveries_event_change", event_id)


@page("events/<uuid:event_id>/expunge/", name="event_expunge", press=EXPUNGE)
def expunge(request: HttpRequest, event_id: UUID) -> HttpResponse:
    payloads.expunge(get_object_or_404(Event, id=event_id), operator_of(request))
    messages.info(request, "The payload is gone.")
    return redirect("admin:deliveries_event_change", event_id)
