"""The rows of the line. Eight nouns; the API says "delivery" where we say Attempt."""

from deliveries.models.alerts import Alert, Notice
from deliveries.models.endpoints import Endpoint, Subscription
from deliveries.models.events import Event, IdempotencyKey
from deliveries.models.inbox import InboxMessage
from deliveries.models.jobs import Attempt, DeadLetter, Job
from deliveries.models.lanes import Bell, Lane
from deliveries.models.replays import Replay
from deliveries.models.runs import Run
from deliveries.models.traffic import Traffic

__all__ = [
    "Alert",
    "Attempt",
    "Bell",
    "DeadLetter",
    "Endpoint",
    "Event",
    "IdempotencyKey",
    "InboxMessage",
    "Job",
    "Lane",
    "Notice",
    "Replay",
    "Run",
    "Subscription",
    "Traffic",
]
