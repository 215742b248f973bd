"""Runs that go on in the background: watched, paused, resumed and cancelled."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from deliveries.models import Run
from deliveries.runs import control
from deliveries.runs.shell import summary, watch
from deliveries.runs.told import document_of
from hookline import commands
from hookline.commands import Action, Verbs
from hookline.errors import NotFound
from hookline.ids import parse_uuid

ID = "01929e3c-7c6e-7a52-8f0c-4f1e0c5b7a11"
LISTED = 100


class List(Action):
    help = "List the latest runs, of all tenants, newest first."
    example = "runs list"

    def work(self, **options: Any) -> None:
        for run in Run.objects.order_by("-id")[:LISTED]:
            whose = f"tenant {run.tenant_id}" if run.tenant_id else "all tenants"
            self.tell(f"{summary(run)} Of {whose}, for {run.asked_by}.", **document_of(run))


class OneRun(Action):
    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", help="its id, as `runs list` tells it")

    def work(self, run: str, **options: Any) -> None:
        found = Run.objects.filter(id=parse_uuid(run)).first()
        if found is None:
            raise NotFound("Run not found")
        self.do(found)

    def do(self, run: Run) -> None:
        raise NotImplementedError


class Watch(OneRun):
    help = "Wait for the end of a run. Ctrl-C ends the waiting and not the run."
    example = f"runs watch {ID}"

    def do(self, run: Run) -> None:
        watch(self, run)


class Button(OneRun):
    press: Callable[[Run, str], Run]

    def do(self, run: Run) -> None:
        changed = type(self).press(run, commands.by())
        self.tell(summary(changed), **document_of(changed))


class Pause(Button):
    help = "Pause a run: no step of it begins after this."
    example = f"runs pause {ID}"
    press = staticmethod(control.pause)


class Resume(Button):
    help = "Let a run go on that was paused, or that failed."
    example = f"runs resume {ID}"
    press = staticmethod(control.resume)


class Cancel(Button):
    help = "End a run where it is. What it has done stays done."
    example = f"runs cancel {ID}"
    press = staticmethod(control.cancel)


class Command(Verbs):
    help = "Watch, pause, resume and cancel what `requeue` and `replay` started. Example: manage.py runs list"
    verbs = {"list": List, "watch": Watch, "pause": Pause, "resume": Resume, "cancel": Cancel}
