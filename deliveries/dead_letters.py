"""What can be done with dead letters: send their jobs round again, or let them go."""

from collections.abc import Sequence
from uuid import UUID

from deliveries.documents import REMOVED
from deliveries.models import DeadLetter, Event, Job
from deliveries.queue.requeue import requeue as requeue_jobs
from hookline.database import write
from hookline.errors import Conflict, NotFound
from tenants import audit


def requeue(letter: DeadLetter, by: str) -> None:
    """Makes the job due now, with a fresh budget of attempts. Raises NotFound if somebody else
    just did, and Conflict if there is nothing left to send."""
    removed = Event.objects.filter(id=letter.event_id).values_list("payload_removed", flat=True).first()
    if removed:
        raise Conflict(REMOVED[removed])
    with write():
        if not requeue_jobs([letter.job_id]):
            raise NotFound("DLQ entry not found")
        audit.record(letter.tenant_id, by, "dlq.requeued", letter.job_id, reason=letter.reason)


def discard(letter: DeadLetter, by: str) -> None:
    """Removes the letter; the job stays dead in the history. Raises NotFound if it is gone."""
    with write():
        if not DeadLetter.objects.filter(job_id=letter.job_id).delete()[0]:
            raise NotFound("DLQ entry not found")
        audit.record(letter.tenant_id, by, "dlq.deleted", letter.job_id, reason=letter.reason)


def discard_all(job_ids: Sequence[UUID]) -> int:
    """Removes many letters; returns how many were there still. Their jobs are locked first, as
    whoever requeues them does. The caller tells the audit log."""
    with write():
        jobs = Job.objects.filter(id__in=job_ids).order_by("id").select_for_update(no_key=True)
        locked = list(jobs.values_list("id", flat=True))
        return DeadLetter.objects.filter(job_id__in=locked).delete()[0]
