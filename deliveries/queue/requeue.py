"""Sends dead jobs round again."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from deliveries.models import DeadLetter, Job
from deliveries.queue.lanes import ring
from hookline.database import now, write


def requeue(job_ids: Iterable[UUID]) -> int:
    """Makes dead jobs due at once, with a fresh budget of attempts. Returns how many were dead and
    had their letter still."""
    with write():
        has_letter = Exists(DeadLetter.objects.filter(job_id=OuterRef("id")))
        dead = Job.objects.filter(has_letter, id__in=list(job_ids), status=Job.Status.DEAD)
        places = dead.select_for_update().order_by("id").values_list("id", "endpoint_id", "tenant_id")
        locked = list(places)
        ids = [id for id, *_ in locked]
        Job.objects.filter(id__in=ids).update(
            status=Job.Status.PENDING,
            forgiven_count=F("attempt_count"),
            lost_count=0,
            next_attempt_at=now(),
            finished_at=None,
        )
        DeadLetter.objects.filter(job_id__in=ids).delete()
        ring((endpoint_id, tenant_id) for _, endpoint_id, tenant_id in locked)
    return len(locked)
