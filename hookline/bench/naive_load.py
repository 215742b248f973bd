"""Plays the naive implementation under the load that ours gets."""

import sys
import time

from deliveries.models import Attempt, Job
from hookline import throwaway
from hookline.bench import naive, seed
from hookline.bench.producer import publish
from hookline.bench.stage import Stage, process, require_alive

WORKERS = 2
LOOK_SECONDS = 0.05
START_SECONDS = 3.0


def deliver(stage: Stage, jobs: int) -> float:
    """Deliveries a second, counted from the first attempt to the last."""
    naive.app.control.purge()  # what a measurement of ingest left
    seed.pending(seed.targets(naive.TENANT, stage.receiver_url("fast"), 50), jobs)
    for job_id in Job.objects.values_list("id", flat=True):
        naive.deliver.delay(str(job_id))
    command = [sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "--app", naive.__name__, "worker"]
    options = [f"--concurrency={WORKERS}", "--queues=naive", "--loglevel=CRITICAL"]
    with process([*command, *options]) as started:
        while seed.is_waiting():
            require_alive(started)
            time.sleep(LOOK_SECONDS)
    times = Attempt.objects.order_by("started_at").values_list("started_at", flat=True)
    first, last = times[0], times.reverse()[0]
    return len(times) / (last - first).total_seconds()


def ingest(stage: Stage, event: bytes) -> float:
    """Events a second over 16 connections, as ours."""
    seed.targets(naive.TENANT, stage.receiver_url("fast"), 1)
    port = throwaway.free_port()
    options = ["--interface", "wsgi", "--workers", "2", "--blocking-threads", "16", "--log-level", "critical"]
    place = ["--host", "127.0.0.1", "--port", str(port)]
    with process([sys.executable, "-m", "granian", *options, *place, f"{naive.__name__}:application"]):
        time.sleep(START_SECONDS)
        done = publish(port, "/events", "", lambda: event, connections=16, seconds=stage.seconds(4))
    return (len(done.latencies) - done.refused) / done.seconds
