"""/v1/admin: what an installation's administrator may see and do. Not Django's admin."""

import json
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import chores, pausing, rekey, stats
from deliveries.api import schema
from deliveries.api.pages import limit_of
from hookline.api import Resource
from hookline.database import write
from hookline.models import Chore
from hookline.times import milliseconds
from tenants import audit
from tenants.models import AuditEntry


@schema.stats
class Stats(Resource):
    def get(self, request: Request) -> Response:
        queue = {"pending": stats.pending(self.tenant_id), "inflight": stats.in_flight(self.tenant_id)}
        return Response({"queue": queue, "compaction": _compaction()})


@schema.compact
class Compact(Resource):
    def post(self, request: Request) -> Response:
        with write():
            chores.make_due(chores.PRUNE)
            chores.make_due(chores.PAYLOADS)
            audit.record(self.tenant_id, self.caller.actor, "store.compaction_requested")
        return Response({"ok": True, "message": "compaction triggered"}, status=202)


@schema.pause_claims
class PauseClaims(Resource):
    def post(self, request: Request) -> Response:
        pausing.pause(self.tenant_id, self.caller.actor)
        return Response({"ok": True, "paused": True})


@schema.resume_claims
class ResumeClaims(Resource):
    def post(self, request: Request) -> Response:
        pausing.resume(self.tenant_id, self.caller.actor)
        return Response({"ok": True, "paused": False})


@schema.rotate_secrets
class RotateSecrets(Resource):
    def post(self, request: Request) -> Response:
        rekey.rekey(self.tenant_id, self.caller.actor)
        return Response({"ok": True, "message": "key rotation complete"})


@schema.audit
class Audit(Resource):
    """The latest entries of all tenants, or of the one that `tenant_id` names; newest first."""

    def get(self, request: Request) -> Response:
        entries = AuditEntry.objects.order_by("-id")
        if tenant_id := request.GET.get("tenant_id"):
            entries = entries.filter(tenant_id=tenant_id)
        items = [_entry(entry) for entry in entries[: limit_of(request.GET, default=100, beyond=100)]]
        return Response({"items": items, "count": len(items)})


def _compaction() -> dict[str, int]:
    chore = Chore.objects.filter(name=chores.PRUNE).first()
    if chore is None or chore.last_run_at is None:
        return {"last_run_at": 0, "segments_deleted": 0, "duration_ms": 0}
    return {
        "last_run_at": milliseconds(chore.last_run_at),
        "segments_deleted": chore.done_count,
        "duration_ms": chore.duration_ms,
    }


def _entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "tenant_id": entry.tenant_id,
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "metadata": json.loads(entry.metadata),
        "ts": milliseconds(entry.at),
    }
