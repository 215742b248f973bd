"""What the queue keeps about each endpoint, for whoever looks into the engine."""

from django.contrib import admin

from deliveries.models import Lane
from hookline.console.rows import Rows, View


@admin.register(Lane)
class LaneAdmin(Rows):
    list_display = ("endpoint_id", "of_tenant", "state", "wake_at", "in_flight", "tokens", "ramp")
    order = ("-endpoint_id",)
    known_by = ()
    searched_by = ("endpoint_id",)
    narrowed_by = ("tenant_id", "state", "ramp__isnull")
    views = (
        View("All"),
        View("Rate limited", "state=3"),
        View("Full", "state=4"),
        View("Recovering", "ramp__isnull=False"),
    )
    readonly_fields = list_display
