"""What can be done with a dead letter: send its job round again, or let it go."""

from deliveries.documents import REMOVED
from deliveries.models import DeadLetter, Event
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
