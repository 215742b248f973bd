"""One box that finds any id: it opens the only row that has it, or lists what has it by kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from hookline.console.pages import page, show
from hookline.console.rows import Rows

OF_EACH_KIND = 10


@dataclass(frozen=True, slots=True)
class Hit:
    kind: str
    text: str
    url: str


@page("search/", name="search", look="deliveries.view_event")
def search(request: HttpRequest) -> HttpResponse:
    term = request.GET.get("q", "").strip().replace("\0", "")
    hits = list(find(request, term)) if term else []
    if len(hits) == 1:
        return redirect(hits[0].url)
    return show(request, "console/search.html", "Search", term=term, hits=hits)


def find(request: HttpRequest, term: str) -> Iterator[Hit]:
    """The rows of any list that this person may see, by what each kind is known by."""
    for rows in admin.site._registry.values():
        if isinstance(rows, Rows) and rows.has_view_permission(request):
            found = rows.known(rows.get_queryset(request), term).order_by(*rows.order)
            yield from (_hit(rows, row) for row in islice(found, OF_EACH_KIND))


def _hit(rows: Rows, row: Any) -> Hit:
    place = reverse(f"admin:{rows.opts.app_label}_{rows.opts.model_name}_change", args=[quote(str(row.pk))])
    return Hit(str(rows.opts.verbose_name), str(row), place)
