"""One endpoint: how it is doing, what it gets, and what can be done with it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from deliveries import endpoints, series, trial
from deliveries.console import health
from deliveries.models import Attempt, DeadLetter, Endpoint, Job, Lane
from deliveries.why import fates
from hookline.console.pages import operator_of, page, show
from hookline.database import now
from hookline.errors import ApiError, NotFound
from hookline.keyring import CannotOpen

CHANGE = "deliveries.change_endpoint"
ATTEMPTS_SHOWN = 10
SUBSCRIPTIONS_SHOWN = 200
MOST_COUNTED = 10_000
# How long the old secret may go on signing, in hours.
OVERLAPS = {24: "a day", 1: "an hour", 168: "a week", 720: "30 days", 0: "not at all: it may have leaked"}


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
    told = "Enabled: what it has waiting goes out now." if is_on else "Disabled: what comes for it is held."
    messages.success(request, told)
    return redirect("admin:deliveries_endpoint_change", endpoint_id)


@page("endpoints/<uuid:endpoint_id>/rotate/", name="endpoint_rotate", look=CHANGE, press=CHANGE)
def rotate(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_object_or_404(Endpoint, id=endpoint_id)
    if request.method != "POST":
        title = f"Rotate the secret of {endpoint}"
        return show(request, "console/rotate.html", title, endpoint=endpoint, overlaps=OVERLAPS.items())
    chosen = request.POST.get("overlap", "")
    hours = int(chosen) if chosen.isascii() and chosen.isdecimal() and int(chosen[:4]) in OVERLAPS else 24
    secret = endpoints.rotate_secret(endpoint.id, timedelta(hours=hours), operator_of(request))
    return show_secret(request, endpoint, secret, OVERLAPS[hours] if endpoint.secret_box and hours else "")


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
        messages.success(request, f"{endpoint} is deleted. What it had waiting becomes dead letters.")
    return redirect("admin:deliveries_endpoint_changelist")
