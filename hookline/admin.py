"""What the installation keeps about itself. Counters are read at /metrics."""

from django.contrib import admin

from hookline.console import Rows
from hookline.models import Chore, Process, Switch

admin.site.site_url = None  # there is no other site to view


@admin.register(Switch)
class SwitchAdmin(Rows):
    list_display = ("name", "is_on", "changed_at")
    ordering = ("name",)
    readonly_fields = list_display


@admin.register(Chore)
class ChoreAdmin(Rows):
    list_display = ("name", "due_at", "last_run_at", "duration_ms", "done_count")
    ordering = ("name",)
    readonly_fields = list_display


@admin.register(Process)
class ProcessAdmin(Rows):
    list_display = ("kind", "host", "pid", "version", "started_at", "seen_at", "in_flight")
    ordering = ("-seen_at",)
    readonly_fields = list_display
