"""Rules tried on an event, before they are a subscription or instead of it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from deliveries import documents, endpoints
from deliveries.console.forms import RulesForm
from deliveries.documents import REMOVED
from deliveries.fields import SubscriptionFields
from deliveries.models import Attempt, Endpoint, Event, Subscription
from deliveries.rehearsal import rehearse
from deliveries.rules.values import Document
from deliveries.why import sentences
from deliveries.why.matching import Match, match
from hookline.console.drawing import LONGEST_TEXT
from hookline.console.pages import operator_of, page, show
from hookline.database import now
from hookline.errors import NotFound
from hookline.ids import parse_uuid, uuid7
from hookline.layout import laid_out

LOOK, CHANGE = "deliveries.view_subscription", "deliveries.change_subscription"


@dataclass(frozen=True, slots=True)
class Trial:
    """What would become of an event. Without an event or its payload, only `missing`."""

    event: Event | None
    missing: str = ""
    match: Match | None = None
    body: str = ""

    @property
    def clauses(self) -> list[str]:
        return [sentences.of_clause(clause) for clause in self.match.clauses] if self.match else []


@page("subscriptions/try/", name="rules_try", look=LOOK, press=LOOK)
def try_rules(request: HttpRequest) -> HttpResponse:
    """Nothing is stored, so that whoever may see a subscription may try one."""
    if request.method != "POST":
        subscription = _subscription(request.GET.get("subscription", ""))
        return _page(request, RulesForm(initial=_initial(request, subscription)), None)
    form = RulesForm(request.POST)
    return _page(request, form, _tried(form) if form.is_valid() else None)


@page("endpoints/<uuid:endpoint_id>/subscribe/", name="endpoint_subscribe", press=CHANGE)
def subscribe(request: HttpRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_object_or_404(Endpoint, id=endpoint_id)
    form = RulesForm({**request.POST.dict(), "endpoint": str(endpoint_id)})
    if not form.is_valid():
        return _page(request, form, None)
    try:
        endpoints.subscribe(endpoint, form.columns, {}, operator_of(request))
    except NotFound:  # it was deleted this moment
        raise Http404 from None
    messages.success(request, f"Subscribed to {form.columns['topic_pattern']}.")
    return redirect("admin:deliveries_endpoint_change", endpoint_id)


@page("subscriptions/<uuid:subscription_id>/end/", name="subscription_end", press=CHANGE)
def end(request: HttpRequest, subscription_id: UUID) -> HttpResponse:
    subscription = get_object_or_404(Subscription.objects.active(), id=subscription_id)
    endpoints.unsubscribe(subscription, operator_of(request))
    messages.success(request, f"The subscription to {subscription.topic_pattern} has ended.")
    return redirect("admin:deliveries_endpoint_change", subscription.endpoint_id)


def _page(request: HttpRequest, form: RulesForm, trial: Trial | None) -> HttpResponse:
    endpoint = _endpoint(str(form["endpoint"].value() or ""))
    may_press = endpoint is not None and request.user.has_perm(CHANGE)
    title = f"Subscribe {endpoint}" if may_press else "Try rules on an event"
    return show(
        request, "console/rules.html", title, form=form, trial=trial, endpoint=endpoint, may_press=may_press
    )


def _initial(request: HttpRequest, subscription: Subscription | None) -> dict[str, Any]:
    if subscription is None:
        given = {name: request.GET.get(name, "") for name in ("event", "endpoint")}
        return {**given, "topic_pattern": "#"}
    return {
        "event": request.GET.get("event", ""),
        "endpoint": str(subscription.endpoint_id),
        "topic_pattern": subscription.topic_pattern,
        "filter": _readable(subscription.filter),
        "transform": _readable(subscription.transform),
        "description": subscription.description,
    }


def _readable(rule: str | None) -> str:
    """Laid out, unless that made it longer than a rule may be."""
    longest = SubscriptionFields.LONGEST_RULE
    text = laid_out(rule or "", longest + 1)
    return text if len(text.encode()) <= longest else rule or ""


def _tried(form: RulesForm) -> Trial:
    endpoint = _endpoint(form.cleaned_data["endpoint"])
    event = _event(form.cleaned_data["event"], endpoint)
    if event is None:
        return Trial(None, "There is no such event. Give the id of one that is still kept.")
    if event.payload_removed:
        return Trial(event, REMOVED[event.payload_removed])
    columns, document = form.columns, Document(lambda: documents.fields_of(event))
    found = match(columns["topic_pattern"], columns["filter"], event.topic, document)
    receiver = endpoint or Endpoint(tenant_id=event.tenant_id)
    attempt = Attempt(id=uuid7(), job_id=uuid7(), attempt_n=1, started_at=now())
    body = rehearse(attempt, event, receiver, columns["transform"]).body.decode()
    return Trial(event, "", found, laid_out(body, LONGEST_TEXT))


def _event(id: str, endpoint: Endpoint | None) -> Event | None:
    """The one that is named; of the endpoint's tenant, the newest where none is."""
    events = Event.objects.filter(tenant_id=endpoint.tenant_id) if endpoint else Event.objects.all()
    if id:
        return events.filter(id=parse_uuid(id)).first()
    return events.order_by("-id").first() if endpoint else None


def _endpoint(id: str) -> Endpoint | None:
    return Endpoint.objects.filter(id=parse_uuid(id)).first()


def _subscription(id: str) -> Subscription | None:
    return Subscription.objects.filter(id=parse_uuid(id)).first()
