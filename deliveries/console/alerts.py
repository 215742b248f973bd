"""What is amiss, and what was."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display

from deliveries.alerts import sentences
from deliveries.models import Alert
from hookline.console.drawing import link, moment, status
from hookline.console.rows import Rows, View
from hookline.ids import parse_uuid


@admin.register(Alert)
class AlertAdmin(Rows):
    list_display = ("kind", "state", "text", "began", "ended")
    order = ("-is_firing", "-told_at", "-key")
    known_by = ("key",)
    narrowed_by = ("kind", "is_firing")
    views = (View("All"), View("Firing", "is_firing=True"), View("Over", "is_firing=False"))
    hint = "Nothing is amiss, and nothing was within a month."
    fields = ("kind", "state", "text", "remedy", "about", "began", "ended")
    readonly_fields = fields

    @display(description="state")
    def state(self, alert: Alert) -> Any:
        return status("firing" if alert.is_firing else "over")

    @display(description="what to do")
    def remedy(self, alert: Alert) -> str:
        return sentences.ACTIONS[Alert.Kind(alert.kind)] if alert.is_firing else "-"

    @display(description="endpoint")
    def about(self, alert: Alert) -> Any:
        kind, _, id = alert.key.partition("/")
        return link("endpoint", parse_uuid(id)) if kind == "endpoint" else "-"

    @display(description="since")
    def began(self, alert: Alert) -> Any:
        return moment(alert.since)

    @display(description="over")
    def ended(self, alert: Alert) -> Any:
        return moment(alert.ended_at)
