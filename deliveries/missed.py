"""Which of the jobs that a replay would make somebody needs."""

from collections.abc import Sequence

from deliveries.models import DeadLetter, Job
from deliveries.queue.enqueue import NewJob


def missed(jobs: Sequence[NewJob]) -> list[NewJob]:
    """Those for an endpoint at which their event neither arrived nor is on its way: it failed there,
    or no subscription wanted it then."""
    alive = Job.objects.filter(event_id__in={job.event_id for job in jobs}).exclude(status=Job.Status.DEAD)
    served = set(alive.values_list("event_id", "endpoint_id"))
    return [job for job in jobs if (job.event_id, job.endpoint_id) not in served]


def failed(jobs: Sequence[NewJob]) -> list[NewJob]:
    """Those for an endpoint at which their event is a dead letter now."""
    letters = DeadLetter.objects.filter(event_id__in={job.event_id for job in jobs})
    buried = set(letters.values_list("event_id", "endpoint_id"))
    return [job for job in jobs if (job.event_id, job.endpoint_id) in buried]
