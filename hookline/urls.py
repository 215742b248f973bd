"""Every door of the installation."""

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from hookline import health, reference


def console_disabled(request: HttpRequest, rest: str = "") -> HttpResponse:
    message = "The console is off; HL_CONSOLE_ENABLED=true turns it on."
    return JsonResponse({"error": "console_disabled", "message": message}, status=404)


def to_console(request: HttpRequest) -> HttpResponse:
    return redirect("admin:index")


@csrf_exempt
def to_people(request: HttpRequest) -> HttpResponse:
    """People type a host name and no path. For programs there is nothing here."""
    if "text/html" not in request.headers.get("Accept", ""):
        raise Http404
    return to_console(request)


console = (
    [path("", to_people), path("console", to_console), path("console/", admin.site.urls)]
    if settings.HL_CONSOLE_ENABLED
    else [re_path(r"^console(?:/(?P<rest>.*))?$", console_disabled)]
)

urlpatterns = [
    path("v1/", include("deliveries.api.urls")),
    path("v1/", include("tenants.api.urls")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
    path("openapi.yaml", reference.Document.as_view(), name="openapi"),
    path("docs", reference.Docs.as_view()),
    *console,
]

handler400 = "hookline.console.faults.bad_request"
handler403 = "hookline.console.faults.forbidden"
handler404 = "hookline.console.faults.not_found"
handler500 = "hookline.console.faults.server_error"
