"""The API told to programs, at /openapi.yaml, and to people, at /docs."""

from functools import cache

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema_view
from rest_framework.request import Request

from hookline.api import PublicResource
from hookline.openapi import operation

YAML = "application/yaml"
# Swagger UI writes styles and pictures into the page itself.
FOR_SWAGGER = {"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}


@cache
def document() -> bytes:
    schema = SchemaGenerator().get_schema(public=True)
    return bytes(OpenApiYamlRenderer().render(schema, renderer_context={}))


@extend_schema_view(
    get=operation("get_openapi_document", "Read this document", {(200, YAML): {"type": "object"}})
)
class Document(PublicResource):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(document(), content_type=YAML)


@extend_schema_view(get=operation("open_docs", "Open this document in a browser", {(200, "text/html"): str}))
@method_decorator(csp_replace(FOR_SWAGGER), "dispatch")
class Docs(PublicResource):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(render_to_string("docs.html"))
