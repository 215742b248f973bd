"""Whether a tenant's queue is full.

Counting a hundred thousand jobs takes milliseconds, so a count serves for a quarter of a second,
with what this process added since; before anything is refused it is taken anew. Where the limit
is small a count is cheap, and the limit is kept exactly.
"""

import time
from dataclasses import dataclass

from django.conf import settings

from deliveries.models import Job
from hookline.counters import OVERLOAD_DROPS, count
from hookline.errors import Overloaded

COUNT_SERVES_SECONDS = 0.25
CHEAP_TO_COUNT = 1000


@dataclass(slots=True)
class Depth:
    pending: int
    counted_at: float

    @property
    def is_old(self) -> bool:
        return time.monotonic() - self.counted_at > COUNT_SERVES_SECONDS


_depths: dict[str, Depth] = {}


def check(tenant_id: str) -> None:
    """Raises Overloaded if the tenant has as many pending jobs as it may have."""
    limit = settings.HL_MAX_QUEUE_DEPTH
    depth = _depths.get(tenant_id)
    if depth is None or depth.is_old or depth.pending >= limit or limit <= CHEAP_TO_COUNT:
        depth = _depths[tenant_id] = Depth(_count(tenant_id, limit), time.monotonic())
    if depth.pending >= limit:
        count(OVERLOAD_DROPS, tenant_id, "queue_full")
        raise Overloaded


def add(tenant_id: str, jobs: int) -> None:
    """Notes jobs that this process made, so that a burst between two counts is seen."""
    if tenant_id in _depths:
        _depths[tenant_id].pending += jobs


def _count(tenant_id: str, most: int) -> int:
    pending = Job.objects.filter(tenant_id=tenant_id, status=Job.Status.PENDING)
    return pending.order_by()[:most].count() if most else 0
