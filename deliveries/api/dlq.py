"""/v1/dlq: jobs that were given up."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import dead_letters
from deliveries.api import schema
from deliveries.models import DeadLetter
from hookline.api import Resource
from hookline.errors import Invalid, NotFound
from hookline.ids import parse_uuid
from hookline.times import milliseconds


@schema.dead_letters
class DeadLetters(Resource):
    """The whole list, newest first, as clients expect it."""

    def get(self, request: Request) -> Response:
        letters = DeadLetter.objects.filter(tenant_id=self.tenant_id)
        if endpoint_id := request.GET.get("endpoint_id"):
            letters = letters.filter(endpoint_id=parse_uuid(endpoint_id))
        items = [present(letter) for letter in letters.order_by("-created_at", "-job_id")]
        return Response({"items": items, "count": len(items), "ok": True})

    def delete(self, request: Request) -> Response:
        raise Invalid("job_id required")


@schema.dead_letter
class DeadLetterDetail(Resource):
    def get(self, request: Request, job_id: str) -> Response:
        return Response(present(find(self.tenant_id, job_id)))

    def delete(self, request: Request, job_id: str) -> Response:
        dead_letters.discard(find(self.tenant_id, job_id), self.caller.actor)
        return Response(status=204)


@schema.requeue
class Requeue(Resource):
    def post(self, request: Request, job_id: str) -> Response:
        dead_letters.requeue(find(self.tenant_id, job_id), self.caller.actor)
        return Response({"ok": True})


def find(tenant_id: str, job_id: str) -> DeadLetter:
    letter = DeadLetter.objects.filter(tenant_id=tenant_id, job_id=parse_uuid(job_id)).first()
    if letter is None:
        raise NotFound("DLQ entry not found")
    return letter


def present(letter: DeadLetter) -> dict[str, Any]:
    failed_at = milliseconds(letter.created_at)
    return {
        "id": letter.job_id,
        "job_id": letter.job_id,
        "event_id": letter.event_id,
        "endpoint_id": letter.endpoint_id,
        "tenant_id": letter.tenant_id,
        "reason": letter.reason,
        "attempt_count": letter.attempt_count,
        "created_at": failed_at,
        "failed_at": failed_at,
    }
