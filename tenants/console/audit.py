"""Who did what, and whether anybody changed what is written about it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import display
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from hookline.console.drawing import as_text, moment
from hookline.console.pages import page
from hookline.console.rows import Rows, View
from tenants import audit
from tenants.models import AuditEntry

# What a page may take a second for; `manage.py verify_audit` reads everything.
MOST_VERIFIED = 20_000
LONGEST_DETAILS = 60


@admin.register(AuditEntry)
class AuditEntryAdmin(Rows):
    change_list_template = "console/audit.html"
    list_display = ("done", "actor", "action", "target", "details", "of_tenant", "number")
    known_by = ()
    searched_by = ("target", "actor", "action")
    search_help_text = "The whole name of an actor, an action or a target"
    narrowed_by = ("tenant_id", "actor", "action", "target")
    indexed_by = ("tenant_id", "actor", "action", "target")
    views = (View("All"), View("Last 24 hours", "since=24h"), View("Last 7 days", "since=7d"))
    hint = "Every change of configuration and every bulk action is written here."
    fields = ("of_tenant", "number", "done", "actor", "action", "target", "metadata_text", "hash")
    readonly_fields = fields

    @display(description="at")
    def done(self, entry: AuditEntry) -> Any:
        return moment(entry.at)

    @display(description="details")
    def details(self, entry: AuditEntry) -> str:
        text = entry.metadata.strip("{}")
        return text if len(text) <= LONGEST_DETAILS else f"{text[:LONGEST_DETAILS]}…"

    @display(description="details")
    def metadata_text(self, entry: AuditEntry) -> Any:
        return as_text(entry.metadata)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        told = {"title": "Audit log", "of_tenant": request.GET.get("tenant_id", "")}
        return super().changelist_view(request, told | (extra_context or {}))


@page("audit/verify/", name="audit_verify", press="tenants.view_auditentry")
def verify(request: HttpRequest) -> HttpResponse:
    tenant_id = request.POST.get("tenant", "").replace("\0", "")
    verdict = audit.verify(tenant_id, MOST_VERIFIED)
    if verdict.broken:
        messages.error(request, f"Tenant {tenant_id}: {audit.sentence_of(verdict.broken)}")
    elif not verdict.last:
        messages.warning(request, f"There is no entry of tenant {tenant_id or 'without a name'}.")
    else:
        told = f"Entries {verdict.first:,} to {verdict.last:,} of tenant {tenant_id} follow from one another."
        if verdict.first > 1:
            told += " manage.py verify_audit reads those before them, too."
        messages.success(request, told)
    place = reverse("admin:tenants_auditentry_changelist")
    return redirect(f"{place}?{urlencode({'tenant_id': tenant_id})}")
