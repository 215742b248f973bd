"""Where Django looks for the console's pages of this application."""

from deliveries.console import (
    alerts,
    attempts,
    dead_letters,
    endpoint_forms,
    endpoints,
    events,
    inbox,
    jobs,
    lanes,
    overview,
    replays,
    rules,
    subscriptions,
)

__all__ = [
    "alerts",
    "attempts",
    "dead_letters",
    "endpoint_forms",
    "endpoints",
    "events",
    "inbox",
    "jobs",
    "lanes",
    "overview",
    "replays",
    "rules",
    "subscriptions",
]
