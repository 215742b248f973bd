"""Makes jobs due that wait for a later attempt."""

from uuid import UUID

from deliveries.models import Job
from deliveries.queue.lanes import ring
from hookline.database import now, write


def hasten(tenant_id: str, endpoint_id: UUID) -> None:
    """All jobs of one endpoint. Nobody is waited for: a job that a claim holds was due already."""
    with write():
        moment = now()
        waiting = Job.objects.filter(tenant_id=tenant_id, endpoint_id=endpoint_id, status=Job.Status.PENDING)
        later = waiting.filter(next_attempt_at__gt=moment).select_for_update(skip_locked=True, no_key=True)
        Job.objects.filter(id__in=later.values("id")).update(next_attempt_at=moment)


def hasten_event(event_id: UUID) -> None:
    """All jobs of one event."""
    with write():
        waiting = Job.objects.filter(event_id=event_id, status=Job.Status.PENDING).order_by("id")
        jobs = list(waiting.select_for_update(no_key=True))
        Job.objects.filter(id__in=[job.id for job in jobs]).update(next_attempt_at=now())
        ring((job.endpoint_id, job.tenant_id) for job in jobs)


def hasten_one(job_id: UUID) -> bool:
    """One job, and rings for it. Answers whether it did wait for a later attempt."""
    with write():
        moment = now()
        waiting = Job.objects.filter(id=job_id, status=Job.Status.PENDING, next_attempt_at__gt=moment)
        job = waiting.select_for_update(no_key=True).first()
        if job is None:
            return False
        Job.objects.filter(id=job_id).update(next_attempt_at=moment)
        ring([(job.endpoint_id, job.tenant_id)])
    return True
