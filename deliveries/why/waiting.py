"""What a job waits for. No database: the rows that know are arguments."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from deliveries.models import Attempt, DeadLetter, Endpoint, Job, Lane
from deliveries.why import sentences


class Outcome(StrEnum):
    """What became of an event at an endpoint."""

    DELIVERED = "delivered"
    SENDING = "sending"
    RETRYING = "retrying"  # it failed, and is tried again by itself
    WAITING = "waiting"  # it goes by itself
    HELD = "held"  # somebody has to do something first
    DEAD = "dead"
    NOT_SENT = "not_sent"  # there is no job


@dataclass(frozen=True, slots=True)
class State:
    """An outcome, why it is that, and until when where that is known."""

    outcome: Outcome
    sentence: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """The whole installation at a moment."""

    now: datetime
    is_paused: bool
    has_workers: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A job and what bears upon it. `endpoint` is None if it was deleted."""

    job: Job
    endpoint: Endpoint | None
    lane: Lane | None
    latest: Attempt | None
    letter: DeadLetter | None


def state_of(case: Case, line: Line) -> State:
    match case.job.status:
        case Job.Status.SUCCEEDED:
            return State(Outcome.DELIVERED, _delivered(case.job))
        case Job.Status.DEAD:
            return State(Outcome.DEAD, _given_up(case))
        case Job.Status.RUNNING:
            return _running(case.job, line)
    return _pending(case, line)


def _delivered(job: Job) -> str:
    attempts = job.attempt_count
    return "Delivered at the first attempt." if attempts == 1 else f"Delivered at attempt {attempts}."


def _given_up(case: Case) -> str:
    reason = sentences.of_death(case.letter.reason) if case.letter else "Its dead letter was removed."
    latest = sentences.of_attempt(case.latest) if case.latest else ""
    attempts = sentences.of_count(case.job.attempt_count, "attempt")
    return " ".join(filter(None, [f"Given up after {attempts}.", reason, latest]))


def _running(job: Job, line: Line) -> State:
    if job.lease_until and job.lease_until < line.now:
        return State(Outcome.SENDING, "The worker that had it is gone; another takes it within seconds.")
    return State(Outcome.SENDING, "A worker has it and waits for the answer.", job.lease_until)


def _pending(case: Case, line: Line) -> State:
    """What stands in its way, the most lasting first."""
    outcome = Outcome.RETRYING if case.job.attempt_count else Outcome.WAITING
    if line.is_paused:
        return State(Outcome.HELD, "All deliveries are paused: resume them.")
    if not line.has_workers:
        return State(Outcome.HELD, "No worker gives a sign of life: start one.")
    if case.endpoint and not case.endpoint.is_enabled:
        reason = f"Its endpoint is disabled. {case.endpoint.disabled_reason}".strip()
        return State(Outcome.HELD, reason, case.endpoint.probe_at)
    if case.job.next_attempt_at > line.now:
        return State(outcome, _between_attempts(case), case.job.next_attempt_at)
    return State(outcome, *_due(case.endpoint, case.lane))


def _between_attempts(case: Case) -> str:
    latest = sentences.of_attempt(case.latest) if case.latest else ""
    return " ".join(filter(None, [f"Waits for attempt {case.job.attempt_count + 1}.", latest]))


def _due(endpoint: Endpoint | None, lane: Lane | None) -> tuple[str, datetime | None]:
    if endpoint is None:
        return "Its endpoint was deleted: the next claim gives it up.", None
    if lane is None:
        return "Due now; its endpoint's lane is missing and is made again within the hour.", None
    match lane.state:
        case Lane.State.LIMITED:
            return f"Waits for its endpoint's rate limit of {endpoint.rate_limit_rps} a second.", lane.wake_at
        case Lane.State.FULL:
            return _full(endpoint, lane), None
    return "Due now; the next free worker takes it.", None


def _full(endpoint: Endpoint, lane: Lane) -> str:
    if lane.ramp is not None and lane.ramp < endpoint.max_in_flight:
        return (
            f"Waits for one of the {lane.in_flight} requests under way: its endpoint recovers from failures "
            f"and gets {lane.ramp} at a time for now."
        )
    return f"Waits for one of the {lane.in_flight} requests under way, which are all that its endpoint takes."
