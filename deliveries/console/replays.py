"""What was sent again, and for whom."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display

from deliveries.models import Replay
from hookline.console.drawing import as_text, moment
from hookline.console.rows import Rows


@admin.register(Replay)
class ReplayAdmin(Rows):
    change_list_template = "console/run_rows.html"
    list_display = ("id", "of_tenant", "made")
    narrowed_by = ("tenant_id",)
    indexed_by = ("tenant_id",)
    fields = ("id", "of_tenant", "made", "asked", "came_of_it")
    readonly_fields = fields

    @display(description="made")
    def made(self, replay: Replay) -> Any:
        return moment(replay.created_at)

    @display(description="request")
    def asked(self, replay: Replay) -> Any:
        return as_text(replay.request)

    @display(description="results")
    def came_of_it(self, replay: Replay) -> Any:
        return as_text(replay.results)
