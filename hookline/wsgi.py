"""The application, as a web server calls it."""

import os
from collections.abc import Callable
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

from hookline.bodies import Body

Environ = dict[str, Any]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hookline.settings")


class Request(WSGIRequest):
    """A request whose body may come in chunks, for which Django alone reads nothing, and whose
    content type may be nonsense."""

    def __init__(self, environ: Environ) -> None:
        super().__init__(environ)
        self._stream = Body(environ)  # type: ignore[assignment]

    def _set_content_type_params(self, meta: Environ) -> None:
        """Forms have a type. No charset is believed: it would tell Django how to read the query."""
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except (ValueError, LookupError):
            self.content_type, self.content_params = "", {}


class Application(WSGIHandler):
    request_class = Request

    def __init__(self) -> None:
        super().__init__()
        self.ours = {name: value for name, value in os.environ.items() if name.startswith("HTTP_")}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> HttpResponseBase:
        # granian hands over our own environment too, where HTTP_PROXY would pass for a header.
        for name, value in self.ours.items():
            if environ.get(name) == value:
                del environ[name]
        return super().__call__(environ, start_response)


django.setup(set_prefix=False)
application = Application()
