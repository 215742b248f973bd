"""How the tests of runs make dead letters, and take the steps that workers take."""

from collections.abc import Sequence
from uuid import UUID

from deliveries.models import DeadLetter, Endpoint, Job, Run
from deliveries.queue.settle import settle
from deliveries.runs import control, work
from deliveries.runs.selection import Selection
from deliveries.work import Answer, Dead
from hookline.database import now
from tenants.models import Tenant
from tests.queueing import give, settlement, take

BY = "the tests"
FAST = 10_000


def bury_some(endpoint: Endpoint, letters: int = 1, reason: str = "http_400") -> list[UUID]:
    """Dead letters of new jobs of this endpoint."""
    ids = give(endpoint, letters)
    claimed = [job for job in take() if job.id in ids]
    settle([settlement(job, Dead(reason), Answer(400, error="http_4xx")) for job in claimed])
    return ids


def start(
    verb: str, tenant: Tenant | None, selection: Selection | None = None, rate: int | None = FAST
) -> Run:
    return control.start(verb, tenant.id if tenant else None, selection or Selection(), rate, BY)


def step_once() -> None:
    """One step of some run, whether it is due or not."""
    Run.objects.update(due_at=now())
    claimed = work.claim()
    assert claimed
    work.step(claimed)


def finish(run: Run) -> Run:
    """All steps of all runs."""
    while Run.objects.active().exists():
        step_once()
    run.refresh_from_db()
    return run


def counts(run: Run) -> tuple[str, int, int, int]:
    """Its state, and how much it did, passed over, and made due."""
    run.refresh_from_db()
    return run.state, run.done_count, run.skipped_count, run.job_count


def letters() -> set[UUID]:
    return set(DeadLetter.objects.values_list("job_id", flat=True))


def pending() -> set[UUID]:
    return set(Job.objects.filter(status=Job.Status.PENDING).values_list("id", flat=True))


def events_of(jobs: Sequence[UUID]) -> set[UUID]:
    return set(Job.objects.filter(id__in=jobs).values_list("event_id", flat=True))
