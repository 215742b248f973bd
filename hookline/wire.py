"""How the body of a request is read and how JSON goes out, whatever the headers say."""

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from hookline.errors import TooLarge

JSON = "application/json"


def read_body(request: Request | HttpRequest, limit: int) -> bytes:
    """The body, never more than one byte beyond the limit. Raises TooLarge."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise TooLarge
    body: bytes = request.read(limit + 1)
    if len(body) > limit:
        raise TooLarge
    return body


def json_response(body: bytes, status: int = 200) -> HttpResponse:
    """An answer whose JSON text is already made."""
    return HttpResponse(body, status=status, content_type=JSON)


class AnyBody(BaseParser):
    """Clients send JSON under every content type, and curl's own; none is refused for it."""

    media_type = "*/*"


class Json(BaseRenderer):
    media_type, format = JSON, "json"
    charset = None

    def render(self, data: Any, *args: Any) -> bytes:
        return b"" if data is None else msgspec.json.encode(data)


class AlwaysJson(BaseContentNegotiation):
    """The Accept header is not looked at."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
