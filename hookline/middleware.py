"""What happens to every request before it is routed."""

import re
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.module_loading import import_string

from hookline.counters import count, observe
from hookline.families import API_LATENCY, API_REQUESTS
from hookline.labels import OTHER
from hookline.logs import request_id

Handler = Callable[[HttpRequest], HttpResponse]

CHUNK = 65_536
NO_ROUTE = "none"
PLAIN_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
METHODS = frozenset(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])


def name(handle: Handler) -> Handler:
    """Gives every request an id, its sender's own if that is a plain one: in the answer and in the log."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID")
        id = given if given and PLAIN_ID.fullmatch(given) else secrets.token_hex(8)
        token = request_id.set(id)
        try:
            response = handle(request)
        finally:
            request_id.reset(token)
        response["x-request-id"] = id
        return response

    return middleware


def measure(handle: Handler) -> Handler:
    """Counts requests and how long each took until its answer began, by route: there are few of those,
    and any number of paths."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = handle(request)
        took = round((time.perf_counter() - began) * 1000)
        route = f"/{request.resolver_match.route}" if request.resolver_match else NO_ROUTE
        method = request.method if request.method in METHODS else OTHER
        count(API_REQUESTS, route, str(method), str(response.status_code))
        observe(API_LATENCY, route, values=[took])
        return response

    return middleware


# What programs ask for. The inbox's page is a page all the same.
PROGRAMS = ("/v1/", "/metrics", "/healthz", "/readyz")
PAGE_AMONG_THEM = "/v1/dev/inbox/ui"


def read_what_is_still_sent(handle: Handler) -> Handler:
    """Whoever is refused while still sending would lose the answer with the connection. One that
    waits to be asked for the body is not asked."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = handle(request)
        if "HTTP_EXPECT" not in request.META:
            _read_to_the_end(request)
        return response

    return middleware


def _read_to_the_end(request: HttpRequest) -> None:
    try:
        while request.read(CHUNK):
            pass
    except UnreadablePostError:
        return


def tolerate_trailing_slash(handle: Handler) -> Handler:
    """`/v1/events/` means `/v1/events`, for every method and without a redirect."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/v1/"):
            request.path_info = request.path = request.path_info.rstrip("/")
        return handle(request)

    return middleware


def tell_length(handle: Handler) -> Handler:
    """Says how long an answer is, for clients that read simply. Django's own middleware would do it
    too, and refuse clients that send no Host."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = handle(request)
        if response.status_code != 204 and not response.streaming and "Content-Length" not in response:
            response["Content-Length"] = str(len(response.content))
        return response

    return middleware


def for_pages(handle: Handler) -> Handler:
    """What pages need (sessions, files, a policy), for pages alone: a publish would spend a seventh of
    its time there."""
    for_page = handle
    for name in reversed(settings.PAGE_MIDDLEWARE):
        for_page = import_string(name)(for_page)

    def middleware(request: HttpRequest) -> HttpResponse:
        path = request.path_info
        is_page = not path.startswith(PROGRAMS) or path == PAGE_AMONG_THEM
        return for_page(request) if is_page else handle(request)

    return middleware
