"""What was given up, and how it is sent again or let go."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from deliveries import dead_letters
from deliveries.console.names import to_endpoint, with_endpoint
from deliveries.console.run_parts import PERMISSION
from deliveries.models import DeadLetter
from hookline.console.drawing import link, moment
from hookline.console.keyset import SINCE
from hookline.console.pages import operator_of, page
from hookline.console.rows import Rows, View
from hookline.database import now
from hookline.environment import parse_durations
from hookline.errors import Conflict, NotFound

BUTTONS = {
    "requeue": (dead_letters.requeue, "The job is due now."),
    "discard": (dead_letters.discard, "The letter is gone; its job stays dead."),
}
# The list's filters, as a run's form calls them.
NAMED = {"tenant_id": "tenant", "endpoint_id": "endpoint", "reason": "reason"}


@admin.register(DeadLetter)
class DeadLetterAdmin(Rows):
    list_display = ("of", "reason", "to", "tries", "of_tenant", "buried")
    list_display_links = ("reason",)
    order = ("-created_at", "-job_id")
    known_by = ()
    searched_by = ("job_id", "event_id", "endpoint_id")
    search_help_text = "The id of a job, an event or an endpoint"
    narrowed_by = ("tenant_id", "endpoint_id", "reason")
    indexed_by = ("tenant_id", "endpoint_id")
    views = (View("All"), View("Last 24 hours", "since=24h"), View("Last 7 days", "since=7d"))
    hint = "Nothing was given up."
    change_list_template = "console/letter_rows.html"
    change_form_template = "console/letter.html"
    actions = ("requeue", "discard")
    fields = ("of", "reason", "attempt_count", "of_tenant", "to", "event_id", "buried")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        return with_endpoint(super().get_queryset(request))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With a way to all letters that the list is narrowed to, by fields and not by a search."""
        is_told = request.user.has_perm(PERMISSION) and not request.GET.get("q")
        context = {"matching": _matching(request)} if is_told else {}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {"may_press": self.has_operate_permission(request)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    @display(description="job")
    def of(self, letter: DeadLetter) -> Any:
        return link("job", letter.job_id, f"…{str(letter.job_id)[-8:]}")

    @display(description="endpoint")
    def to(self, letter: DeadLetter) -> Any:
        return to_endpoint(letter)

    @display(description="attempts")
    def tries(self, letter: DeadLetter) -> int:
        return letter.attempt_count

    @display(description="given up")
    def buried(self, letter: DeadLetter) -> Any:
        return moment(letter.created_at)

    @admin.action(description="Send again", permissions=["operate"])
    def requeue(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        requeue(self, request, letters)

    @admin.action(description="Remove; their jobs stay dead", permissions=["operate"])
    def discard(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        removed = _pressed(dead_letters.discard, letters, operator_of(request))
        self.message_user(request, f"{removed} dead letters were removed.")


def _matching(request: HttpRequest) -> str:
    """What the list is narrowed to, for a run's form."""
    asked = {NAMED[name]: request.GET[name] for name in NAMED if request.GET.get(name)}
    with contextlib.suppress(ValueError, OverflowError):
        seconds = sum(parse_durations(request.GET[SINCE])) if request.GET.get(SINCE) else 0
        asked |= {"since": f"{now() - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"} if seconds else {}
    return urlencode({"look": "1", **asked})


@page("dead-letters/<uuid:job_id>/<action>/", name="letter_button", press="deliveries.change_deadletter")
def button(request: HttpRequest, job_id: UUID, action: str) -> HttpResponse:
    """Sends one again, or lets it go."""
    if action not in BUTTONS:
        raise Http404
    letter = get_object_or_404(DeadLetter, job_id=job_id)
    press, told = BUTTONS[action]
    try:
        press(letter, operator_of(request))
        messages.success(request, told)
    except (Conflict, NotFound) as fault:
        messages.error(request, f"{fault.detail}.")
    return redirect("admin:deliveries_job_change", job_id)


def requeue(page: Rows, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
    sent = _pressed(dead_letters.requeue, letters, operator_of(request))
    page.message_user(request, f"{sent} jobs are due now." if sent else "None of these jobs is dead.")


def _pressed(verb: Callable[[DeadLetter, str], None], letters: QuerySet[DeadLetter], by: str) -> int:
    """For how many the verb was done; where somebody else was faster it is not done twice."""
    done = 0
    for letter in letters:
        with contextlib.suppress(NotFound):
            verb(letter, by)
            done += 1
    return done
