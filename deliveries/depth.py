"""Whether a tenant's queue is full, or half full.

Counting a hundred thousand jobs takes milliseconds, so a count serves for a quarter of a second,
with what this process added since; before anything is refused it is taken anew. Where the limit
is small a count is cheap, and the limit is kept exactly.
"""

import time
from dataclasses import dataclass

from django.conf import settings

from deliveries.models import Job
from hookline.counters import count
from hookline.errors import Overloaded
from hookline.families import OVERLOAD_DROPS
from tenants.models import Tenant

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


def check(tenant_id: str, own_limit: int | None) -> None:
    """Raises Overloaded if the tenant has as many pending jobs as it may have. Whoever asks knows whether
    the tenant has a limit of its own, from the look at its key."""
    limit = _limit(own_limit)
    if _pending(tenant_id, limit) >= limit:
        count(OVERLOAD_DROPS, tenant_id, "queue_full")
        raise Overloaded


def has_room(tenant_id: str) -> bool:
    """Whether work that can wait may be added: half of the queue is for what is published."""
    own_limit = Tenant.objects.filter(id=tenant_id).values_list("max_queue_depth", flat=True).first()
    limit = _limit(own_limit)
    return _pending(tenant_id, limit) < max(1, limit // 2)


def add(tenant_id: str, jobs: int) -> None:
    """Notes jobs that this process made, so that a burst between two counts is seen."""
    if tenant_id in _depths:
        _depths[tenant_id].pending += jobs


def _limit(own: int | None) -> int:
    return int(settings.HL_MAX_QUEUE_DEPTH) if own is None else own


def _pending(tenant_id: str, limit: int) -> int:
    """As of a moment ago, and exactly where that would be too many."""
    depth = _depths.get(tenant_id)
    if depth is None or depth.is_old or depth.pending >= limit or limit <= CHEAP_TO_COUNT:
        if depth is not None:
            depth.counted_at = time.monotonic()  # one request counts; those beside it take what is known
        depth = _depths[tenant_id] = Depth(_count(tenant_id, limit), time.monotonic())
    return depth.pending


def _count(tenant_id: str, most: int) -> int:
    pending = Job.objects.filter(tenant_id=tenant_id, status=Job.Status.PENDING)
    return pending.order_by()[:most].count() if most else 0
