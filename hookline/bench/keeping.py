"""What it costs to let go of old events, and whether the store stays as large as it is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from deliveries.models import Event
from hookline.bench import seed
from hookline.bench.ages import ages_of, percentiles
from hookline.bench.stage import Stage, process, serving
from hookline.database import now
from hookline.ids import first_uuid7

Figures = dict[str, float]

TENANT = "default"
PRUNE = [sys.executable, str(settings.BASE_DIR / "manage.py"), "prune"]
HOT = ["events", "jobs", "attempts"]
CYCLES = 8
VACUUM_SECONDS = 300.0
SIZE = "SELECT sum(pg_total_relation_size(oid)) / 1e6 FROM pg_class WHERE relname = ANY (%s)"
DEAD = "SELECT max(n_dead_tup * 20 - n_live_tup) FROM pg_stat_user_tables WHERE relname = ANY (%s)"


def pruning(stage: Stage) -> Figures:
    """100 events a second while `manage.py prune` removes 5 M rows: events of 1 KB, each with a job and an
    attempt. It is held every other five seconds, which makes the figures of `alone`."""
    [target] = seed.targets(TENANT, stage.receiver_url("timed"), 1)
    rows, seconds = stage.some(5_000_000), 0.0
    seed.history(target, rows // 3, now() - timedelta(days=30))
    seed.settle_statistics()
    alone, beside = list[float](), list[float]()
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=1), _held_prune() as prune:
        while prune.poll() is None:
            alone += ages_of(stage, 100, stage.seconds(5))
            began = time.monotonic()
            prune.send_signal(signal.SIGCONT)
            beside += ages_of(stage, 100, stage.seconds(5))
            prune.send_signal(signal.SIGSTOP)
            seconds += time.monotonic() - began
    left = Event.objects.filter(id__lt=first_uuid7(now() - timedelta(days=1))).count()
    figures = percentiles(alone, "_alone") | percentiles(beside, "_beside")
    return figures | {"rows_per_second": rows / seconds, "left": left}


@contextmanager
def _held_prune() -> Iterator[subprocess.Popen[bytes]]:
    with process(PRUNE) as prune:
        prune.send_signal(signal.SIGSTOP)
        try:
            yield prune
        finally:
            prune.send_signal(signal.SIGCONT)


def plateau(stage: Stage) -> Figures:
    """MB of the tables that events go through, with their indexes: with 1 M events, and after each of eight
    times that a quarter of them is pruned and as many come in. Autovacuum is waited for each time."""
    [target] = seed.targets(TENANT, stage.receiver_url("fast"), 1)
    kept, since = stage.some(1_000_000), now() - timedelta(hours=12)
    quarter = kept // 4
    seed.history(target, kept, since)
    seed.settle_statistics()
    figures = {"mb_at_first": _megabytes()}
    for cycle in range(1, CYCLES + 1):
        _prune_before(since + timedelta(milliseconds=quarter * cycle))
        _await_autovacuum()
        seed.history(target, quarter, since + timedelta(milliseconds=quarter * (cycle + 3)))
        figures[f"mb_after_{cycle}"] = _megabytes()
    return figures


def _prune_before(moment: datetime) -> None:
    """Give or take a second, which is a thousand events."""
    age = str(round((now() - moment).total_seconds()))
    subprocess.run(PRUNE, env=os.environ | {"HL_RETENTION_SECS": age}, check=True, stdout=subprocess.DEVNULL)


def _megabytes() -> float:
    with connection.cursor() as cursor:
        cursor.execute(SIZE, [HOT])
        return float(cursor.fetchone()[0])


def _await_autovacuum() -> None:
    """Until hardly a row is dead, and its space can be used again."""
    deadline = time.monotonic() + VACUUM_SECONDS
    while _dead() > 0:
        if time.monotonic() > deadline:
            raise TimeoutError("Autovacuum did not come.")
        time.sleep(1)


def _dead() -> int:
    with connection.cursor() as cursor:
        cursor.execute(DEAD, [HOT])
        return int(cursor.fetchone()[0])
