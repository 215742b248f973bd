"""Endpoints made and changed by hand."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from deliveries import endpoints
from deliveries.console.endpoint_page import CHANGE, show_secret
from deliveries.console.forms import EndpointForm, NewEndpointForm
from deliveries.fields import EndpointFields
from deliveries.models import Endpoint
from hookline.console.pages import operator_of, page, show
from hookline.keyring import CannotOpen

AS_THEY_ARE = (
    "name", "url", "description", "max_in_flight", "rate_limit_rps", "timeout_ms", "max_retries",
    "payload_format",
)  # fmt: skip


@page("endpoints/new/", name="endpoint_new", look=CHANGE, press=CHANGE)
def new(request: HttpRequest) -> HttpResponse:
    defaults = {"tenant": request.GET.get("tenant", ""), "max_in_flight": 10, "rate_limit_rps": 100,
                "timeout_ms": 30_000}  # fmt: skip
    form = NewEndpointForm(request.POST or None, initial=defaults)
    if not form.is_valid():
        back = reverse("admin:deliveries_endpoint_changelist")
        return show(request, "console/form.html", "New endpoint", form=form, verb="Make it", back=back)
    given, values = form.cleaned_data, EndpointFields.read(form.document)
    try:
        endpoint = endpoints.create(given["tenant"], values, {}, operator_of(request), given["once"])
    except IntegrityError:  # the form was sent again
        return redirect("admin:deliveries_endpoint_change", given["once"])
    if values["secret"]:
        return show_secret(request, endpoint, values["secret"])
    messages.success(request, "Made. Subscribe it to something next.")
    return redirect("admin:deliveries_endpoint_change", endpoint.id)


@page("endpoints/<uuid:endpoint_id>/edit/", name="endpoint_edit", look=CHANGE, press=CHANGE)
def edit(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_object_or_404(Endpoint, id=endpoint_id)
    try:
        kept = endpoint.headers
    except CannotOpen:
        messages.warning(
            request, "Its headers are encrypted with a key that is not in HL_MASTER_KEY: add that."
        )
        return redirect("admin:deliveries_endpoint_change", endpoint_id)
    form = EndpointForm(request.POST or None, initial=_initial(endpoint), kept=kept)
    if not form.is_valid():
        back = reverse("admin:deliveries_endpoint_change", args=[endpoint_id])
        return show(request, "console/form.html", f"Change {endpoint}", form=form, verb="Save", back=back)
    values = EndpointFields.read(form.document, only_given=True)
    changed = {name: value for name, value in values.items() if value != getattr(endpoint, name)}
    if changed:
        endpoints.change(endpoint.id, changed, {}, operator_of(request))
    messages.success(request, "Changed, for the next delivery on." if changed else "Nothing was changed.")
    return redirect("admin:deliveries_endpoint_change", endpoint_id)


def _initial(endpoint: Endpoint) -> dict[str, Any]:
    schedule = " ".join(f"{seconds}s" for seconds in endpoint.retry_schedule or ())
    return {"retry_schedule": schedule} | {name: getattr(endpoint, name) for name in AS_THEY_ARE}
