"""Whether deliveries get done: by what has been done, not by which processes are there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from deliveries import stats
from deliveries.models import Attempt, Job, Run
from hookline.database import now
from hookline.doctor.findings import Findings, error, many, ok, warning
from hookline.heartbeat import DELIVERERS
from hookline.models import Process, Switch

LATE, VERY_LATE = timedelta(seconds=30), timedelta(minutes=5)
LEASE_IS_LONG_OVER = timedelta(minutes=1)
# Of those that ended by themselves nothing is kept.
JOBS_GO_ON = " Its jobs went to others when their lease ended."
LOST_LATELY = timedelta(hours=1)
START = "Start one: `manage.py serve`, or `celery --app hookline worker`."


def workers() -> Findings:
    alive = stats.processes()
    delivering = [process for process in alive if process.kind in DELIVERERS]
    yield from _who(delivering)
    versions = sorted({process.version for process in alive})
    if len(versions) > 1:
        yield warning(f"Processes of versions {' and '.join(versions)} run.", "Restart the older ones.")
    silent = Process.objects.filter(seen_at__lte=now() - stats.SILENCE, seen_at__gt=now() - LOST_LATELY)
    for process in silent.order_by("-seen_at")[:3]:
        yield warning(
            f"{process} was last heard of at {process.seen_at:%H:%M:%S} UTC: it was killed, or it hangs.",
            "Its log tells why." + JOBS_GO_ON * (process.kind in DELIVERERS),
        )


def _who(delivering: Sequence[Process]) -> Findings:
    if not delivering:
        yield warning("No process delivers.", START)
        return
    in_flight = sum(process.in_flight for process in delivering)
    hosts = len({process.host for process in delivering})
    yield ok(
        f"{many(len(delivering), 'process delivers', 'processes deliver')}, on "
        f"{many(hosts, 'host')}, with {many(in_flight, 'request')} under way."
    )


def progress() -> Findings:
    moment = now()
    if Switch.objects.filter(name=Switch.CLAIMS_PAUSED, is_on=True).exists():
        yield warning(
            "Deliveries are paused, by hand, for the whole installation.",
            "POST /v1/admin/store/resume-claims, or the console, lets them go on.",
        )
        return
    oldest = min(stats.oldest_due().values(), default=moment)
    yield from lateness(moment - oldest, moment, _latest_attempt())
    lost = Job.objects.filter(status=Job.Status.RUNNING, lease_until__lt=moment - LEASE_IS_LONG_OVER)
    if count := lost.count():
        yield error(
            f"{many(count, 'job is', 'jobs are')} owned by workers that are gone: nobody takes them back.",
            START,
        )


def runs() -> Findings:
    failed = Run.objects.filter(state=Run.State.FAILED).count()
    if failed:
        yield warning(
            f"{many(failed, 'run')} of dead letters or events failed.",
            "The workers' logs tell why. Mend that, and let it go on: `manage.py runs list`, and `resume`.",
        )
    else:
        yield ok("No run failed.")


def lateness(late: timedelta, moment: datetime, latest: datetime | None) -> Findings:
    if late < LATE:
        yield ok("No delivery is late.")
        return
    done = f"the latest attempt began {_ago(moment - latest)} ago" if latest else "nothing was ever attempted"
    told = f"The oldest due delivery has waited for {_ago(late)}; {done}."
    if latest is None or moment - latest > LATE:
        yield error(told, f"Nothing gets done: look at the workers' logs, or restart them. {START}")
    elif late > VERY_LATE:
        yield error(told, "Workers fall behind: add some, or see whether a receiver is slow.")
    else:
        yield warning(told, "Workers fall behind: if it goes on, add some.")


def _latest_attempt() -> datetime | None:
    return Attempt.objects.order_by("-started_at").values_list("started_at", flat=True).first()


def _ago(time: timedelta) -> str:
    seconds = time.total_seconds()
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
