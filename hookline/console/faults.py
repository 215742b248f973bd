"""What the console says where a page cannot be shown. Elsewhere it is the API that answers."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hookline import api

PLACE = "/console/"
SENTENCES = {
    400: ("This address makes no sense here", "It asks for something that the list does not offer."),
    403: ("You may not do this", "Your role does not include it; an administrator can change your role."),
    404: ("There is no such page", "What it was about may have been removed, or never was here."),
    500: (
        "This page could not be made",
        "What went wrong is in the log of the web process. /readyz tells whether the store can be reached.",
    ),
}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 400) if _is_ours(request) else api.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """With a way out: whoever has no role is sent here from the first page, too."""
    return _page(request, 403, may_leave=True)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 404) if _is_ours(request) else api.not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return _page(request, 500) if _is_ours(request) else api.server_error(request)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a form that did not come from a page of ours, or from one that is too old."""
    told = ("This form is too old", "Go back, load the page again, and send it once more.")
    return _page(request, 403, told)


def _is_ours(request: HttpRequest) -> bool:
    return request.path.startswith(PLACE)


def _page(
    request: HttpRequest, status: int, told: tuple[str, str] | None = None, *, may_leave: bool = False
) -> HttpResponse:
    """Without the frame: nothing is asked of a store that may be the reason."""
    title, sentence = told or SENTENCES[status]
    context = {"title": title, "sentence": sentence, "may_leave": may_leave}
    return render(request, "console/fault.html", context, status=status)
