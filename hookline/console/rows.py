"""What the console's lists of rows have in common: they are shown, never edited by hand, and no page
counts or reads a whole table. What can be done with a row are verbs, the same as the API's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Model, QuerySet, UUIDField
from django.http import HttpRequest, HttpResponse, QueryDict

from hookline.console.drawing import link
from hookline.console.keyset import AFTER, BEFORE, SINCE, KeyList


@dataclass(frozen=True, slots=True)
class View:
    """A list under a name, such as "Retrying"; `narrowing` is what its address says after `?`."""

    name: str
    narrowing: str = ""


Pick = Callable[["QuerySet[Any]"], "QuerySet[Any]"]


class Rows(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at. `operate` is the right to press their verbs."""

    list_per_page = 50
    show_full_result_count = False
    sortable_by = ()
    change_list_template = "console/rows.html"
    change_form_template = "console/row.html"
    # By columns of an index, which together are different for each row.
    order: Sequence[str] = ("-id",)
    # Fields, or look-ups of fields, by which an address may narrow the list.
    narrowed_by: tuple[str, ...] = ()
    # Filters that are no column: by their name, what each word leaves of the rows.
    picks: Mapping[str, Mapping[str, "Pick"]] = {}
    # Those that an index serves together with the order.
    indexed_by: tuple[str, ...] = ()
    # Indexed columns by which the box in the top bar knows a row.
    known_by: tuple[str, ...] = ("id",)
    # More of them, by which the list's own box finds rows.
    searched_by: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    # What to do where there is nothing to see yet.
    hint = ""

    @display(description="tenant")
    def of_tenant(self, row: Any) -> Any:
        return link("tenant", row.tenant_id, app="tenants")

    @property
    def search_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.known_by, *self.searched_by)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        return list(self.order)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeyList]:
        return KeyList

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        known = self.known(queryset, term)
        return (known if known.exists() else self._found(queryset, self.searched_by, term)), False

    def known(self, rows: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
        """The rows that somebody means who types this."""
        return self._found(rows, self.known_by, term)

    def _found(self, rows: "QuerySet[Any]", columns: Sequence[str], term: str) -> "QuerySet[Any]":
        """The rows that have this in the first of the columns where any has it."""
        for name in columns:
            value = _value_of(self.model, name, term)
            hits = rows.filter(**{name: value}) if value is not None else rows.none()
            if hits.exists():
                return hits
        return rows.none()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        frame = {
            "title": str(self.opts.verbose_name_plural).capitalize(),
            "views": list(self._views(request)),
            "narrowings": list(self._narrowings(request)),
            "hint": self.hint,
            "since": request.GET.get(SINCE, ""),
            "is_narrowed": bool(_without_place(request)),
        }
        return super().changelist_view(request, frame | (extra_context or {}))

    def response_action(
        self, request: HttpRequest, queryset: "QuerySet[Any]", *place: Any
    ) -> HttpResponse | None:
        """On the rows that were marked. All that match is another matter, with a page of its own."""
        marked = request.POST.copy()
        marked["select_across"] = "0"
        request.POST = marked  # type: ignore[assignment]
        return super().response_action(request, queryset, *place)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.narrowed_by

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def _views(self, request: HttpRequest) -> Iterator[dict[str, Any]]:
        asked = _without_place(request)
        for view in self.views:
            is_here = asked == _pairs(QueryDict(view.narrowing))
            yield {"name": view.name, "query": f"?{view.narrowing}", "is_here": is_here}

    def _narrowings(self, request: HttpRequest) -> Iterator[dict[str, Any]]:
        """The filters as fields of a form. Ids come by links, and look-ups by views: these are only shown
        where the address has them."""
        for name in self.narrowed_by:
            if request.GET.get(name) or ("__" not in name and not _is_id(self.model, name)):
                yield _narrowing(request, name, _label(self.model, name), _choices(self.model, name))
        for name, words in self.picks.items():
            yield _narrowing(request, name, name, [(word, word) for word in words])


def _narrowing(request: HttpRequest, name: str, label: str, choices: list[tuple[str, str]]) -> dict[str, Any]:
    return {"name": name, "label": label, "value": request.GET.get(name, ""), "choices": choices}


def _pairs(asked: QueryDict) -> list[tuple[str, str]]:
    return sorted((name, value) for name in asked for value in asked.getlist(name) if value)


def _without_place(request: HttpRequest) -> list[tuple[str, str]]:
    """What the address asks for, whichever page of it."""
    return [pair for pair in _pairs(request.GET) if pair[0] not in (AFTER, BEFORE, ERROR_FLAG)]


def _label(model: type[Model], name: str) -> str:
    column, _, lookup = name.partition("__")
    words = column.removesuffix("_id").removeprefix("is_").replace("_", " ")
    return f"{words} {LOOKUPS.get(lookup, lookup)}".strip()


LOOKUPS = {"gt": "over", "gte": "at least", "lt": "under", "lte": "at most", "isnull": "missing"}


def _is_id(model: type[Model], name: str) -> bool:
    field = _field(model, name)
    return isinstance(field.target_field if field.is_relation else field, UUIDField)


def _choices(model: type[Model], name: str) -> list[tuple[str, str]]:
    field = _field(model, name)
    if isinstance(field, BooleanField):
        return [("True", "yes"), ("False", "no")]
    return [(str(value), str(text)) for value, text in field.choices or ()]


def _value_of(model: type[Model], name: str, term: str) -> Any:
    """The term as the column keeps it; None if the column can never hold it."""
    try:
        return _field(model, name).to_python(term)
    except ValidationError:
        return None


def _field(model: type[Model], name: str) -> Any:
    """The field that `name`, a look-up or the column of a relation, is about."""
    return model._meta.get_field(name.partition("__")[0])
