"""/v1/deliveries: recorded attempts, which this API has always called deliveries."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api import schema
from deliveries.api.pages import limit_of
from deliveries.models import Attempt, Job
from hookline.api import Resource
from hookline.errors import NotFound
from hookline.ids import parse_uuid
from hookline.times import milliseconds

STATUSES = {"success": "success", "failure": "failure", "failed": "failure"}
BODY_SHOWN = 4096


@schema.deliveries
class Deliveries(Resource):
    def get(self, request: Request) -> Response:
        limit = limit_of(request.GET, default=50, beyond=100)
        items = [present(attempt) for attempt in self._selected()[:limit]]
        return Response({"items": items, "count": len(items)})

    def _selected(self) -> QuerySet[Attempt]:
        """Filters that are given, all of them; a status that no attempt has finds none."""
        query = self.request.GET
        attempts = Attempt.objects.filter(tenant_id=self.tenant_id).order_by("id")
        for name in ("endpoint_id", "job_id"):
            if name in query:
                attempts = attempts.filter(**{name: parse_uuid(query[name])})
        if "event_id" in query:
            jobs = Job.objects.filter(tenant_id=self.tenant_id, event_id=parse_uuid(query["event_id"]))
            attempts = attempts.filter(job_id__in=jobs.values("id"))
        if query.get("status"):
            attempts = attempts.filter(status=STATUSES.get(query["status"], query["status"]))
        return attempts


@schema.delivery
class DeliveryDetail(Resource):
    def get(self, request: Request, attempt_id: str) -> Response:
        attempts = Attempt.objects.filter(tenant_id=self.tenant_id, id=parse_uuid(attempt_id))
        attempt = attempts.first()
        if attempt is None:
            raise NotFound("Attempt not found")
        return Response(present(attempt))


def present(attempt: Attempt) -> dict[str, Any]:
    document = {
        "attempt_id": attempt.id,
        "job_id": attempt.job_id,
        "event_id": attempt.event_id,
        "endpoint_id": attempt.endpoint_id,
        "tenant_id": attempt.tenant_id,
        "attempt_n": attempt.attempt_n,
        "status": attempt.status,
        "http_status": attempt.http_status,
        "error": attempt.error,
        "error_detail": attempt.error_detail,
        "started_at": milliseconds(attempt.started_at),
        "duration_ms": attempt.duration_ms,
    }
    if attempt.response_body:
        body = bytes(attempt.response_body[:BODY_SHOWN])
        document["response_body"] = body.decode(errors="replace")
    return document
