"""Jobs, which the lists of an older server do not hold: guessed from attempts and dead letters.

What it was still trying when the lists were made becomes a dead letter, so that an operator sees it and
may send it again; whether it still should be sent is not for us to say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from deliveries import documents, routing
from deliveries.models import Attempt, DeadLetter, Event, Job
from deliveries.moving.target import Target
from deliveries.routing import Routes
from deliveries.rules.values import Document
from hookline.ids import NO_ID

UNFINISHED = "unfinished_when_imported"


@dataclass
class Guess:
    """What is known of one job."""

    event_id: UUID
    endpoint_id: UUID
    first_at: datetime
    last_at: datetime
    attempt_count: int = 0
    has_succeeded: bool = False
    letter: DeadLetter | None = None


class Guesses:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.by_job: dict[UUID, Guess] = {}

    def add_attempt(self, attempt: Attempt) -> None:
        guess = self._of(attempt, attempt.started_at)
        guess.attempt_count = max(guess.attempt_count + 1, attempt.attempt_n)
        guess.has_succeeded |= attempt.status == Attempt.Status.SUCCESS

    def add_letter(self, letter: DeadLetter) -> None:
        guess = self._of(letter, letter.created_at)
        guess.attempt_count = max(guess.attempt_count, letter.attempt_count)
        guess.letter = letter

    def _of(self, row: Attempt | DeadLetter, moment: datetime) -> Guess:
        new = Guess(row.event_id, row.endpoint_id, moment, moment)
        guess = self.by_job.setdefault(row.job_id, new)
        guess.first_at, guess.last_at = min(guess.first_at, moment), max(guess.last_at, moment)
        return guess

    def jobs(self) -> Iterator[Job]:
        routes = routing.read(self.target.tenant_id)
        for job_id, guess in self.by_job.items():
            is_dead = guess.letter is not None or not guess.has_succeeded
            yield Job(
                id=job_id,
                tenant_id=self.target.tenant_id,
                event_id=guess.event_id,
                endpoint_id=guess.endpoint_id,
                subscription_id=_subscription(guess, routes) if is_dead else None,
                status=Job.Status.DEAD if is_dead else Job.Status.SUCCEEDED,
                attempt_count=guess.attempt_count,
                next_attempt_at=guess.last_at,
                created_at=guess.first_at,
                finished_at=guess.last_at,
            )

    def letter_of(self, job: Job) -> DeadLetter | None:
        if job.status != Job.Status.DEAD:
            return None
        guess = self.by_job[job.id]
        return guess.letter or DeadLetter(
            job_id=job.id,
            tenant_id=job.tenant_id,
            event_id=job.event_id,
            endpoint_id=job.endpoint_id,
            reason=UNFINISHED,
            attempt_count=job.attempt_count,
            created_at=guess.last_at,
        )


def _subscription(guess: Guess, routes: Routes) -> UUID:
    """Whose transform a delivery needs, should the job be sent again. NO_ID, under which nothing is
    sent, if no subscription fits any more."""
    event = Event.objects.filter(id=guess.event_id).first()
    if event is None:
        return NO_ID
    found = routes.match(event.topic, Document(lambda: documents.fields_of(event)))
    return next((r.subscription_id for r in found if r.endpoint_id == guess.endpoint_id), NO_ID)
