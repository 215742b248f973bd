"""Dead letters counted by what they have in common: tenant, endpoint, reason and topic."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Value

from deliveries.rules import topics
from deliveries.runs.letters import Letters
from hookline.database import from_text, is_postgres, rows
from hookline.times import milliseconds

# Rows that are looked at; beyond so many a count is "at least".
MOST_LOOKED_AT = 100_000


@dataclass(frozen=True, slots=True)
class Group:
    """Letters that have all this in common. The topic is only told where it was asked for."""

    tenant_id: str
    endpoint_id: UUID
    reason: str
    topic: str
    count: int
    oldest_ms: int
    newest_ms: int


# The limit is inside: a search for what is rare has a bound too, and is made among the few groups
# that come out.
GROUPS = """
SELECT tenant_id, endpoint_id, reason, topic, count(*), min(created_at), max(created_at)
FROM ({looked_at}) AS looked_at GROUP BY 1, 2, 3, 4
"""


def groups_of(walk: Letters, *, newest_first: bool = False) -> tuple[list[Group], bool]:
    """The groups that the walk's selection means, and whether these are all."""
    found = list(_looked_at(walk, "-created_at" if newest_first else "created_at"))
    is_all = sum(group.count for group in found) < MOST_LOOKED_AT
    return [group for group in found if _is_meant(group, walk)], is_all


def _looked_at(walk: Letters, order: str) -> Iterator[Group]:
    topic = F("event__topic") if walk.selection.topic else Value("")
    letters = walk.narrowed().order_by(order).annotate(topic=topic)
    looked_at = letters.values("tenant_id", "endpoint_id", "reason", "topic", "created_at")[:MOST_LOOKED_AT]
    sql, parameters = looked_at.query.sql_with_params()
    for tenant_id, endpoint_id, reason, of, count, *ends in rows(GROUPS.format(looked_at=sql), parameters):
        oldest_ms, newest_ms = (milliseconds(moment) for end in ends if (moment := from_text(end)))
        id = endpoint_id if is_postgres() else UUID(endpoint_id)
        yield Group(tenant_id, id, reason, of, count, oldest_ms, newest_ms)


def _is_meant(group: Group, walk: Letters) -> bool:
    reason, topic = walk.selection.reason, walk.selection.topic
    return reason in ("", group.reason) and (not topic or topics.matches(topic, group.topic))
