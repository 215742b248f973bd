"""Lists found by key. A page is the rows after the last one seen, so that none is counted or skipped, and
the thousandth page costs what the first does.

Where a filter has no index, the newest rows are looked through for a moment, and the page says how many they
were and offers to look further back: it answers fast however seldom the rows are that it looks for.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from hookline.environment import parse_durations
from hookline.ids import first_foreign, first_uuid7

# In the address: show what follows this key, or what comes before it.
AFTER, BEFORE = "after", "before"
# Only what was made in the last so many hours or days.
SINCE = "since"
# Where no index serves a filter, rows are looked at so many at a time, for so long.
AT_ONCE = 10_000
PATIENCE_SECONDS = 0.1
SEPARATOR = "~"


class KeyList(ChangeList):
    """One page of rows. `after` and `before` are the addresses of its neighbours, if there are any."""

    model_admin: Any
    after: str | None = None
    before: str | None = None
    # How many rows were looked through, if not all.
    looked_through: int | None = None

    def get_ordering(self, request: HttpRequest, queryset: "QuerySet[Any]") -> list[Any]:
        return list(self.model_admin.order)

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> "QuerySet[Any]":
        asked = {name: values for name, values in self.filter_params.items() if any(values)}
        self.filter_params = {name: asked[name] for name in asked if name not in (AFTER, BEFORE)}
        rows = super().get_queryset(request)
        for name, words in self.model_admin.picks.items():
            if pick := words.get(asked.get(name, [""])[-1]):
                rows = pick(rows)
        return _since(rows, self.model_admin.order[0], asked.get(SINCE, [""])[-1])

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: found[name] for name in found if name not in (SINCE, *self.model_admin.picks)}

    def get_results(self, request: HttpRequest) -> None:
        order, most = Order(self.model_admin.order), self.model_admin.list_per_page
        key, is_back = _asked(request, order, self.model)
        found, edge = self._look(order, key, is_back, most + 1)
        page, more = found[:most], len(found) > most
        if is_back:
            page.reverse()
        self._tell(page)
        self._link(order, page, edge, more=more, is_back=is_back, is_first=key is None)

    def _look(
        self, order: "Order", key: list[Any] | None, is_back: bool, most: int
    ) -> tuple[list[Model], list[Any] | None]:
        """So many rows; and the key of the last one looked at, if there are more to look at."""
        if not self._is_searching():
            return list(order.beyond(self.queryset, key, is_back)[:most]), None
        found: list[Model] = []
        end, looked = time.monotonic() + PATIENCE_SECONDS, 0
        while True:
            rows, edge = order.beyond(self.queryset, key, is_back), self._edge(order, key, is_back)
            found += (order.up_to(rows, edge, is_back) if edge else rows)[: most - len(found)]
            if edge is None or len(found) >= most:
                return found, None
            looked += AT_ONCE
            if time.monotonic() > end:
                self.looked_through = looked
                return found, edge
            key = edge

    def _is_searching(self) -> bool:
        """Whether the list is narrowed by something that no index serves."""
        asked = {*self.get_filters_params(), *(self.filter_params.keys() & self.model_admin.picks.keys())}
        return not self.query and not asked <= set(self.model_admin.indexed_by)

    def _edge(self, order: "Order", key: list[Any] | None, is_back: bool) -> list[Any] | None:
        """The key of the last row to look at next, of those that the indexed filters leave."""
        asked = self.get_filters_params()
        indexed = {name: asked[name][-1] for name in self.model_admin.indexed_by if name in asked}
        rows = self.model._default_manager.filter(**indexed).order_by(*order.columns)
        edge = order.beyond(rows, key, is_back).values_list(*order.names)[AT_ONCE : AT_ONCE + 1]
        return [*edge[0]] if edge else None

    def _tell(self, page: list[Model]) -> None:
        self.result_list = page
        self.result_count = len(page)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(page, max(len(page), 1))

    def _link(
        self,
        order: "Order",
        page: list[Model],
        edge: list[Any] | None,
        *,
        more: bool,
        is_back: bool,
        is_first: bool,
    ) -> None:
        last = order.key_of(page[-1]) if page else None
        first = order.key_of(page[0]) if page else None
        if edge:
            if is_back:
                first = edge
            else:
                last = edge
        if last and (more or is_back or self.looked_through):
            self.after = self.get_query_string({AFTER: order.to_text(last)})
        if first and not is_first and (more or self.looked_through or not is_back):
            self.before = self.get_query_string({BEFORE: order.to_text(first)})


class Order:
    """An order by columns that together are different for each row, all in one direction."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns
        self.names = [column.removeprefix("-") for column in columns]
        self.is_descending = columns[0].startswith("-")

    def key_of(self, row: Model) -> list[Any]:
        return [getattr(row, name) for name in self.names]

    def to_text(self, key: Sequence[Any]) -> str:
        return SEPARATOR.join(each.isoformat() if isinstance(each, datetime) else str(each) for each in key)

    def from_text(self, model: type[Model], text: str) -> list[Any] | None:
        """The key; None if it is none."""
        words = text.split(SEPARATOR)
        fields = [model._meta.get_field(name) for name in self.names]
        try:
            return [field.to_python(word) for field, word in zip(fields, words, strict=True)]  # type: ignore[union-attr]
        except (ValidationError, ValueError):
            return None

    def beyond(self, rows: "QuerySet[Any]", key: list[Any] | None, is_back: bool) -> "QuerySet[Any]":
        """What follows the key, nearest first."""
        rows = rows.reverse() if is_back else rows
        return rows.filter(self.past(key, is_back)) if key else rows

    def up_to(self, rows: "QuerySet[Any]", key: Sequence[Any], is_back: bool) -> "QuerySet[Any]":
        """What comes before the key, and its row. The first bound is what an index finds."""
        word = "gte" if self.is_descending != is_back else "lte"
        near = rows.filter(**{f"{self.names[0]}__{word}": key[0]})
        return near if len(self.names) == 1 else near.exclude(self.past(key, is_back))

    def past(self, key: Sequence[Any], is_back: bool) -> Q:
        return _past(self.names, key, "lt" if self.is_descending != is_back else "gt")


def _past(names: Sequence[str], key: Sequence[Any], word: str) -> Q:
    """By the first column, and where that is equal by the next. The outer bound is what an index finds."""
    [name, *others], [value, *rest] = names, key
    strict = Q(**{f"{name}__{word}": value})
    if not others:
        return strict
    return Q(**{f"{name}__{word}e": value}) & (strict | _past(others, rest, word))


def _since(rows: "QuerySet[Any]", column: str, text: str) -> "QuerySet[Any]":
    """The rows of so long, such as `24h`. An id tells when it was made."""
    try:
        moment = timezone.now() - timedelta(seconds=sum(parse_durations(text))) if text else None
    except (ValueError, OverflowError) as fault:
        raise IncorrectLookupParameters(str(fault)) from None
    if moment is None:
        return rows
    name = column.removeprefix("-")
    if name == "id":
        return rows.filter(id__gte=first_uuid7(moment), id__lt=first_foreign())
    return rows.filter(**{f"{name}__gte": moment})


def _asked(request: HttpRequest, order: Order, model: type[Model]) -> tuple[list[Any] | None, bool]:
    """The key in the address, and whether what comes before it is asked for."""
    is_back = BEFORE in request.GET and AFTER not in request.GET
    text = request.GET.get(BEFORE if is_back else AFTER, "")
    key = order.from_text(model, text) if text else None
    return key, is_back and key is not None
