"""The first page: is anything wrong, where, and since when?"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from deliveries import pausing, pulse, series, traffic
from deliveries.console import health
from deliveries.models import Endpoint
from deliveries.pulse import MOST_LETTERS, MOST_WAITING
from deliveries.series import QUANTILES, WINDOWS, Series, Window, quantiles
from deliveries.traffic import DEAD, DELIVERED, FAILED, PUBLISHED
from hookline.console import charts
from hookline.console.drawing import NOTHING, milliseconds, span
from hookline.console.pages import operator_of, page, show
from hookline.database import now
from tenants.models import Tenant

MOST_TENANTS = 500
LINES = ("p50", "p95", "p99")


@page("", name="index", look="deliveries.view_job")
def overview(request: HttpRequest) -> HttpResponse:
    """The whole page, or for its script the figures alone."""
    window = WINDOWS.get(request.GET.get("window", ""), WINDOWS["1h"])
    tenant_id = request.GET.get("tenant", "").replace("\0", "")
    template = "console/overview_figures.html" if "figures" in request.GET else "console/overview.html"
    return show(
        request,
        template,
        "Overview",
        window=window,
        windows=WINDOWS.values(),
        tenant_id=tenant_id,
        tenants=Tenant.objects.order_by("id").values_list("id", "name")[:MOST_TENANTS],
        may_pause=request.user.has_perm("hookline.change_switch"),
        **_figures(tenant_id, window, now()),
    )


@page("deliveries/pause/", name="pause", press="hookline.change_switch")
def pause(request: HttpRequest) -> HttpResponse:
    pausing.pause(settings.HL_TENANT_ID, operator_of(request))
    messages.warning(request, "Deliveries are paused. Events are still accepted, and wait.")
    return redirect("admin:index")


@page("deliveries/resume/", name="resume", press="hookline.change_switch")
def resume(request: HttpRequest) -> HttpResponse:
    pausing.resume(settings.HL_TENANT_ID, operator_of(request))
    messages.success(request, "Deliveries go on.")
    return redirect("admin:index")


def _figures(tenant_id: str, window: Window, moment: datetime) -> dict[str, Any]:
    scope = traffic.of_tenant(tenant_id) if tenant_id else traffic.EVERYTHING
    found = series.of(scope, window, moment)
    taken = pulse.take(tenant_id, moment)
    return {
        "moment": moment,
        "pulse": taken,
        "waiting": _at_most(taken.waiting, MOST_WAITING),
        "letters": _at_most(taken.letters, MOST_LETTERS),
        "late_for": span((moment - taken.oldest_due).total_seconds()) if taken.oldest_due else "",
        **_totals(found, window),
        "charts": _charts(found),
        "failing": list(_failing(tenant_id, window, moment)),
    }


def _totals(found: Series, window: Window) -> dict[str, Any]:
    rate = found.success_rate
    half, most, nearly_all = found.quantiles()
    return {
        "published": found.total(PUBLISHED),
        "attempts": found.total(DELIVERED) + found.total(FAILED),
        "failed": found.total(FAILED),
        "dead": found.total(DEAD),
        "per_second": f"{found.total(PUBLISHED) / window.length.total_seconds():.2g}",
        "success": health.percent(rate),
        "health": "" if rate is None else "good" if rate > 0.99 else "warn" if rate > 0.9 else "bad",
        "p50": _duration(half),
        "p95": _duration(most),
        "p99": _duration(nearly_all),
    }


def _charts(found: Series) -> dict[str, Any]:
    times = [f"{at:%d %b %H:%M}" for at in found.starts]
    parts = {name: found.of(name) for name in (PUBLISHED, DELIVERED, FAILED, DEAD)}
    took = [quantiles(each, QUANTILES) for each in found.took]
    attempts = zip(times, parts[DELIVERED], parts[FAILED], strict=True)
    lasted = [(time, *map(_duration, each)) for time, each in zip(times, took, strict=True)]
    return {
        "attempts": charts.columns(
            found.starts,
            [("good", parts[DELIVERED]), ("bad", parts[FAILED])],
            [f"{time}: {delivered:,} delivered, {failed:,} failed" for time, delivered, failed in attempts],
            "Attempts over time",
        ),
        "published": charts.columns(
            found.starts,
            [("info", parts[PUBLISHED])],
            [f"{time}: {number:,} published" for time, number in zip(times, parts[PUBLISHED], strict=True)],
            "Events over time",
        ),
        "latency": charts.lines(
            found.starts,
            [(name, [each[place] for each in took]) for place, name in enumerate(LINES)],
            [f"{time}: p50 {half}, p95 {most}, p99 {all}" for time, half, most, all in lasted],
            "Duration of attempts over time",
            _duration,
        ),
        "dead": charts.columns(
            found.starts,
            [("bad", parts[DEAD])],
            [f"{time}: {number:,} given up" for time, number in zip(times, parts[DEAD], strict=True)],
            "Jobs given up over time",
        ),
    }


def _failing(tenant_id: str, window: Window, moment: datetime) -> Iterator[dict[str, Any]]:
    """The endpoints that failed most, with the last day of each."""
    ids = Endpoint.objects.filter(tenant_id=tenant_id).values_list("id", flat=True) if tenant_id else None
    worst = series.failed_most(window, moment, ids)
    found = Endpoint.objects.in_bulk([id for id, _ in worst])
    days = series.of_endpoints(found, moment)
    for id, failed in worst:
        if id in found:
            yield {
                "endpoint": found[id],
                "failed": failed,
                "day": health.sparkline(days[id]),
                "rate": health.rate(days[id]),
            }


def _duration(number: float | None) -> str:
    return NOTHING if number is None else milliseconds(round(number))


def _at_most(number: int, most: int) -> str:
    return f"{most:,}+" if number >= most else f"{number:,}"
