"""The menu: what an operator came to do, from what happened to who may come in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Item:
    """A place, the permission to see it, and the key that goes there after `g`."""

    text: str
    place: str
    look: str
    key: str
    icon: str


SECTIONS = {
    "": (
        Item("Overview", "index", "deliveries.view_job", "o", "overview"),
        Item("Live", "live", "deliveries.view_event", "l", "live"),
    ),
    "Deliveries": (
        Item("Events", "deliveries_event_changelist", "deliveries.view_event", "e", "event"),
        Item("Jobs", "deliveries_job_changelist", "deliveries.view_job", "j", "job"),
        Item("Attempts", "deliveries_attempt_changelist", "deliveries.view_attempt", "a", "attempt"),
        Item("Dead letters", "letter_groups", "deliveries.view_deadletter", "d", "dead"),
        Item("Runs", "deliveries_run_changelist", "deliveries.view_run", "b", "run"),
        Item("Replays", "deliveries_replay_changelist", "deliveries.view_replay", "r", "replay"),
    ),
    "Receivers": (
        Item("Endpoints", "deliveries_endpoint_changelist", "deliveries.view_endpoint", "n", "endpoint"),
        Item(
            "Subscriptions",
            "deliveries_subscription_changelist",
            "deliveries.view_subscription",
            "s",
            "subscription",
        ),
    ),
    "Customers": (
        Item("Tenants", "tenants_tenant_changelist", "tenants.view_tenant", "t", "tenant"),
        Item("API keys", "tenants_apikey_changelist", "tenants.view_apikey", "k", "key"),
        Item("Audit log", "tenants_auditentry_changelist", "tenants.view_auditentry", "u", "audit"),
    ),
    "Installation": (
        Item("Alerts", "deliveries_alert_changelist", "deliveries.view_alert", "l", "alert"),
        Item("Processes", "hookline_process_changelist", "hookline.view_process", "w", "process"),
        Item("People", "auth_user_changelist", "auth.view_user", "p", "person"),
    ),
}


def menu(request: HttpRequest) -> Iterator[dict[str, Any]]:
    """The sections with what this person may see, the present place marked."""
    for title, items in SECTIONS.items():
        entries = [_entry(item, request) for item in items if request.user.has_perm(item.look)]
        if entries:
            yield {"title": title, "entries": entries}


def _entry(item: Item, request: HttpRequest) -> dict[str, Any]:
    url = reverse(f"admin:{item.place}")
    is_here = request.path == url if item.place == "index" else request.path.startswith(url)
    return {"text": item.text, "url": url, "key": item.key, "icon": item.icon, "is_here": is_here}
