"""Which events go to which endpoint."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest

from deliveries.console.names import to_endpoint, with_endpoint
from deliveries.models import Subscription
from hookline.console.drawing import as_text, moment, short
from hookline.console.rows import Rows
from hookline.layout import laid_out


@admin.register(Subscription)
class SubscriptionAdmin(Rows):
    list_display = ("topic_pattern", "short_id", "to", "of_tenant", "has_filter", "has_transform", "made")
    searched_by = ("endpoint_id", "tenant_id", "topic_pattern")
    search_help_text = "The id of a subscription, an endpoint or a tenant, or a topic pattern"
    narrowed_by = ("tenant_id", "endpoint_id", "deleted_at__isnull")
    indexed_by = ("tenant_id", "endpoint_id")
    hint = "An endpoint gets no event before it has a subscription."
    change_form_template = "console/subscription.html"
    fields = (
        "id", "of_tenant", "to", "topic_pattern", "filtered", "transformed", "description", "made", "ended",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return with_endpoint(super().get_queryset(request))

    @display(description="id")
    def short_id(self, subscription: Subscription) -> Any:
        return short(subscription.id)

    @display(description="endpoint")
    def to(self, subscription: Subscription) -> Any:
        return to_endpoint(subscription)

    @display(description="filter", boolean=True)
    def has_filter(self, subscription: Subscription) -> bool:
        return subscription.filter is not None

    @display(description="transform", boolean=True)
    def has_transform(self, subscription: Subscription) -> bool:
        return subscription.transform is not None

    @display(description="filter")
    def filtered(self, subscription: Subscription) -> Any:
        return as_text(laid_out(subscription.filter or ""))

    @display(description="transform")
    def transformed(self, subscription: Subscription) -> Any:
        return as_text(laid_out(subscription.transform or ""))

    @display(description="made")
    def made(self, subscription: Subscription) -> Any:
        return moment(subscription.created_at)

    @display(description="ended")
    def ended(self, subscription: Subscription) -> Any:
        return moment(subscription.deleted_at)
