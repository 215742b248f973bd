"""/v1/events/{id}/why: what became of an event at each endpoint, and for what reason."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api import schema
from deliveries.api.events import find
from deliveries.api.pages import limit_of
from deliveries.rules.filters import Clause
from deliveries.rules.values import MISSING, shown
from deliveries.why import fates
from deliveries.why.fates import Fate
from hookline.api import Resource
from hookline.ids import parse_uuid
from hookline.times import milliseconds


@schema.event_fates
class EventFates(Resource):
    def get(self, request: Request, event_id: str) -> Response:
        event = find(self.tenant_id, event_id)
        if endpoint_id := request.GET.get("endpoint_id"):
            found, following = fates.at(event, [parse_uuid(endpoint_id)]), None
        else:
            cursor = request.GET.get("cursor")
            limit = limit_of(request.GET, default=50, beyond=50)
            found, following = fates.page(event, parse_uuid(cursor) if cursor else None, limit)
        position = {"next_cursor": str(following)} if following else {}
        return Response({"items": list(map(present, found)), "count": len(found)} | position)


def present(fate: Fate) -> dict[str, Any]:
    subscription, state = fate.subscription, fate.state
    return {
        "endpoint_id": fate.endpoint_id,
        "subscription_id": subscription and subscription.id,
        "topic_pattern": subscription and subscription.topic_pattern,
        "outcome": state.outcome,
        "detail": state.sentence,
        "until": milliseconds(state.until) if state.until else None,
        "job_id": fate.job and fate.job.id,
        "jobs": fate.jobs,
        "matches": fate.match and fate.match.holds,
        "clauses": list(map(_clause, fate.match.clauses)) if fate.match else [],
    }


def _clause(clause: Clause) -> dict[str, Any]:
    return {
        "operator": clause.operator,
        "path": clause.path,
        "wanted": shown(clause.wanted),
        "found": None if clause.found is MISSING else shown(clause.found),
    }
