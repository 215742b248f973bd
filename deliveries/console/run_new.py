"""The start of a run: what is asked for, what that would do, and the button."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from deliveries.console.run_forms import FORMS, RunForm, StartForm
from deliveries.console.run_parts import PERMISSION, THINGS, TITLES, shares
from deliveries.models import Run
from deliveries.runs import control
from hookline.console.pages import operator_of, page, show
from hookline.errors import Conflict


@page("runs/new/<verb>/", name="run_new", look="deliveries.view_run", press=PERMISSION)
def new(request: HttpRequest, verb: str) -> HttpResponse:
    """What is asked for; then what that would do; then the start of it."""
    if verb not in FORMS:
        raise Http404
    is_asked = request.method == "POST" or "look" in request.GET
    form = FORMS[verb](request.GET if is_asked else None, initial=request.GET.dict(), label_suffix="")
    if not (is_asked and form.is_valid()):
        return _show_new(request, verb, form)
    found = control.dry_run(verb, form.tenant_id, form.selection)
    start = StartForm(request.POST or None, verb=verb, there=found.count)
    if request.method == "POST" and start.is_valid():
        rate = start.cleaned_data["rate"]
        try:
            run = control.start(verb, form.tenant_id, form.selection, rate, operator_of(request))
            return redirect("admin:deliveries_run_change", run.id)
        except Conflict as fault:
            start.add_error("rate", f"{fault.detail}.")
    return _show_new(request, verb, form, found=found, start=start, **shares(found))


def _show_new(request: HttpRequest, verb: str, form: RunForm, **shown: Any) -> HttpResponse:
    return show(
        request,
        "console/run_new.html",
        TITLES[Run.Verb(verb)],
        verb=verb,
        things=THINGS[Run.Verb(verb)],
        form=form,
        may_press=request.user.has_perm(PERMISSION),
        **shown,
    )
