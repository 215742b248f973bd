"""How an alert is said to people, and what they can do about it.

Tenants choose names and URLs: neither may write a line of its own into a notice, and the query of a URL,
where people put tokens, is left out.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from deliveries.alerts.conditions import Condition
from deliveries.models import Alert, Attempt, DeadLetter, Endpoint
from hookline.ids import parse_uuid

Kind = Alert.Kind

LONGEST = 300
MOST_COUNTED = 10_000
FIRING, OVER = "firing", "over"

TITLES = {
    Kind.ENDPOINT_FAILING: "An endpoint fails",
    Kind.ENDPOINT_DISABLED: "An endpoint was disabled",
    Kind.DELIVERIES_LATE: "Deliveries are late",
    Kind.DEAD_LETTERS: "Dead letters gather",
    Kind.NO_WORKER: "No worker is alive",
    Kind.LEASES_LOST: "Workers stand still or die",
}
ACTIONS = {
    Kind.ENDPOINT_FAILING: "Tell its owner, or correct its URL, headers or secret.",
    Kind.ENDPOINT_DISABLED: "Tell its owner. Its deliveries are held, and none is lost.",
    Kind.DELIVERIES_LATE: "See that workers run and that the database is well: `manage.py doctor` says what "
    "is wrong. If nothing is, start more workers.",
    Kind.DEAD_LETTERS: "Look why they were given up; then requeue or discard them.",
    Kind.NO_WORKER: "Start one: nothing is delivered meanwhile, and nothing is lost.",
    Kind.LEASES_LOST: "Look for workers that were killed or ran out of memory or CPU. Their deliveries went "
    "to other workers, and some may have arrived twice.",
}
OVERS = {
    Kind.DELIVERIES_LATE: "Deliveries are on time again.",
    Kind.DEAD_LETTERS: "There are fewer dead letters again.",
    Kind.NO_WORKER: "A worker is alive again.",
    Kind.LEASES_LOST: "No more leases were lost.",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert as a notice tells it."""

    key: str
    kind: str
    state: str
    since: datetime
    title: str
    text: str
    action: str = ""
    url: str = ""
    tenant_id: str = ""
    endpoint_id: str = ""


def of_test(moment: datetime) -> Entry:
    return Entry(
        "test", "test", FIRING, moment, "A test", "If you can read this, alerts of HookLine arrive here.",
        url=console("admin:index"),
    )  # fmt: skip


def firing(condition: Condition) -> Entry:
    kind, endpoint = condition.kind, condition.endpoint
    text = _of_endpoint(condition, endpoint) if endpoint else _of_installation(condition)
    place = _place(endpoint.id) if endpoint else console(PLACES[kind])
    return Entry(
        condition.key, kind, FIRING, condition.since, TITLES[kind], text, ACTIONS[kind], place,
        endpoint.tenant_id if endpoint else "", str(endpoint.id) if endpoint else "",
    )  # fmt: skip


def over(alert: Alert) -> Entry:
    kind = Kind(alert.kind)
    prefix, _, id = alert.key.partition("/")
    if prefix != "endpoint":
        return Entry(alert.key, kind, OVER, alert.since, f"{TITLES[kind]}: over", OVERS[kind])
    endpoint = Endpoint.objects.filter(id=parse_uuid(id)).first()
    title = f"{TITLES[kind]}: over"
    if endpoint is None:
        return Entry(alert.key, kind, OVER, alert.since, title, f"Endpoint {id} was deleted.", "", "", "", id)
    text, action = _recovered(endpoint, alert.since)
    return Entry(
        alert.key, kind, OVER, alert.since, title, text, action, _place(endpoint.id), endpoint.tenant_id, id
    )


def _of_endpoint(condition: Condition, endpoint: Endpoint) -> str:
    error = _latest_error(endpoint)
    because = f" The latest attempt: {error}." if error else ""
    if condition.kind == Kind.ENDPOINT_FAILING:
        until = moment(condition.facts["until"])
        return (
            f"{name_of(endpoint)} has failed since {moment(condition.since)} and will be disabled at {until} "
            f"unless a delivery succeeds.{because}"
        )
    return f"{name_of(endpoint)} was disabled: {clean(endpoint.disabled_reason)}{because}"


def _of_installation(condition: Condition) -> str:
    facts = condition.facts
    match condition.kind:
        case Kind.DELIVERIES_LATE:
            paused = " Deliveries are paused; resume them if that is no longer meant." * facts["is_paused"]
            since, tenant = moment(condition.since), clean(facts["tenant"])
            return f"The oldest delivery, of tenant {tenant}, has been due since {since}.{paused}"
        case Kind.DEAD_LETTERS:
            return f"There are {facts['number']:,} dead letters; the alert is set to {facts['limit']:,}."
        case Kind.NO_WORKER:
            return f"No process that delivers has been heard of since {moment(condition.since)}."
    return f"{facts['number']} leases or more were lost within {facts['minutes']} minutes."


def _recovered(endpoint: Endpoint, since: datetime) -> tuple[str, str]:
    """What became of it, and how to have what it missed sent again."""
    if not endpoint.is_enabled:
        return f"{name_of(endpoint)} is off: {clean(endpoint.disabled_reason)}", ""
    letters = DeadLetter.objects.filter(endpoint_id=endpoint.id, created_at__gte=since)
    missed = letters.order_by("-created_at")[:MOST_COUNTED].count()
    text = f"{name_of(endpoint)} is enabled and no longer failing; what was held is being delivered."
    if not missed:
        return text, ""
    number = f"{missed:,}" if missed < MOST_COUNTED else f"{missed:,} or more"
    command = (
        f"manage.py requeue --tenant {clean(endpoint.tenant_id)} --endpoint {endpoint.id} "
        f"--from {since:%Y-%m-%dT%H:%M:%SZ}"
    )
    letters_page = console("admin:deliveries_deadletter_changelist", f"?endpoint_id={endpoint.id}")
    there = f", or from {letters_page}" if letters_page else ""
    return f"{text} {number} deliveries were given up meanwhile.", f"Send them again: `{command}`{there}"


def _latest_error(endpoint: Endpoint) -> str:
    latest = Attempt.objects.filter(endpoint_id=endpoint.id).order_by("-id").first()
    return clean(latest.error_detail or latest.error or "").rstrip(".") if latest else ""


def name_of(endpoint: Endpoint) -> str:
    url = clean(endpoint.url.partition("?")[0])
    shown = f"“{clean(endpoint.name)}” ({url})" if endpoint.name else url
    return f"Endpoint {shown} of tenant {clean(endpoint.tenant_id)}"


def clean(text: str) -> str:
    """As one line of bounded length, in which nothing turns round or moves what people read."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST])


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


PLACES = {
    Kind.DELIVERIES_LATE: "admin:index",
    Kind.DEAD_LETTERS: "admin:deliveries_deadletter_changelist",
    Kind.NO_WORKER: "admin:hookline_process_changelist",
    Kind.LEASES_LOST: "admin:hookline_process_changelist",
}


def _place(endpoint_id: Any) -> str:
    return console("admin:deliveries_endpoint_change", args=[endpoint_id])


def console(place: str, query: str = "", args: Any = ()) -> str:
    """The address of a page of the console, if it is known how people reach it."""
    if not settings.HL_PUBLIC_URL:
        return ""
    try:
        return settings.HL_PUBLIC_URL.rstrip("/") + reverse(place, args=args) + query
    except NoReverseMatch:  # the console is off
        return ""
