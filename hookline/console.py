"""What the console's lists of rows have in common: they are shown, never edited by hand, and no page
counts or reads a whole table. What can be done with a row are verbs, the same as the API's."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

# A page says "10000" where there are more; older rows are found by searching.
MOST_COUNTED = 10_000
LONGEST_TEXT = 65_536


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than people turn pages."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows[:MOST_COUNTED].count()


class Rows(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at. `operate` is the right to press their verbs."""

    paginator = BoundedPaginator
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-pk",)
    # Fields by which links of other pages narrow the list.
    narrowed_by: tuple[str, ...] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.narrowed_by or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))


def as_text(value: Any) -> SafeString:
    """What a stranger wrote, as text and nothing else."""
    text = (
        bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else str(value or "")
    )
    return format_html("<pre>{}</pre>", text[:LONGEST_TEXT])


def operator_of(request: HttpRequest) -> str:
    """Who did it, as the audit log names people."""
    return f"operator {request.user.get_username()}"
