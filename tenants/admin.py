"""Tenants, their keys, and who did what."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from hookline.console import Rows, operator_of
from tenants import keys
from tenants.models import ApiKey, AuditEntry, Tenant


@admin.register(Tenant)
class TenantAdmin(Rows):
    list_display = ("id", "name", "status", "created_at")
    list_filter = ("status",)
    search_fields = ("=id", "name")
    ordering = ("id",)
    readonly_fields = ("id", "name", "status", "created_at", "purged_at")
    fields = readonly_fields


@admin.register(ApiKey)
class ApiKeyAdmin(Rows):
    list_display = ("prefix", "name", "tenant_id", "created_at", "expires_at", "revoked_at", "last_used_at")
    search_fields = ("=id", "=prefix", "=tenant_id")
    narrowed_by = ("tenant_id",)
    actions = ("revoke",)
    fields = ("id", "scopes", "created_by", *list_display)
    readonly_fields = fields

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen.filter(revoked_at=None):
            keys.revoke(key, operator_of(request))
        self.message_user(request, "The keys are revoked and answer 401 from now on.")


@admin.register(AuditEntry)
class AuditEntryAdmin(Rows):
    list_display = ("at", "actor", "action", "target", "tenant_id", "number")
    search_fields = ("=actor", "=action", "=target", "=tenant_id")
    readonly_fields = ("tenant_id", "number", "at", "actor", "action", "target", "metadata", "hash")
    fields = readonly_fields
