"""API keys: issued, replaced and revoked. A token is on the page that answers, this once."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from hookline.console.drawing import NOTHING, moment, status
from hookline.console.pages import operator_of, page, show
from hookline.console.rows import Rows, View
from hookline.errors import ApiError, NotFound
from tenants import keys
from tenants.console.forms import NewKey, Rotation
from tenants.console.tenants import place_of
from tenants.models import TOKEN_PREFIX, ApiKey

MAY_ISSUE = "tenants.add_apikey"
ISSUED = "A key of this tenant"


@admin.register(ApiKey)
class ApiKeyAdmin(Rows):
    change_list_template = "console/api_keys.html"
    change_form_template = "console/api_key.html"
    list_display = ("begins", "name", "of_tenant", "state", "may", "ends", "used")
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
    hint = "Keys that come from the environment, HL_API_KEY and HL_ADMIN_KEY, are not listed."
    actions = ("revoke",)
    fields = ("id", "begins", "name", "of_tenant", "state", "may", "created_by", "made", "ends", "used")
    readonly_fields = fields

    def known(self, rows: "QuerySet[ApiKey]", term: str) -> "QuerySet[ApiKey]":
        """A whole token is cut to the part that is kept."""
        return super().known(rows, term[: keys.SHOWN] if term.startswith(TOKEN_PREFIX) else term)

    @display(description="token")
    def begins(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description="status")
    def state(self, key: ApiKey) -> Any:
        return status(state_of(key))

    @display(description="scopes")
    def may(self, key: ApiKey) -> str:
        return ", ".join(map(str, key.scopes)) or NOTHING

    @display(description="made")
    def made(self, key: ApiKey) -> Any:
        return moment(key.created_at)

    @display(description="ends")
    def ends(self, key: ApiKey) -> Any:
        return moment(key.revoked_at or key.expires_at)

    @display(description="last used")
    def used(self, key: ApiKey) -> Any:
        return moment(key.last_used_at)

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        for key in chosen.filter(revoked_at=None):
            keys.revoke(key, operator_of(request))
        self.message_user(request, "The keys are revoked and answer 401 from now on.")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        told = {"title": "API keys", "may_issue": request.user.has_perm(MAY_ISSUE)}
        return super().changelist_view(request, told | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        key = self.get_object(request, object_id)
        is_active = key is not None and state_of(key) == "active"
        may = {
            "may_replace": is_active and request.user.has_perm(MAY_ISSUE),
            "may_revoke": is_active and self.has_operate_permission(request),
        }
        return super().change_view(request, object_id, form_url, may | (extra_context or {}))


def state_of(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= timezone.now() else "active"


@page("keys/new/", name="apikey_new", look=MAY_ISSUE, press=MAY_ISSUE)
def issue(request: HttpRequest) -> HttpResponse:
    form = NewKey(request.POST or None, initial={"tenant": request.GET.get("tenant", "")})
    if form.is_valid():
        given = form.cleaned_data
        try:
            _, token = keys.issue(
                given["tenant"].id, given["name"], given["scopes"], "console", operator_of(request),
                given["ends"], given["once"],
            )  # fmt: skip
        except ApiError as fault:
            form.add_error(None, f"{fault.detail}.")
        else:
            title = f"Key {given['name']}"
            return show(
                request, "console/token.html", title, token=token, tenant=given["tenant"], what=ISSUED
            )
    back = reverse("admin:tenants_apikey_changelist")
    return show(request, "console/form.html", "New key", form=form, verb="Issue the key", back=back)


@page(
    "keys/<uuid:key_id>/replace/",
    name="apikey_replace",
    look="tenants.add_apikey",
    press="tenants.add_apikey",
)
def replace(request: HttpRequest, key_id: UUID) -> HttpResponse:
    key, form = _usable_or_404(key_id), Rotation(request.POST or None)
    if form.is_valid():
        overlap, once = form.cleaned_data["overlap"], form.cleaned_data["once"]
        try:
            _, token = keys.rotate(key, overlap, operator_of(request), once)
        except ApiError as fault:
            form.add_error(None, f"{fault.detail}.")
        else:
            what = f"{ISSUED}, with the scopes of {key.prefix}…"
            return show(
                request, "console/token.html", "Key replaced", token=token, tenant=key.tenant, what=what
            )
    back = reverse("admin:tenants_apikey_change", args=[key.id])
    title = f"Replace key {key}"
    return show(request, "console/form.html", title, form=form, verb="Replace the key", back=back)


@page("keys/<uuid:key_id>/revoke/", name="apikey_revoke", press="tenants.change_apikey")
def revoke(request: HttpRequest, key_id: UUID) -> HttpResponse:
    key = _usable_or_404(key_id)
    try:
        keys.revoke(key, operator_of(request))
    except NotFound:
        messages.warning(request, "It has ended already.")
    else:
        messages.success(request, f"Key {key} is revoked and answers 401 from now on.")
    if request.POST.get("back") == "tenant":
        return redirect(place_of(key.tenant))
    return redirect(reverse("admin:tenants_apikey_change", args=[key.id]))


def _usable_or_404(key_id: UUID) -> ApiKey:
    key = ApiKey.objects.usable().filter(id=key_id).select_related("tenant").first()
    if key is None:
        raise Http404
    return key
