"""/v1/replay: past events once more."""

import json
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deliveries import replay, routing
from deliveries.api import schema
from deliveries.api.pages import MOST
from deliveries.documents import REMOVED
from deliveries.fields import ReplayFields
from deliveries.models import Event, Replay
from deliveries.replay import Selection
from deliveries.runs.selection import Mode
from deliveries.runs.told import document_of_preview
from hookline.api import Resource
from hookline.errors import Conflict, Invalid, InvalidJson, NotFound
from hookline.ids import parse_uuid

DEFAULT_LIMIT, LIMIT_IF_INVALID = 100, 50
LISTED = 100


@schema.replays
class Replays(Resource):
    def get(self, request: Request) -> Response:
        latest = Replay.objects.filter(tenant_id=self.tenant_id).order_by("-id")[:LISTED]
        return Response({"items": [present(entry) for entry in latest]})

    def post(self, request: Request) -> Response:
        document = self._document()
        selection = selection_of(document)
        routes = routing.routes_of(self.tenant_id, self.caller.routes_version)
        if ReplayFields.read(document)["dry_run"]:
            return Response(document_of_preview(replay.dry_run(self.tenant_id, routes, selection)))
        entry = replay.replay(self.tenant_id, routes, selection, self.caller.actor)
        return Response(present(entry))

    def _document(self) -> dict[str, Any]:
        """What is asked for. An event that is asked for by itself must exist, and be whole."""
        try:
            document = self.document()
        except InvalidJson as fault:
            if fault.detail:
                raise
            raise Invalid("event_id or time range required") from None
        if isinstance(event_id := document.get("event_id"), str):
            event = Event.objects.filter(tenant_id=self.tenant_id, id=parse_uuid(event_id)).first()
            if event is None:
                raise NotFound("Event not found")
            if event.payload_removed:
                raise Conflict(REMOVED[event.payload_removed])
        return document


@schema.replay
class ReplayDetail(Resource):
    def get(self, request: Request, replay_id: str) -> Response:
        entry = Replay.objects.filter(tenant_id=self.tenant_id, id=parse_uuid(replay_id)).first()
        if entry is None:
            raise NotFound("Replay not found")
        return Response(present(entry))


def selection_of(document: dict[str, Any]) -> Selection:
    """What the request asks for. Raises Invalid."""
    values = ReplayFields.read(document)
    endpoint_id = parse_uuid(values["endpoint_id"]) if values["endpoint_id"] else None
    event_ids = values["event_ids"] if values["event_id"] is None else [values["event_id"]]
    if event_ids is not None:
        return Selection(event_ids=event_ids, endpoint_id=endpoint_id)
    return Selection(
        from_ms=values["from_ms"] or None,
        to_ms=values["to_ms"] or None,
        topic=values["topic"] or None,
        endpoint_id=endpoint_id,
        failed_only=values["mode"] == Mode.FAILED,
        missed_only=values["mode"] == Mode.MISSED,
        limit=_limit(document.get("limit")),
    )


def _limit(given: object) -> int:
    if given is None:
        return DEFAULT_LIMIT
    is_whole = isinstance(given, int) and not isinstance(given, bool)
    return given if is_whole and 1 <= given <= MOST else LIMIT_IF_INVALID  # type: ignore[operator,return-value]


def present(entry: Replay) -> dict[str, Any]:
    results = json.loads(entry.results)
    scheduled = sum("error" not in result for result in results)
    return {"replay_id": entry.id, "replayed": len(results), "scheduled": scheduled, "results": results}
