"""A job's life in steps: from the event to its end, with the reason of every wait."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deliveries import retries
from deliveries.models import Attempt, Endpoint, Event, Job, Subscription
from deliveries.targets import policy_of
from deliveries.why import sentences
from deliveries.why.waiting import State
from deliveries.work import Answer
from hookline.jsontext import parse

MOST_ATTEMPTS = 100
# Between the end of an attempt and the moment for which the next one was set lies the settling.
SLACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is unknown where the row that knew is gone. `word` is a status, for its colour and sign."""

    word: str
    title: str
    sentence: str = ""
    at: datetime | None = None
    until: datetime | None = None
    attempt: Attempt | None = None


def steps(
    job: Job,
    event: Event | None,
    subscription: Subscription | None,
    endpoint: Endpoint | None,
    attempts: Sequence[Attempt],
    state: State,
) -> Iterator[Step]:
    """`attempts` are in their order, and may lack the first ones."""
    yield _received(job, event)
    yield Step("made", "Job made", _origin(job, subscription), job.created_at)
    if job.attempt_count > len(attempts):
        earlier = sentences.of_count(job.attempt_count - len(attempts), "earlier attempt")
        yield Step("made", f"{earlier} not shown")
    for attempt in attempts:
        title = f"Attempt {attempt.attempt_n}: {attempt.http_status or attempt.error or attempt.status}"
        yield Step(attempt.status, title, sentences.of_attempt(attempt), attempt.started_at, None, attempt)
    yield _end(job, endpoint, attempts[-1] if attempts else None, state)


def _received(job: Job, event: Event | None) -> Step:
    if event is None:
        return Step("removed", "Event received", f"Event {job.event_id} is no longer kept.")
    return Step("made", "Event received", f"On topic {event.topic}.", event.created_at)


def _origin(job: Job, subscription: Subscription | None) -> str:
    origin = "Sent again by a replay" if job.replay_id else "Matched when it was published"
    if job.subscription_id is None:
        return "For this endpoint alone."
    if subscription is None:
        return f"{origin}; its subscription is no longer kept."
    return f"{origin}, for {subscription.topic_pattern}."


def _end(job: Job, endpoint: Endpoint | None, latest: Attempt | None, state: State) -> Step:
    at = job.finished_at if job.finished_at else None
    why_then = ""
    if state.until and latest and endpoint and job.status == Job.Status.PENDING:
        why_then = why_at(job, latest, endpoint)
    sentence = " ".join(filter(None, [state.sentence, why_then]))
    return Step(state.outcome, state.outcome.capitalize(), sentence, at, state.until)


def why_at(job: Job, latest: Attempt, endpoint: Endpoint) -> str:
    """What set the time of the next attempt; nothing where that cannot be told."""
    policy, spent = policy_of(endpoint), job.attempt_count - job.forgiven_count
    ended_at = latest.started_at + timedelta(milliseconds=latest.duration_ms)
    waits = (job.next_attempt_at - ended_at).total_seconds()
    if not 1 <= spent <= len(policy.delays):
        return ""
    wait = retries.wait_after(_answer(latest), policy, spent, ended_at)
    if wait.asked > wait.scheduled * (1 + retries.JITTER) and abs(waits - wait.asked) < SLACK_SECONDS:
        return f"The receiver asked for {sentences.of_seconds(wait.asked)} with Retry-After."
    if wait.scheduled <= waits + 0.01 and waits <= wait.scheduled * (1 + retries.JITTER) + SLACK_SECONDS:
        whose = "its endpoint's" if endpoint.retry_schedule else "the installation's"
        delay = sentences.of_seconds(wait.scheduled)
        return f"Delay {spent} of {len(policy.delays)} of {whose} schedule: {delay}, and up to 20 % more."
    return ""


def _answer(attempt: Attempt) -> Answer:
    headers: Any = parse(attempt.response_headers.encode()) if attempt.response_headers else []
    return Answer(attempt.http_status, attempt.error, headers=tuple(map(tuple, headers)))
