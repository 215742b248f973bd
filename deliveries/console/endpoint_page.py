"""One endpoint: how it is doing, what it gets, and what can be done with it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from deliveries import endpoints, series, trial
from deliveries.console import health
from deliveries.console.forms import OVERLAPS, RotationForm
from deliveries.models import Attempt, DeadLetter, Endpoint, Job, Lane
from deliveries.why import fates
from hookline.console.pages import operator_of, page, show
from hookline.database import now
from hookline.errors import ApiError, Conflict, NotFound
from hookline.keyring import CannotOpen

CHANGE = "deliveries.change_endpoint"
ATTEMPTS_SHOWN = 10
SUBSCRIPTIONS_SHOWN = 200
MOST_COUNTED = 10_000


def told(endpoint: Endpoint) -> dict[str, Any]:
    queue = fates.of_queue(endpoint)
    waiting = Job.objects.filter(
        tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, status=Job.Status.PENDING
    ).order_by()
    letters = DeadLetter.objects.filter(endpoint_id=endpoint.id).order_by()
    subscriptions = endpoint.subscriptions.filter(deleted_at=None).defer("transform", "extra").order_by("id")
    attempts = Attempt.objects.filter(endpoint_id=endpoint.id).order_by("-id")
    day = series.of_endpoints([endpoint.id], now())[endpoint.id]
    return {
        "endpoint": endpoint,
        "day": health.of_day(day),
        "lane": Lane.objects.filter(endpoint_id=endpoint.id).first(),
        "next_job": queue and queue[0],
        "next_state": queue and queue[1],
        "waiting": waiting[: MOST_COUNTED + 1].count(),
        "letters": letters[: MOST_COUNTED + 1].count(),
        "most_counted": MOST_COUNTED,
        "headers": header_names(endpoint),
        "subscriptions": list(subscriptions[:SUBSCRIPTIONS_SHOWN]),
        "attempts": list(attempts.defer("response_body", "response_headers")[:ATTEMPTS_SHOWN]),
        "refusal": trial.refusal(endpoint),
    }


def header_names(endpoint: Endpoint) -> list[str] | None:
    """None if no key opens them."""
    try:
        return list(endpoint.headers)
    except CannotOpen:
        return None


@page("endpoints/<uuid:endpoint_id>/test/", name="endpoint_test", press=CHANGE)
def test(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    """Leads to the page of its job, which goes on by itself until the answer is there."""
    try:
        sent = trial.send_test(get_object_or_404(Endpoint, id=endpoint_id), operator_of(request))
    except ApiError as fault:
        messages.warning(request, fault.detail)
        return redirect("admin:deliveries_endpoint_change", endpoint_id)
    return redirect("admin:deliveries_job_change", sent.job_id)


@page("endpoints/<uuid:endpoint_id>/switch/", name="endpoint_switch", press=CHANGE)
def switch(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_object_or_404(Endpoint, id=endpoint_id)
    is_on = request.POST.get("enabled") == "true"
    endpoints.change(endpoint.id, {"enabled": is_on}, {}, operator_of(request))
    sentence = "Enabled: what waits for it goes out now." if is_on else "Disabled: what comes for it is held."
    messages.success(request, sentence)
    return redirect("admin:deliveries_endpoint_change", endpoint_id)


@page("endpoints/<uuid:endpoint_id>/rotate/", name="endpoint_rotate", look=CHANGE, press=CHANGE)
def rotate(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_object_or_404(Endpoint, id=endpoint_id)
    form = RotationForm(endpoint, request.POST or None)
    if not form.is_valid():
        intro, back = OF_ROTATION[bool(endpoint.secret_box)], _place(endpoint_id)
        return show(
            request, "console/form.html", f"Rotate the secret of {endpoint}", form=form, intro=intro,
            verb="Make a new secret", back=back,
        )  # fmt: skip
    hours = form.cleaned_data.get("overlap", 0)
    try:
        secret = endpoints.rotate_secret(
            endpoint.id, timedelta(hours=hours), operator_of(request), seen=endpoint
        )
    except Conflict as fault:
        messages.warning(request, fault.detail)
        return redirect(_place(endpoint_id))
    return show_secret(request, endpoint, secret, dict(OVERLAPS)[hours] if hours else "")


OF_ROTATION = {
    True: "A new secret is made and shown once. Until the overlap ends, deliveries carry the signatures of "
    "both, so that the receiver can change over without missing one.",
    False: "A secret is made and shown once. Until now its deliveries are not signed.",
}


def _place(endpoint_id: UUID) -> str:
    return reverse("admin:deliveries_endpoint_change", args=[endpoint_id])


def show_secret(request: HttpRequest, endpoint: Endpoint, secret: str, overlap: str = "") -> HttpResponse:
    """The only page that a secret is ever on; no browser keeps it."""
    title = f"The new secret of {endpoint}"
    return show(request, "console/secret.html", title, endpoint=endpoint, secret=secret, overlap=overlap)


@page("endpoints/<uuid:endpoint_id>/delete/", name="endpoint_delete", press="deliveries.delete_endpoint")
def delete(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_object_or_404(Endpoint, id=endpoint_id)
    try:
        endpoints.delete(endpoint, operator_of(request))
    except NotFound as fault:
        messages.warning(request, fault.detail)
    else:
        messages.success(request, "Deleted. What it had waiting becomes dead letters.")
    return redirect("admin:deliveries_endpoint_changelist")
