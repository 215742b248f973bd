"""Runs from a shell: what `requeue` and `replay` have in common, and how a run is watched."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from django.conf import settings

from deliveries import stats
from deliveries.models import Run
from deliveries.runs import control, outlook
from deliveries.runs.control import DEFAULT_RATES, MOST_A_SECOND
from deliveries.runs.preview import Preview
from deliveries.runs.selection import Selection
from deliveries.runs.told import document_of, document_of_preview
from hookline import commands
from hookline.commands import Action
from hookline.errors import Invalid
from hookline.ids import parse_uuid
from hookline.progress import show
from hookline.times import EPOCH, milliseconds
from tenants import lifecycle

LOOK_SECONDS = 0.5
# What a shell calls the end by Ctrl-C.
INTERRUPTED = 130


class Starts(Action):
    """Starts a run and watches it to its end."""

    def arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument("--tenant", default=settings.HL_TENANT_ID, help="its id; default %(default)s")
        whose.add_argument("--all-tenants", action="store_true", help="of every tenant")
        parser.add_argument("--endpoint", default="", help="only for this endpoint's id")
        parser.add_argument("--topic", default="", help="only on topics such as orders.*")
        parser.add_argument("--from", dest="since", type=_moment, help=f"the earliest time: {TIMES}")
        parser.add_argument("--to", dest="until", type=_moment, help="the latest time")
        parser.add_argument("--all", action="store_true", help="must be said if nothing else narrows it")
        parser.add_argument(
            "--rate", type=_rate, help=f"so many a second at most, of 1 to {MOST_A_SECOND}; {_defaults()}"
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
        parser.add_argument("--detach", action="store_true", help="start it, and do not wait for its end")

    def begin(self, verb: str, selection: Selection, **options: Any) -> None:
        tenant_id = None if options["all_tenants"] else lifecycle.active(options["tenant"]).id
        if options["dry_run"]:
            return self._tell_preview(verb, control.dry_run(verb, tenant_id, selection))
        if selection.is_everything and not options["all"]:
            raise Invalid("Say which ones, or --all. With --dry-run, nothing is done.")
        run = control.start(verb, tenant_id, selection, options["rate"], commands.by())
        if options["detach"]:
            self.tell(f"Started. Watch it with: manage.py runs watch {run.id}", **document_of(run))
        else:
            watch(self, run)
        return None

    def _tell_preview(self, verb: str, found: Preview) -> None:
        least = "" if found.is_exact else "at least "
        what = _counted(verb, found.count)
        self.tell(f"Would {verb} {least}{what}{_span(found)}.", **document_of_preview(found))
        if not self.is_json:
            for share in found.by_endpoint:
                self.tell(f"{share.count:>12,}  endpoint {share.id}")


def selection_of(options: dict[str, Any], **more: Any) -> Selection:
    """What the common arguments narrow, and those of one verb."""
    return Selection(
        endpoint_id=parse_uuid(options["endpoint"]) if options["endpoint"] else None,
        topic=options["topic"],
        from_ms=options["since"],
        to_ms=options["until"],
        **more,
    )


def watch(action: Action, run: Run) -> None:
    """Until it is over; ends with status 1 if it did not do what it was to do. Ctrl-C ends the watching
    and not the run."""
    _warn(run)
    try:
        while not (run.is_over or run.state == Run.State.FAILED):
            show(run.verb, run.done_count, min(outlook.ALMOST, outlook.share(run) or 0.0))
            time.sleep(LOOK_SECONDS)
            run.refresh_from_db()
    except KeyboardInterrupt:
        _leave(run)
    show(run.verb, run.done_count, 1)
    action.tell(summary(run), **document_of(run))
    if run.state != Run.State.DONE:
        raise SystemExit(1)


def summary(run: Run) -> str:
    skipped = f", {run.skipped_count:,} passed over" if run.skipped_count else ""
    error = f" {run.last_error}" if run.state == Run.State.FAILED else ""
    return f"Run {run.id} ({run.verb}) is {run.state}: {_counted(run.verb, run.done_count)}{skipped}.{error}"


def _counted(verb: str, count: int) -> str:
    what = "event" if verb == Run.Verb.REPLAY else "dead letter"
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _warn(run: Run) -> None:
    if not (run.is_over or stats.has_deliverers()):
        sys.stderr.write("No worker is alive: the run begins when one is started.\n")


def _leave(run: Run) -> NoReturn:
    sys.stderr.write(
        f"\nThe run goes on. Watch it again, pause it or end it with:\n"
        f"  manage.py runs watch|pause|cancel {run.id}\n"
    )
    raise SystemExit(INTERRUPTED)


def _span(found: Preview) -> str:
    if found.oldest_ms is None:
        return ""
    newest = f" to {_told(found.newest_ms)}" if found.newest_ms is not None else " on"
    return f", from {_told(found.oldest_ms)}{newest}"


def _told(at: int) -> str:
    try:
        return f"{EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return f"{at} ms"


TIMES = "2026-11-25T09:30, 1764063000000 (milliseconds), or 2h for so long ago"


def _moment(text: str) -> int:
    """Milliseconds since 1970. A time without a zone is UTC."""
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return milliseconds(datetime.now(UTC) - _ago(text))
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _ago(text: str) -> timedelta:
    try:
        return commands.duration(text)
    except ArgumentTypeError:
        raise ArgumentTypeError(f"write a time such as {TIMES}, not {text!r}") from None


def _rate(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_A_SECOND:
        raise ArgumentTypeError(f"write a whole number from 1 to {MOST_A_SECOND}, not {text!r}")
    return int(text)


def _defaults() -> str:
    return f"default {DEFAULT_RATES[Run.Verb.REQUEUE]}, or {DEFAULT_RATES[Run.Verb.DISCARD]} to discard"
