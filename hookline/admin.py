"""What the installation keeps about itself. Counters are read at /metrics."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.utils import timezone

from deliveries.stats import SILENCE
from hookline.console import people, search
from hookline.console.drawing import moment, status
from hookline.console.rows import Rows, View
from hookline.models import Chore, Process, Switch

__all__ = ["people", "search"]


@admin.register(Switch)
class SwitchAdmin(Rows):
    list_display = ("name", "is_on", "changed_at")
    order = ("name",)
    known_by = ()
    readonly_fields = list_display


@admin.register(Chore)
class ChoreAdmin(Rows):
    list_display = ("name", "due_at", "last_run_at", "duration_ms", "done_count")
    order = ("name",)
    known_by = ()
    readonly_fields = list_display


@admin.register(Process)
class ProcessAdmin(Rows):
    list_display = ("kind", "state", "host", "pid", "version", "in_flight", "streams", "started", "seen")
    order = ("-seen_at", "-id")
    known_by = ()
    narrowed_by = ("kind", "host")
    views = (View("All"), View("Alive", "since=15s"))
    hint = "Nothing runs: `manage.py serve` starts everything, and a worker says here that it is alive."
    readonly_fields = list_display

    @display(description="status")
    def state(self, process: Process) -> Any:
        """One that ends properly takes its row with it."""
        if process.seen_at > timezone.now() - SILENCE:
            return status("alive")
        return status("silent", "It was killed, or it hangs. Its jobs go to others when their lease ends.")

    @display(description="started")
    def started(self, process: Process) -> Any:
        return moment(process.started_at)

    @display(description="last heard of")
    def seen(self, process: Process) -> Any:
        return moment(process.seen_at)
