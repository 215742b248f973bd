"""What all API resources share: how a body is read, how an answer is written, what an error says."""

import logging
from typing import Any

import msgspec
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hookline import jsontext
from hookline.counters import count
from hookline.errors import ApiError, BadRequest, Invalid, InvalidJson, NotFound, Unavailable
from hookline.families import STORE_OPS
from hookline.jsontext import BadJson
from hookline.logs import request_id
from hookline.wire import Json, json_response, read_body

logger = logging.getLogger(__name__)

Fields = dict[str, bytes]

RENDERER = Json()
BODY_LIMIT = 8 * 1024 * 1024


class Resource(APIView):
    """A part of the API. `self.caller` is who asks; whatever it reads or changes is of that
    tenant. Methods that it does not define answer 405, also HEAD and OPTIONS."""

    http_method_names = ["get", "post", "put", "patch", "delete"]
    body_limit = BODY_LIMIT
    caller: Any = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As APIView's, without choices that this API does not offer: of a format, of a version."""
        request.accepted_renderer, request.accepted_media_type = RENDERER, RENDERER.media_type
        self.perform_authentication(request)
        self.check_permissions(request)
        # No id and no text has one, and PostgreSQL fails over it.
        if "\0" in request.path:
            raise NotFound("No such path")
        if "%00" in request.META.get("QUERY_STRING", ""):
            raise Invalid("The query string must not hold NUL")

    def perform_authentication(self, request: Request) -> None:
        self.caller = request.auth

    @property
    def tenant_id(self) -> str:
        return str(self.caller.tenant_id)

    def body(self) -> bytes:
        return read_body(self.request, self.body_limit)

    def fields(self) -> Fields:
        """The members of the JSON object in the body, as text. Raises InvalidJson."""
        try:
            return jsontext.fields(self.body())
        except BadJson as fault:
            raise InvalidJson(str(fault)) from None

    def document(self) -> dict[str, Any]:
        """The JSON object in the body, parsed. Raises InvalidJson."""
        return {name: jsontext.parse(raw) for name, raw in self.fields().items()}

    def optional_document(self) -> dict[str, Any]:
        """The same where clients may send nothing, or anything: what is no object is empty."""
        try:
            return self.document()
        except InvalidJson:
            return {}

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.caller is not None:
            response["x-tenant-id"] = self.tenant_id
        return response


class PublicResource(Resource):
    """A part of the API that asks for no key."""

    authentication_classes: Any = []
    permission_classes: Any = []


def answer_error(fault: Exception, context: Any) -> Response:
    """The answer to whatever a view raised."""
    error = _as_api_error(fault)
    is_refusal = error is fault  # rather than something that went wrong
    if isinstance(error, Unavailable) and not is_refusal:
        count(STORE_OPS, type(context["view"]).__name__, "error")
    if error.status >= 500 and not is_refusal:
        logger.error("%s %s failed", *_line(context), exc_info=fault)
    return Response(error.body(), status=error.status, headers=dict(error.headers))


def _as_api_error(fault: Exception) -> ApiError:
    match fault:
        case ApiError():
            return fault
        case Http404():
            return NotFound()
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed(str(fault.detail))
        case UnreadablePostError():
            return BadRequest("The body ended before it was whole")
        case SuspiciousOperation():  # such as a Host that is no name, or a thousand query parameters
            return BadRequest("The query string or a header makes no sense")
        case OperationalError() | InterfaceError():
            return Unavailable("The store could not be reached; try again shortly.")
    return ApiError(f"Something went wrong here; the server's log says what, under {request_id.get()}.")


class MethodNotAllowed(ApiError):
    status, code = 405, "method_not_allowed"


def _line(context: Any) -> tuple[str, str]:
    request = context["request"]
    return request.method, request.path


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The answer to a path that nothing is routed to."""
    return json_response(msgspec.json.encode(NotFound("No such path").body()), 404)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The answer to what Django itself refuses to read."""
    return json_response(msgspec.json.encode(BadRequest("A header makes no sense").body()), 400)


def server_error(request: HttpRequest) -> HttpResponse:
    return json_response(msgspec.json.encode(ApiError().body()), 500)
