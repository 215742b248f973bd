"""What happens to every request before it is routed."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, UnreadablePostError

Handler = Callable[[HttpRequest], HttpResponse]

CHUNK = 65_536


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
