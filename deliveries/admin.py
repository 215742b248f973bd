"""Where Django looks for the console's pages of this application."""

from deliveries.console import (
    attempts,
    dead_letters,
    endpoints,
    events,
    inbox,
    jobs,
    lanes,
    overview,
    replays,
    subscriptions,
)

__all__ = [
    "attempts",
    "dead_letters",
    "endpoints",
    "events",
    "inbox",
    "jobs",
    "lanes",
    "overview",
    "replays",
    "subscriptions",
]
