"""What was given up, and how it is sent again or let go."""

import contextlib
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest

from deliveries import dead_letters
from deliveries.console.names import to_endpoint, with_endpoint
from deliveries.models import DeadLetter
from hookline.console.drawing import link, moment
from hookline.console.pages import operator_of
from hookline.console.rows import Rows, View
from hookline.errors import NotFound


@admin.register(DeadLetter)
class DeadLetterAdmin(Rows):
    list_display = ("of", "reason", "to", "tries", "of_tenant", "buried")
    order = ("-created_at", "-job_id")
    known_by = ()
    searched_by = ("job_id", "event_id", "endpoint_id")
    search_help_text = "The id of a job, an event or an endpoint"
    narrowed_by = ("tenant_id", "endpoint_id", "reason")
    indexed_by = ("tenant_id", "endpoint_id")
    views = (View("All"), View("Last 24 hours", "since=24h"), View("Last 7 days", "since=7d"))
    hint = "Nothing was given up."
    actions = ("requeue", "discard")
    fields = ("of", "reason", "attempt_count", "of_tenant", "to", "event_id", "buried")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        return with_endpoint(super().get_queryset(request))

    @display(description="job")
    def of(self, letter: DeadLetter) -> Any:
        return link("job", letter.job_id)

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
