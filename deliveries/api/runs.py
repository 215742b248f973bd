"""/v1/dlq/runs and /v1/replay/runs: a verb for many dead letters, or many events, in the background."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.api import run_schema as schema
from deliveries.fields import LetterRunFields, ReplayRunFields, Strict
from deliveries.models import Run
from deliveries.runs import control
from deliveries.runs.selection import Mode, Selection
from deliveries.runs.told import document_of, document_of_preview
from hookline.api import Resource
from hookline.errors import Invalid, NotFound
from hookline.ids import parse_uuid

LISTED = 100
BUTTONS = {"pause": control.pause, "resume": control.resume, "cancel": control.cancel}
LETTERS, EVENTS = (Run.Verb.REQUEUE, Run.Verb.DISCARD), (Run.Verb.REPLAY,)


class Runs(Resource):
    """The latest of the tenant, and the start of another."""

    verbs: tuple[str, ...] = ()
    fields_type: type[Strict]

    def get(self, request: Request) -> Response:
        latest = Run.objects.filter(tenant_id=self.tenant_id, verb__in=self.verbs).order_by("-id")
        return Response({"items": [document_of(run) for run in latest[:LISTED]]})

    def post(self, request: Request) -> Response:
        asked = self.fields_type.read(self.document())
        verb, selection = asked.get("verb", self.verbs[0]), selection_of(asked)
        if asked["dry_run"]:
            return Response(document_of_preview(control.dry_run(verb, self.tenant_id, selection)))
        if selection.is_everything and not asked["all"]:
            raise Invalid("Say what it is about: no field narrows it. Send all: true if it is everything")
        run = control.start(verb, self.tenant_id, selection, asked["rate"], self.caller.actor)
        return Response(document_of(run), status=201)


@schema.letter_runs
class LetterRuns(Runs):
    verbs, fields_type = LETTERS, LetterRunFields


@schema.replay_runs
class ReplayRuns(Runs):
    verbs, fields_type = EVENTS, ReplayRunFields


class OneRun(Resource):
    verbs: tuple[str, ...] = ()

    def get(self, request: Request, run_id: str) -> Response:
        return Response(document_of(self.find(run_id)))

    def find(self, run_id: str) -> Run:
        mine = Run.objects.filter(tenant_id=self.tenant_id, verb__in=self.verbs)
        run = mine.filter(id=parse_uuid(run_id)).first()
        if run is None:
            raise NotFound("Run not found")
        return run


@schema.letter_run
class LetterRun(OneRun):
    verbs = LETTERS


@schema.replay_run
class ReplayRun(OneRun):
    verbs = EVENTS


class Button(OneRun):
    """Pauses, resumes or cancels a run."""

    http_method_names = ["post"]

    def post(self, request: Request, run_id: str, action: str) -> Response:
        run, press = self.find(run_id), BUTTONS.get(action)
        if press is None:
            raise NotFound("No such path")
        return Response(document_of(press(run, self.caller.actor)))


@schema.letter_run_button
class LetterRunButton(Button):
    verbs = LETTERS


@schema.replay_run_button
class ReplayRunButton(Button):
    verbs = EVENTS


def selection_of(asked: dict[str, Any]) -> Selection:
    """What was asked for, of either kind. Ids that cannot be are those of nothing."""
    ids = asked.get("job_ids") or asked.get("event_ids") or ()
    return Selection(
        ids=tuple(map(parse_uuid, ids)),
        endpoint_id=parse_uuid(asked["endpoint_id"]) if asked["endpoint_id"] else None,
        reason=asked.get("reason", ""),
        topic=asked["topic"],
        from_ms=asked["from_ms"] or None,
        to_ms=asked["to_ms"] or None,
        mode=Mode(asked.get("mode", Mode.ALL)),
    )
