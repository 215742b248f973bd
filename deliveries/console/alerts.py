"""What is amiss, and what was."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display

from deliveries.models import Alert
from hookline.console.drawing import moment, status
from hookline.console.rows import Rows, View


@admin.register(Alert)
class AlertAdmin(Rows):
    list_display = ("kind", "state", "text", "began", "ended")
    order = ("-is_firing", "-told_at", "-key")
    known_by = ("key",)
    narrowed_by = ("kind", "is_firing")
    views = (View("All"), View("Firing", "is_firing=True"), View("Over", "is_firing=False"))
    hint = "Nothing is amiss, and nothing was within a month."
    fields = ("kind", "state", "text", "began", "ended", "key")
    readonly_fields = fields

    @display(description="state")
    def state(self, alert: Alert) -> Any:
        return status("firing" if alert.is_firing else "over")

    @display(description="since")
    def began(self, alert: Alert) -> Any:
        return moment(alert.since)

    @display(description="over")
    def ended(self, alert: Alert) -> Any:
        return moment(alert.ended_at)
