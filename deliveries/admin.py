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
    letter_groups,
    overview,
    replays,
    rules,
    run_new,
    runs,
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
    "letter_groups",
    "overview",
    "replays",
    "rules",
    "run_new",
    "runs",
    "subscriptions",
]
