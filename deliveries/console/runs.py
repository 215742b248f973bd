"""Runs: how far each has come, and the buttons that stop it."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import display
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from deliveries import stats
from deliveries.console.run_parts import PERMISSION, THINGS, TITLES, shares, words_of
from deliveries.models import Run
from deliveries.runs import control, outlook
from deliveries.runs.preview import Preview
from deliveries.runs.selection import Selection
from hookline.console.drawing import moment, span, status
from hookline.console.pages import operator_of, page, show
from hookline.console.rows import Rows, View
from hookline.errors import Conflict

BUTTONS = {"pause": control.pause, "resume": control.resume, "cancel": control.cancel}


@admin.register(Run)
class RunAdmin(Rows):
    list_display = ("what", "state_pill", "progress", "whose", "asked_by", "made")
    list_display_links = ("what",)
    change_list_template = "console/run_rows.html"
    narrowed_by = ("tenant_id", "verb", "state")
    indexed_by = ("tenant_id",)
    views = (
        View("All"),
        View("Running", "state=running"),
        View("Paused", "state=paused"),
        View("Failed", "state=failed"),
    )
    hint = "A run is started from the dead letters, or by replaying events."

    @display(description="run")
    def what(self, run: Run) -> str:
        return TITLES[Run.Verb(run.verb)]

    @display(description="state")
    def state_pill(self, run: Run) -> Any:
        return status(run.state)

    @display(description="done")
    def progress(self, run: Run) -> str:
        return _progress(run)

    @display(description="tenant")
    def whose(self, run: Run) -> str:
        return run.tenant_id or "all tenants"

    @display(description="started")
    def made(self, run: Run) -> Any:
        return moment(run.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """How far it has come; for the page's script, that part alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run: Run | None = self.get_object(request, object_id)
        if run is None:
            raise Http404
        template = "console/run_figures.html" if "figures" in request.GET else "console/run.html"
        return show(request, template, TITLES[Run.Verb(run.verb)], **_figures(run, request))


@page("runs/<uuid:run_id>/<action>/", name="run_button", press=PERMISSION)
def button(request: HttpRequest, run_id: UUID, action: str) -> HttpResponse:
    if action not in BUTTONS:
        raise Http404
    try:
        run = BUTTONS[action](get_object_or_404(Run, id=run_id), operator_of(request))
        messages.success(request, f"The run is {run.state}.")
    except Conflict as fault:
        messages.error(request, f"{fault.detail}.")
    return redirect("admin:deliveries_run_change", run_id)


def _figures(run: Run, request: HttpRequest) -> dict[str, Any]:
    share, left = outlook.share(run), outlook.seconds_left(run)
    return {
        "run": run,
        "is_left_alone": run.state in Run.ACTIVE and not stats.has_deliverers(),
        "things": THINGS[Run.Verb(run.verb)],
        "share": share,
        "percent": f"{share:.0%}" if share is not None else "",
        "progress": _progress(run),
        "left": span(left) if left is not None and not run.is_over else "",
        "words": list(words_of(run.tenant_id, Selection.from_json(run.selection))),
        "may_press": request.user.has_perm(PERMISSION),
        "buttons": _buttons(run),
        **shares(Preview.from_json(run.preview)),
    }


def _buttons(run: Run) -> list[tuple[str, str]]:
    if run.is_over:
        return []
    is_still = run.state in (Run.State.PAUSED, Run.State.FAILED)
    return [("resume", "▶ Resume") if is_still else ("pause", "‖ Pause"), ("cancel", "✗ Cancel")]


def _progress(run: Run) -> str:
    least = "" if run.is_exact else "at least "
    return f"{run.done_count:,} of {least}{run.total:,}"
