"""The API document: what operations have in common is said here, once.

What differs stands in each app's `schema.py`, a decorator per view, and in `shapes.py`, the
documents that go in and out. drf-spectacular puts it all together.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers

from tenants import scopes

Schema = dict[str, Any]
Shape = serializers.Serializer[Any]

JSON = "application/json"

# Variables of paths that are no ids of ours.
PATH_VARIABLES = {
    "action": {"type": "string", "enum": ["pause", "resume", "cancel"]},
    "tenant_id": {"type": "string", "maxLength": 200},
    "message_id": {"type": "string", "pattern": "^[0-9]+$"},
    "token": {"type": "string", "maxLength": 100},
    "rest": {"type": "string"},
}


class Open(Shape):
    """A document that may hold more fields than are named; they are kept and given back."""


class Text(serializers.CharField):
    """A string that may also be empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_blank=True, **options)


@extend_schema_field({"type": "integer", "format": "int64", "description": "Milliseconds since 1970."})
class Milliseconds(serializers.IntegerField):
    pass


class Anything(serializers.JSONField):
    """Any JSON value."""


# --- What goes wrong ----------------------------------------------------------------------


class Fault(Shape):
    error = Text(help_text="One word for programs.")
    detail = Text(help_text="A sentence for people, or nothing.")


class NoKey(Shape):
    error = serializers.ChoiceField(choices=["unauthorized"])
    code = serializers.ChoiceField(choices=["AUTH_REQUIRED"])


class NoScope(Shape):
    error = serializers.ChoiceField(choices=["forbidden"])
    code = serializers.ChoiceField(choices=["INSUFFICIENT_SCOPE"])
    required_scope = Text()


class CommonFault(OpenApiResponse):
    """An answer that many operations share, told once in the document and referred to."""

    def __init__(self, name: str, shape: type[Shape], meaning: str) -> None:
        super().__init__(shape, meaning)
        self.name = name


FAULTS = {
    400: CommonFault("BadRequest", Fault, "The request cannot be used as it is; `detail` says why."),
    401: CommonFault("NoKey", NoKey, "The key is missing, unknown, revoked or expired."),
    403: CommonFault("NoScope", NoScope, "The key lacks `required_scope`."),
    404: CommonFault("NotFound", Fault, "There is no such thing, or it is another tenant's."),
    409: CommonFault("Conflict", Fault, "As things are it cannot be done; `detail` says why."),
    413: CommonFault("TooLarge", Fault, "The body is too large."),
    429: CommonFault("Overloaded", Fault, "Too many deliveries of this tenant wait; nothing was stored."),
    503: CommonFault("Unavailable", Fault, "The store could not be reached."),
}
WITH_RETRY_AFTER = ("429", "503")


# --- How a view is described --------------------------------------------------------------


class Optional(OpenApiRequest):
    """A body that clients may leave out."""


def operation(
    name: str,
    summary: str,
    answers: Mapping[Any, Any],
    *,
    body: Any = None,
    query: Sequence[OpenApiParameter] = (),
    faults: Sequence[int] = (),
    description: str = "",
) -> Any:
    """Describes a method. `faults` are those that do not follow from its path and body."""
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=description,
        request=body if isinstance(body, dict | None) else {JSON: body},
        parameters=list(query),
        responses=dict(answers) | {status: FAULTS[status] for status in faults},
    )


def parameter(name: str, kind: Any, meaning: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=meaning, **options)


class Operation(AutoSchema):
    """Adds to each operation what follows from its path, its body and its need for a key."""

    def get_operation_id(self) -> str:
        words = self.path.replace("{", "").replace("}", "").split("/")
        return "_".join([self.method.lower(), *filter(None, words)])

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular has it
        """None but those that `operation` is given: docstrings are for us."""
        return ""

    def get_operation(self, *route: Any) -> Schema | None:
        found = super().get_operation(*route)
        if found and (scope := self._scope()):
            found["description"] = f"{found.get('description', '')}\n\nScope: `{scope}`.".strip()
        return found

    def get_tags(self) -> list[str]:
        return super().get_tags() if self.path.startswith("/v1/") else ["installation"]

    def map_parsers(self) -> list[str]:
        return [JSON]

    def _resolve_path_parameters(self, variables: Sequence[str]) -> list[Schema]:
        return [_in_path(name) for name in variables]

    def _map_serializer_field(self, *field: Any) -> Schema:
        schema: Schema = super()._map_serializer_field(*field)
        schema.pop("x-spec-enum-id", None)
        return schema

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if direction == "request" or isinstance(serializer, Open):
            schema["additionalProperties"] = {}
        if direction == "request":
            _allow_null(schema)
        return schema

    def _get_request_body(self, direction: Any = "request") -> Schema | None:
        body: Schema | None = super()._get_request_body(direction)
        if body and not any(isinstance(shape, Optional) for shape in self._given_shapes()):
            body["required"] = True
        return body

    def _given_shapes(self) -> list[Any]:
        given: Any = self.get_request_serializer()
        return list(given.values())

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        bodies: Schema = super()._get_response_bodies(direction)
        for status in self._common_faults(bodies):
            if str(status) not in bodies:
                bodies[str(status)] = self._get_response_for_code(FAULTS[status], str(status))
        return dict(sorted(bodies.items()))

    def _common_faults(self, bodies: Schema) -> list[int]:
        faults = [400, 401, 503] if self._needs_key() else [400]
        if self._scope():
            faults.append(403)
        if self._get_request_body():
            faults.append(413)
        if "{" in self.path and "501" not in bodies:
            faults.append(404)
        return faults

    def _get_response_for_code(self, serializer: Any, status_code: str, *rest: Any) -> Schema:
        response: Schema = super()._get_response_for_code(serializer, status_code, *rest)
        response["description"] = response["description"] or HTTPStatus(int(status_code)).phrase
        if not isinstance(serializer, CommonFault):
            return response
        component = ResolvedComponent(serializer.name, ResolvedComponent.RESPONSE, response, serializer.name)
        self.registry.register_on_missing(component)
        return dict(component.ref)

    def _get_response_headers_for_code(self, status_code: str, *rest: Any) -> Schema:
        headers: Schema = super()._get_response_headers_for_code(status_code, *rest)
        if status_code in WITH_RETRY_AFTER:
            headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
        if status_code.startswith("2") and self._needs_key():
            headers["x-tenant-id"] = {"schema": {"type": "string"}, "description": "The key's tenant."}
        return headers

    def _needs_key(self) -> bool:
        return bool(self.view.authentication_classes)

    def _scope(self) -> str | None:
        return scopes.required(self.path, self.method) if self._needs_key() else None


def _allow_null(schema: Schema) -> None:
    """In a request null stands for a field that is left out. Where all may be left out, because
    only what is given changes, none has a default."""
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        if name not in required and "type" in field:
            field["nullable"] = True
            if "enum" in field:
                field["enum"].append(None)
        if not required:
            field.pop("default", None)


def _in_path(name: str) -> Schema:
    schema = PATH_VARIABLES.get(name, {"type": "string", "format": "uuid"})
    return {"name": name, "in": "path", "required": True, "schema": schema}


class KeyScheme(OpenApiAuthenticationExtension):
    """A key as a header, or in the query where a browser cannot send headers."""

    target_class = "tenants.authentication.KeyAuthentication"
    name = ["bearer", "token"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        return [
            {"type": "http", "scheme": "bearer"},
            {"type": "apiKey", "in": "query", "name": "token"},
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Schema]:
        given = auto_schema.get_override_parameters()
        query = {found.name for found in given if isinstance(found, OpenApiParameter)}
        return [{"bearer": []}] if "token" in query else [{"bearer": []}, {"token": []}]


# --- What answers alike to every method, and is no view of REST framework -----------------


def add_health(result: Schema, **context: Any) -> Schema:
    """The last step of making the document."""
    status = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    result["paths"] |= {
        "/healthz": _get("get_health", "Whether this process answers", {"200": _told(JSON, status)}),
        "/readyz": _get(
            "get_readiness",
            "Whether requests can be served",
            {"200": _told(JSON, status), "503": _told(JSON, status)},
        ),
        "/metrics": _get(
            "get_metrics", "Metrics for Prometheus", {"200": _told("text/plain", {"type": "string"})}
        ),
    }
    return result


def _get(name: str, summary: str, responses: Schema) -> Schema:
    return {
        "get": {"operationId": name, "summary": summary, "tags": ["installation"], "responses": responses}
    }


def _told(media_type: str, schema: Schema) -> Schema:
    return {"description": "The answer", "content": {media_type: {"schema": schema}}}
