"""What is done to an installation under load. Each scenario is a function of a Run."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis as redis_client

from hookline import throwaway
from hookline.chaos.fleet import Fleet, Servers
from hookline.chaos.producer import Producer
from hookline.chaos.verdict import p99
from hookline.failpoints import POINTS

FULL: dict[str, int] = {"web": 2, "worker": 2, "beat": 1}
ALONE: dict[str, int] = {"serve": 1}
HELD = "SELECT count(*) FROM jobs WHERE status = 'running' AND created_at < now() - interval '0.9 s'"
LONGEST_SECONDS = 900.0
# Debian keeps it here.
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@dataclass
class Run:
    """What a scenario works with. `faults` counts what it did besides killing."""

    fleet: Fleet
    producer: Producer
    servers: Servers
    kills: int
    events: int
    faults: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def repeat(self, times: int, pause: float, fault: Callable[[], None]) -> None:
        for _ in range(times):
            fault()
            self.faults += 1
            time.sleep(pause)


@dataclass(frozen=True)
class Scenario:
    """`spare` is how many requests a fault may double without a lease being lost; `share`, how much of
    the kills and events that were asked for are played."""

    play: Callable[[Run], None]
    store: str = "postgres"
    layout: dict[str, int] = field(default_factory=lambda: FULL)
    environment: dict[str, str] = field(default_factory=dict)
    clock: dict[str, str] = field(default_factory=dict)
    lease_seconds: int = 3
    spare: int = 0
    share: float = 1.0
    is_only_counted: bool = False

    @property
    def variables(self) -> dict[str, str]:
        return {"HL_JOB_LEASE_SECS": str(self.lease_seconds), **self.environment}


def armed(seconds: float) -> dict[str, str]:
    """Every failpoint ends a process that has been up for so long, on average."""
    return {"HL_FAILPOINTS": " ".join(f"{point}=kill:{seconds}" for point in POINTS)}


def clock(shift: str) -> dict[str, str]:
    """Another time of day. Waits go by the monotonic clock, which must stay what the kernel has."""
    return {"LD_PRELOAD": str(FAKETIME[-1]), "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def kills(run: Run) -> None:
    """Processes end at every failpoint, and are killed from outside, until it is enough."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        done = run.fleet.all_kills().total() >= run.kills
        if done and len(run.producer.books.acked) >= run.events:
            break
        if not done:
            run.fleet.kill("web", "worker", "serve")
        time.sleep(random.uniform(0.7, 2))
    run.fleet.disarm()


def lease_60(run: Run) -> None:
    """The lease as it is by default."""
    run.repeat(3, 1.5, lambda: run.fleet.kill("worker"))


def postgres_restarted(run: Run) -> None:
    assert run.servers.postgres
    run.repeat(5, 3, run.servers.postgres.restart)


def postgres_crashed(run: Run) -> None:
    """By turns, all of it ends at once, or a session is killed with -9. Both recover from the log."""
    assert run.servers.postgres
    time.sleep(2)
    for _ in range(3):
        run.servers.postgres.kill()
        run.servers.postgres.start()
        time.sleep(3)
        if found := _sessions(run.servers.postgres):
            os.kill(random.choice(found)[0], signal.SIGKILL)
        time.sleep(3)
        run.faults += 2


def _sessions(postgres: throwaway.Postgres) -> list[tuple[int]]:
    """None while it recovers."""
    sql = "SELECT pid FROM pg_stat_activity WHERE usename = 'hookline'"
    try:
        with psycopg.connect(postgres.superuser_url) as connection:
            return connection.execute(sql).fetchall()
    except psycopg.OperationalError:
        return []


def standby_promoted(run: Run) -> None:
    """Commits wait for the standby. Three times the primary is killed under load, the standby takes its
    place, the pooler turns to it, and gets a standby of its own."""
    for _ in range(3):
        assert run.servers.postgres
        run.servers.postgres.wait_for_standby()
        time.sleep(8)
        _fail_over(run)
        run.servers.add_standby()


def late_standby_promoted(run: Run) -> None:
    """Commits wait for nobody, and the standby hears nothing for a second before the primary is killed."""
    assert run.servers.standby
    time.sleep(4)
    with psycopg.connect(run.servers.standby.superuser_url) as connection:
        [[receiver]] = connection.execute("SELECT pid FROM pg_stat_wal_receiver").fetchall()
    os.kill(receiver, signal.SIGSTOP)
    time.sleep(1)
    assert run.servers.postgres
    run.servers.postgres.kill()
    for number in (signal.SIGTERM, signal.SIGCONT):  # it ends without reading what waits in its socket
        os.kill(receiver, number)
    _fail_over(run)


def _fail_over(run: Run) -> None:
    began = time.monotonic()
    run.servers.fail_over()
    run.faults += 1
    acked = len(run.producer.books.acked)
    while len(run.producer.books.acked) == acked:
        time.sleep(0.02)
    run.notes.setdefault("seconds_until_it_went_on", []).append(round(time.monotonic() - began, 1))
    time.sleep(4)


def sessions_terminated(run: Run) -> None:
    assert run.servers.postgres
    url = run.servers.postgres.superuser_url

    def terminate() -> None:
        with psycopg.connect(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hookline'"
            )

    run.repeat(12, 1, terminate)


def redis_down(run: Run) -> None:
    assert run.servers.redis
    run.servers.redis.stop()
    run.faults += 1
    time.sleep(8)
    run.servers.redis.start()
    time.sleep(3)


def redis_hung(run: Run) -> None:
    assert run.servers.redis
    run.servers.redis.pause()
    run.faults += 1
    time.sleep(8)
    run.servers.redis.resume()
    time.sleep(3)


def redis_flushed(run: Run) -> None:
    assert run.servers.redis
    with redis_client.Redis(port=run.servers.redis.port) as client:
        run.repeat(20, 0.5, client.flushall)


def redis_latency(run: Run) -> None:
    """How long a publish takes with Redis there, away and hung."""
    assert run.servers.redis
    run.notes["p99_normal_ms"] = _publish_p99(run)
    run.servers.redis.stop()
    run.notes["p99_dead_ms"] = _publish_p99(run)
    run.servers.redis.start()
    time.sleep(6)
    run.servers.redis.pause()
    run.notes["p99_hung_ms"] = _publish_p99(run)
    run.servers.redis.resume()
    run.faults += 2


def _publish_p99(run: Run) -> float:
    time.sleep(1)
    first = len(run.producer.books.milliseconds)
    time.sleep(8)
    return p99(run.producer.books.milliseconds[first:])


def quiet(run: Run) -> None:
    """Nothing is done: what is odd are the processes that run."""
    run.faults += 1
    time.sleep(8)


def worker_paused(run: Run) -> None:
    """Stopped past its lease, and then continued: it finds that its jobs are no longer its own."""
    worker = next(process for process in run.fleet.processes if process.name == "worker")
    while True:
        worker.signal(signal.SIGSTOP)
        time.sleep(1)
        if run.fleet.rows(HELD)[0][0]:
            break
        worker.signal(signal.SIGCONT)
        time.sleep(random.uniform(0.1, 0.5))
    run.faults += 1
    time.sleep(25)
    worker.signal(signal.SIGCONT)
    time.sleep(3)


def stopped_gently(run: Run) -> None:
    """SIGTERM to one process after another, as a rolling restart does."""
    for _ in range(3):
        for process in run.fleet.processes:
            os.kill(process.running.pid, signal.SIGTERM)
            run.faults += 1
            time.sleep(4)


def disk_full(run: Run) -> None:
    """The store may grow no more for a while: publishes are refused, and resume without a restart."""
    [serve] = run.fleet.processes
    size = max(file.stat().st_size for file in run.fleet.directory.glob("hookline.sqlite3*"))
    _limit_files(serve.running.pid, size)
    run.faults += 1
    time.sleep(10)
    run.notes["refused_while_full"] = run.producer.books.refused.total()
    _limit_files(serve.running.pid, None)
    acked = len(run.producer.books.acked)
    time.sleep(5)
    run.notes["accepted_afterwards"] = len(run.producer.books.acked) - acked


def _limit_files(pid: int, size: int | None) -> None:
    most = resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))


SCENARIOS: dict[str, Scenario] = {
    "kills": Scenario(kills, environment=armed(25)),
    "embedded_kills": Scenario(kills, store="embedded", layout=ALONE, environment=armed(40), share=0.2),
    "lease_60": Scenario(lease_60, lease_seconds=60),
    "postgres_restarted": Scenario(postgres_restarted),
    # A claim need not survive a crash of the database; what it had started may go out once more.
    "postgres_crashed": Scenario(postgres_crashed, spare=200),
    "standby_promoted": Scenario(standby_promoted, store="replicated", spare=200),
    "late_standby_promoted": Scenario(
        late_standby_promoted, store="replicated", spare=200, is_only_counted=True
    ),
    "sessions_terminated": Scenario(sessions_terminated),
    "redis_down": Scenario(redis_down),
    "redis_hung": Scenario(redis_hung),
    "redis_flushed": Scenario(redis_flushed),
    "redis_latency": Scenario(redis_latency),
    "beat_dead": Scenario(quiet, layout={**FULL, "beat": 0}),
    "beat_tripled": Scenario(quiet, layout={**FULL, "beat": 3}),
    "worker_paused": Scenario(worker_paused),
    "stopped_gently": Scenario(stopped_gently),
    "disk_full": Scenario(disk_full, store="embedded", layout=ALONE),
}
if FAKETIME:
    SCENARIOS |= {
        f"clock_{word}": Scenario(quiet, clock=clock(shift))
        for word, shift in {"fast": "+10m", "slow": "-10m"}.items()
    }
