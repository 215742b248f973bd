"""When to try again and when to give up. Pure: no Django, no clock, and chance is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from deliveries.work import Answer, Dead, Policy, RetryAt, Succeeded, Verdict

PERMANENT = frozenset([400, 401, 403, 404, 405, 410, 422])
ASKS_TO_WAIT = frozenset([429, 503])
GONE = 410
JITTER = 0.2
MOST_ASKED_SECONDS = 3600.0

SPENT = "max_attempts_exceeded"
ORPHANED = "failed to fetch event or endpoint"
LEASE_LOST = "lease_lost"
PAYLOAD_REMOVED = "payload_removed"


def decide(answer: Answer, policy: Policy, attempt: int, now: datetime, chance: float) -> Verdict:
    """What becomes of a job after `attempt` of its budget. `chance` is uniform in [0, 1)."""
    if answer.error is None:
        return Succeeded()
    if answer.status in PERMANENT:
        gone = "The endpoint answered 410 Gone." if answer.status == GONE else ""
        return Dead(f"http_{answer.status}", disables=gone)
    if attempt >= policy.attempts:
        return Dead(SPENT)
    wait = wait_after(answer, policy, attempt, now)
    delay = max(wait.scheduled * (1 + JITTER * chance), wait.asked)
    return RetryAt(now + timedelta(seconds=delay))


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds until the next attempt: as the schedule says, before chance lengthens it, and as the
    receiver asked for, as far as that is granted. The longer one counts."""

    scheduled: float
    asked: float


def wait_after(answer: Answer, policy: Policy, attempt: int, now: datetime) -> Wait:
    """`attempt` of the budget failed at `now`, and is not the last of the policy."""
    scheduled = policy.delays[attempt - 1]
    return Wait(scheduled, min(_asked_seconds(answer, now), max(scheduled, MOST_ASKED_SECONDS)))


def _asked_seconds(answer: Answer, now: datetime) -> float:
    """The receiver's Retry-After (RFC 9110, 10.2.3): seconds or a date; 0 if there is none."""
    text = answer.header("retry-after") if answer.status in ASKS_TO_WAIT else None
    if text is None:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - now).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return 0.0
