"""Tenants: made, limited, and deleted with all they have."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import display
from django.contrib.admin.utils import quote, unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from deliveries import purge, stats
from deliveries.stats import MOST_COUNTED
from hookline.console.drawing import moment, status
from hookline.console.pages import operator_of, page, show
from hookline.console.rows import Rows, View
from hookline.errors import Conflict, NotFound
from tenants import lifecycle
from tenants.console.forms import NewTenant, Settings
from tenants.models import ApiKey, Tenant

MOST_KEYS = 20


@admin.register(Tenant)
class TenantAdmin(Rows):
    change_list_template = "console/tenants.html"
    change_form_template = "console/tenant.html"
    list_display = ("id", "name", "state", "limit", "made")
    order = ("id",)
    known_by = ("id", "name")
    searched_by = ("id__icontains", "name__icontains")
    search_help_text = "A part of a tenant's id or name"
    narrowed_by = ("status",)
    views = (View("All"), View("Active", "status=active"), View("Deleted", "status=deleted"))
    fields = ("id", "name", "state", "limit", "made", "purged")
    readonly_fields = fields

    @display(description="status")
    def state(self, tenant: Tenant) -> Any:
        return status(tenant.status)

    @display(description="jobs that may wait")
    def limit(self, tenant: Tenant) -> str:
        if tenant.max_queue_depth is None:
            return f"{settings.HL_MAX_QUEUE_DEPTH:,}"
        return f"{tenant.max_queue_depth:,}, a limit of its own"

    @display(description="made")
    def made(self, tenant: Tenant) -> Any:
        return moment(tenant.created_at)

    @display(description="data removed")
    def purged(self, tenant: Tenant) -> Any:
        is_going = tenant.status == Tenant.Status.DELETED and tenant.purged_at is None
        return "It is being removed." if is_going else moment(tenant.purged_at)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = {"may_make": request.user.has_perm("tenants.add_tenant")}
        return super().changelist_view(request, may | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        tenant = Tenant.objects.filter(id=unquote(object_id)).first()
        told = _told(tenant, request) if tenant else {}
        return super().change_view(request, object_id, form_url, told | (extra_context or {}))


def _told(tenant: Tenant, request: HttpRequest) -> dict[str, Any]:
    """What its page tells besides its columns, and what this person may press there."""
    is_active = tenant.status == Tenant.Status.ACTIVE
    may = request.user.has_perm
    given = {"name": tenant.name, "max_queue_depth": tenant.max_queue_depth}
    default = {"placeholder": f"{settings.HL_MAX_QUEUE_DEPTH}, as for all"}
    form = Settings(initial=given)
    form.fields["max_queue_depth"].widget.attrs |= default
    return {
        "tenant": tenant,
        "holdings": _holdings(tenant),
        "keys": ApiKey.objects.usable().filter(tenant=tenant).order_by("-id")[:MOST_KEYS],
        "settings": form if is_active and may("tenants.change_tenant") else None,
        "may_issue": is_active and may("tenants.add_apikey"),
        "may_purge": is_active and may("tenants.delete_tenant") and tenant.id != settings.HL_TENANT_ID,
    }


def _holdings(tenant: Tenant) -> list[tuple[str, str]]:
    counted = stats.holdings(tenant.id)
    return [(kind, f"{n:,}" + (" or more" if n == MOST_COUNTED else "")) for kind, n in counted.items()]


@page("tenants/new/", name="tenant_new", look="tenants.add_tenant", press="tenants.add_tenant")
def new(request: HttpRequest) -> HttpResponse:
    form = NewTenant(request.POST or None)
    if form.is_valid():
        given = form.cleaned_data
        try:
            tenant, token = lifecycle.create(
                given["id"], given["name"], None, "console", operator_of(request)
            )
        except Conflict as fault:
            form.add_error("id", f"{fault.detail}.")
        else:
            return show(
                request, "console/token.html", f"Tenant {tenant.id}", token=token, tenant=tenant,
                what="Its first key, which may do everything of this tenant",
            )  # fmt: skip
    back = reverse("admin:tenants_tenant_changelist")
    return show(request, "console/form.html", "New tenant", form=form, verb="Make the tenant", back=back)


@page("tenants/<str:tenant_id>/settings/", name="tenant_settings", press="tenants.change_tenant")
def change(request: HttpRequest, tenant_id: str) -> HttpResponse:
    tenant, form = active_or_404(tenant_id), Settings(request.POST)
    if form.is_valid():
        changed = {name: value for name, value in form.cleaned_data.items() if value != getattr(tenant, name)}
        if changed:
            lifecycle.change(tenant, changed, operator_of(request))
        messages.success(request, "It is so from the next request on.")
    else:
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
    return redirect(place_of(tenant))


@page(
    "tenants/<str:tenant_id>/purge/",
    name="tenant_purge",
    look="tenants.delete_tenant",
    press="tenants.delete_tenant",
)
def delete(request: HttpRequest, tenant_id: str) -> HttpResponse:
    tenant, fault = active_or_404(tenant_id), ""
    if request.method == "POST":
        if request.POST.get("typed") == tenant.id:
            return _deleted(request, tenant)
        fault = "That is not its id. Nothing was deleted."
    title = f"Delete tenant {tenant.id}"
    return show(request, "console/purge.html", title, tenant=tenant, holdings=_holdings(tenant), fault=fault)


def _deleted(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    try:
        purge.delete_tenant(tenant, operator_of(request))
    except Conflict as fault:
        messages.error(request, f"{fault.detail}.")
    else:
        messages.success(request, "It is deleted. What is left of its data is being removed.")
    return redirect(place_of(tenant))


def active_or_404(tenant_id: str) -> Tenant:
    try:
        return lifecycle.active(tenant_id)
    except NotFound:
        raise Http404 from None


def place_of(tenant: Tenant) -> str:
    return reverse("admin:tenants_tenant_change", args=[quote(tenant.id)])
