"""Tenants, their keys, and who did what."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from hookline.console.pages import operator_of
from hookline.console.rows import Rows, View
from tenants import keys
from tenants.models import TOKEN_PREFIX, ApiKey, AuditEntry, Tenant


@admin.register(Tenant)
class TenantAdmin(Rows):
    list_display = ("id", "name", "status", "created_at")
    order = ("id",)
    known_by = ("id", "name")
    searched_by = ("id__icontains", "name__icontains")
    search_help_text = "A part of a tenant's id or name"
    narrowed_by = ("status",)
    views = (View("All"), View("Active", "status=active"), View("Deleted", "status=deleted"))
    readonly_fields = ("id", "name", "status", "created_at", "purged_at")
    fields = readonly_fields


@admin.register(ApiKey)
class ApiKeyAdmin(Rows):
    list_display = ("prefix", "name", "of_tenant", "created_at", "expires_at", "revoked_at", "last_used_at")
    known_by = ("id", "prefix")
    searched_by = ("tenant_id", "name")
    search_help_text = "A key's id, the beginning of its token, or its tenant's id"
    narrowed_by = ("tenant_id", "revoked_at__isnull")
    indexed_by = ("tenant_id",)
    views = (
        View("All"),
        View("Not revoked", "revoked_at__isnull=True"),
        View("Revoked", "revoked_at__isnull=False"),
    )
    actions = ("revoke",)
    fields = ("id", "scopes", "created_by", *list_display)
    readonly_fields = fields

    def known(self, rows: "QuerySet[ApiKey]", term: str) -> "QuerySet[ApiKey]":
        """A whole token is cut to the part that is kept."""
        return super().known(rows, term[: keys.SHOWN] if term.startswith(TOKEN_PREFIX) else term)

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen.filter(revoked_at=None):
            keys.revoke(key, operator_of(request))
        self.message_user(request, "The keys are revoked and answer 401 from now on.")


@admin.register(AuditEntry)
class AuditEntryAdmin(Rows):
    list_display = ("at", "actor", "action", "target", "of_tenant", "number")
    known_by = ()
    searched_by = ("target", "actor", "action")
    narrowed_by = ("tenant_id", "actor", "action", "target")
    views = (View("All"), View("Last 24 hours", "since=24h"))
    readonly_fields = ("tenant_id", "number", "at", "actor", "action", "target", "metadata", "hash")
    fields = readonly_fields
