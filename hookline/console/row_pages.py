"""Rows with a page of its own for each, for what a list of fields cannot tell."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse

from hookline.console.pages import LOOKS, show
from hookline.console.rows import Rows


class RowPages(Rows):
    """`page_template` gets what `told` says of a row."""

    page_template = ""

    def told(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method not in LOOKS or not self.has_view_permission(request):
            raise PermissionDenied
        row: Model | None = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        frame = {"opts": self.opts, "may_press": self.has_operate_permission(request)}
        title = str(self.opts.verbose_name).capitalize()
        return show(request, self.page_template, title, **frame, **self.told(request, row))
