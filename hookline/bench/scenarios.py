"""What is measured. Each scenario starts from an empty store, plays once, and gives its figures;
the command plays it several times and takes medians. Times are ms, unless a name says otherwise."""

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from django.db import connection

from deliveries.bell import ring
from deliveries.models import Attempt, Job, Subscription
from deliveries.queue.claim import Claimer
from deliveries.queue.settle import settle
from deliveries.work import Answer, Outcome, Settlement, Succeeded
from hookline.bench import naive_load, seed
from hookline.bench.again import requeueing
from hookline.bench.ages import ages_of, percentiles, warm_up
from hookline.bench.browsing import console, embedded_console
from hookline.bench.keeping import plateau, pruning
from hookline.bench.limits import limits
from hookline.bench.producer import Published, publish
from hookline.bench.scraping import scrape
from hookline.bench.stage import KEY, Meter, Stage, Use, embedded, serving
from hookline.bench.steady import steady
from hookline.database import now
from hookline.ids import uuid7

Figures = dict[str, float]
Scenario = Callable[[Stage], Figures]

TENANT = "default"
EVENT = json.dumps({"topic": "order.paid", "payload": json.loads(seed.PAYLOAD)}).encode()
BATCH = b'{"events":[%b]}' % b",".join([EVENT] * 1000)
LOOK_SECONDS = 0.05


# --- Taking events in ---------------------------------------------------------------------


def batch_ingest(stage: Stage) -> Figures:
    """Batches of 1,000 events of 1 KB, one job each, over 4 connections."""
    return _ingest(stage, "/v1/events/batch", BATCH, connections=4, events=1000)


def single_ingest(stage: Stage) -> Figures:
    """Single events of 1 KB, one job each, over 16 connections; beside it a plain serializer view."""
    ours = _ingest(stage, "/v1/events", EVENT, connections=16, events=1)
    theirs = naive_load.ingest(stage, EVENT)
    return ours | {"naive_per_second": theirs, "times_naive": ours["events_per_second"] / theirs}


def embedded_ingest(stage: Stage) -> Figures:
    """As batch_ingest, into the embedded store with synchronous=FULL, over 2 connections."""
    with tempfile.TemporaryDirectory() as directory, serving(embedded(Path(directory))):
        published = publish(
            stage.port, "/v1/events/batch", KEY, lambda: BATCH, connections=2, seconds=stage.seconds(6)
        )
    return _rate(published, 1000) | percentiles(published.latencies)


def _ingest(stage: Stage, path: str, body: bytes, *, connections: int, events: int) -> Figures:
    seed.targets(TENANT, stage.receiver_url("fast"), 1)
    seed.pause(True)
    with serving(HL_WEB_WORKERS=2, HL_WORKER_PROCESSES=1) as pid:
        publish(stage.port, path, KEY, lambda: body, connections=connections, seconds=1)
        meter = Meter(pid)
        published = publish(
            stage.port, path, KEY, lambda: body, connections=connections, seconds=stage.seconds(6)
        )
        use = meter.use()
    return _rate(published, events) | percentiles(published.latencies) | _per_event(use, published, events)


def _rate(published: Published, events: int) -> Figures:
    taken = (len(published.latencies) - published.refused) * events
    return {"events_per_second": taken / published.seconds, "refused": published.refused}


def _per_event(use: Use, published: Published, events: int) -> Figures:
    number = max(1, len(published.latencies) * events)
    return {
        "cpu_us": use.cpu / number * 1e6,
        "database_cpu_us": use.database_cpu / number * 1e6,
        "wal_bytes": use.wal / number,
        "memory_mb": use.memory,
    }


# --- Delivering ---------------------------------------------------------------------------


def deliver(stage: Stage) -> Figures:
    """From pending rows to recorded attempts: 50 endpoints, two Celery worker processes; beside it
    one Celery task for each delivery."""
    jobs = stage.some(100_000)
    seed.pending(seed.targets(TENANT, stage.receiver_url("fast"), 50), jobs)
    ours = _drain(jobs)
    seed.clear()
    theirs = naive_load.deliver(stage, stage.some(3_000))
    return ours | {"naive_per_second": theirs, "times_naive": ours["deliveries_per_second"] / theirs}


def _drain(jobs: int) -> Figures:
    seed.settle_statistics()
    seed.pause(True)
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=2) as pid:
        time.sleep(1)
        meter = Meter(pid)
        seed.pause(False)
        ring()
        while seed.is_waiting():
            time.sleep(LOOK_SECONDS)
        use = meter.use()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), extract(epoch FROM max(started_at) - min(started_at)) FROM attempts")
        attempts, seconds = cursor.fetchone()
    assert Attempt.objects.filter(status=Attempt.Status.SUCCESS).count() == attempts >= jobs
    return {
        "deliveries_per_second": attempts / float(seconds),
        "cpu_us": use.cpu / attempts * 1e6,
        "database_cpu_us": use.database_cpu / attempts * 1e6,
        "wal_bytes": use.wal / attempts,
        "memory_mb": use.memory,
    }


def latency(stage: Stage) -> Figures:
    """From the moment a publish is due to its arrival, at 200 and at 1,000 events a second."""
    seed.targets(TENANT, stage.receiver_url("timed"), 1)
    figures: Figures = {}
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=1):
        warm_up(stage)
        for rate in (200, 1000):
            ages = ages_of(stage, rate, stage.seconds(6))
            figures |= percentiles(ages, f"_at_{rate}")
    return figures


def backlog(stage: Stage) -> Figures:
    """Claim and settle, without a network: on an empty store, then with 1 M pending and 5 M finished."""
    own = seed.targets(TENANT, stage.receiver_url("fast"), 50)
    empty = _claim_and_settle(own, stage.some(20_000))
    others = seed.targets("others", stage.receiver_url("fast"), 100)
    seed.finished(others[0], stage.some(5_000_000))
    seed.pending(others, stage.some(1_000_000))
    seed.settle_statistics()
    loaded = _claim_and_settle(own, stage.some(20_000))
    return {"us_per_job_empty": empty, "us_per_job_loaded": loaded, "ratio": loaded / empty}


def _claim_and_settle(targets: Sequence[Subscription], jobs: int) -> float:
    """µs for each of so many jobs, whomever they are of."""
    seed.pending(list(targets), jobs)
    seed.settle_statistics()
    claimer, done, began = Claimer(), 0, time.monotonic()
    while done < jobs:
        claimed = claimer.claim(256, claimer.look(far_back=not done))
        moment = now()
        settle([Settlement(job, Outcome(uuid7(), moment, Answer(200)), Succeeded()) for job in claimed])
        done += len(claimed)
    return (time.monotonic() - began) / done * 1e6


# --- Fairness -----------------------------------------------------------------------------


def noisy_neighbour(stage: Stage) -> Figures:
    """100 events a second of one tenant, alone and beside another tenant's 1 M pending jobs."""
    seed.targets(TENANT, stage.receiver_url("timed"), 1)
    noise = seed.targets("noisy", stage.receiver_url("fast"), 20)
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=2):
        warm_up(stage)
        alone = ages_of(stage, 100, stage.seconds(6))
        seed.pending(noise, stage.some(1_000_000))
        ring()
        time.sleep(1)
        beside = ages_of(stage, 100, stage.seconds(6))
        left = seed.waiting([subscription.endpoint_id for subscription in noise])
    figures = percentiles(alone, "_alone") | percentiles(beside, "_beside")
    return figures | {"times_alone": figures["p99_beside"] / figures["p99_alone"], "left": left}


def slow_endpoints(stage: Stage) -> Figures:
    """100 events a second of one tenant beside 500 endpoints of another that hang for 20 s."""
    seed.targets(TENANT, stage.receiver_url("timed"), 1)
    hanging = seed.targets("slow", stage.receiver_url("hang"), stage.some(500), max_in_flight=10)
    seed.pending(hanging, len(hanging) * 20)
    with serving(HL_WEB_WORKERS=1, HL_WORKER_PROCESSES=2):
        time.sleep(3)
        warm_up(stage)
        figures = percentiles(ages_of(stage, 100, stage.seconds(12)))
        running = Job.objects.filter(status=Job.Status.RUNNING).count()
    return figures | {"hanging_requests": running}


def _by_name(*scenarios: Scenario) -> dict[str, Scenario]:
    return {scenario.__name__: scenario for scenario in scenarios}


# What is played unless others are named: within ten minutes.
USUAL = _by_name(
    batch_ingest,
    single_ingest,
    embedded_ingest,
    deliver,
    latency,
    backlog,
    noisy_neighbour,
    slow_endpoints,
    limits,
)
SCENARIOS = USUAL | _by_name(steady, pruning, plateau, scrape, requeueing, console, embedded_console)
