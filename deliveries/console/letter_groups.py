"""Dead letters by endpoint and reason: what an outage left behind, and what to do about it at once."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse

from deliveries.console.run_parts import PERMISSION
from deliveries.models import Endpoint, Run
from deliveries.runs.groups import MOST_LOOKED_AT, Group, groups_of
from deliveries.runs.letters import Requeue
from deliveries.runs.selection import Selection, moment_of
from hookline.console.pages import page, show
from hookline.database import now
from tenants.models import Tenant

SHOWN = 100
MOST_TENANTS = 500


@page("dead-letters/", name="letter_groups", look="deliveries.view_deadletter")
def letter_groups(request: HttpRequest) -> HttpResponse:
    tenant_id = request.GET.get("tenant", "").replace("\0", "")
    found, is_all = groups_of(Requeue(tenant_id or None, Selection(), now()), newest_first=True)
    shown = sorted(found, key=lambda group: -group.count)[:SHOWN]
    return show(
        request,
        "console/letter_groups.html",
        "Dead letters",
        tenant_id=tenant_id,
        tenants=Tenant.objects.order_by("id").values_list("id", "name")[:MOST_TENANTS],
        total=sum(group.count for group in found),
        is_all=is_all,
        looked_at=MOST_LOOKED_AT,
        hidden=len(found) - len(shown),
        groups=list(_rows(shown)),
        whole=_query(tenant=tenant_id),
        may_press=request.user.has_perm(PERMISSION),
        verbs=Run.Verb,
    )


def _rows(groups: list[Group]) -> Iterator[dict[str, Any]]:
    endpoints = Endpoint.objects.in_bulk({group.endpoint_id for group in groups})
    for group in groups:
        id = str(group.endpoint_id)
        yield {
            "group": group,
            "endpoint": endpoints.get(group.endpoint_id),
            "oldest": moment_of(group.oldest_ms),
            "newest": moment_of(group.newest_ms),
            "query": _query(tenant=group.tenant_id, endpoint=id, reason=group.reason),
            "listed": urlencode({"endpoint_id": id, "reason": group.reason}),
        }


def _query(**asked: str) -> str:
    return urlencode({"look": "1", **{name: value for name, value in asked.items() if value}})
