"""The names of endpoints beside rows that outlive them."""

from typing import TypeVar, cast

from django.db.models import Model, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deliveries.models import Endpoint
from hookline.console.drawing import link, short

M = TypeVar("M", bound=Model)


def with_endpoint(rows: "QuerySet[M]") -> "QuerySet[M]":
    """The rows with `endpoint_label`: its name, or else its URL; None where it was deleted."""
    endpoint = Endpoint.objects.filter(id=OuterRef("endpoint_id"))
    label = Coalesce(NullIf("name", Value("", TextField())), "url")
    named = rows.annotate(endpoint_label=Subquery(endpoint.annotate(label=label).values("label")))
    return cast("QuerySet[M]", named)


def to_endpoint(row: Model) -> SafeString | str:
    id, label = getattr(row, "endpoint_id"), getattr(row, "endpoint_label", None)  # noqa: B009 - of any model
    return link("endpoint", id, label) if label else format_html("{} (deleted)", short(id))
