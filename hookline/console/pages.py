"""Pages that are no list of rows. See the package for how one is added."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse

View = Callable[..., HttpResponseBase]

LOOKS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Page:
    """`look` and `press` are the permissions to open it and to POST to it; None if nobody may."""

    route: str
    name: str
    look: str | None
    press: str | None
    view: View

    def __call__(self, request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        permission = self.look if request.method in LOOKS else self.press
        if permission is None or request.method not in (*LOOKS, "POST"):
            return HttpResponseNotAllowed(self._methods())
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return self.view(request, **arguments)

    def _methods(self) -> list[str]:
        return [*(LOOKS if self.look else ()), *(["POST"] if self.press else [])]


pages: list[Page] = []


def page(
    route: str, *, name: str, look: str | None = None, press: str | None = None
) -> Callable[[View], View]:
    """Puts a view on the console, for people with these permissions."""

    def add(view: View) -> View:
        pages.append(Page(route, name, look, press, view))
        return view

    return add


def show(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    """The page in the console's frame."""
    frame = admin.site.each_context(request)
    return TemplateResponse(request, template, {**frame, "title": title, **context})


def operator_of(request: HttpRequest) -> str:
    """Who did it, as the audit log names people."""
    return f"operator {request.user.get_username()}"
