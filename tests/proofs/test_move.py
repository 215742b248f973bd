"""200,000 events are moved from the embedded store to PostgreSQL in the midst of their deliveries."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from hookline import throwaway
from hookline.chaos import receiver as counting
from hookline.chaos.play import receiving
from tests import installation
from tests.live import ROOT, LiveApi, LiveServer
from tests.receiver import Receiver, Reply

ORDERS, RETRIED, REFUSED = 190_000, 5_000, 5_000
AT_ONCE = 1000
SECRET = "the-key-of-the-benchmark"
MOST_MEGABYTES = 150
LIMITS = {"max_in_flight": 20, "rate_limit_rps": 1000, "timeout_ms": 60_000}

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(3600)]


@pytest.fixture
def postgres() -> Iterator[throwaway.Postgres]:
    installation.ensure("postgresql")
    with throwaway.start_postgres() as server:
        yield server


def test_it_goes_on_as_if_nothing_had_happened(
    postgres: throwaway.Postgres, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "all.snapshot"
    receiver.reply("/away", *[Reply(503)] * RETRIED)
    receiver.reply("/refuses", *[Reply(400)] * REFUSED)
    environment = {
        "HL_STORE_BACKEND": "embedded",
        "HL_DATA_DIR": str(tmp_path / "var"),
        "HL_MAX_QUEUE_DEPTH": "1000000",
        "HL_RETRY_SCHEDULE": "10m 1s 5s 30s",
        "HL_DRAIN_SECS": "30",
    }
    with receiving() as (port, log), closing(LiveServer(**environment)) as live:
        api = live.tenant()
        ids = {}
        for pattern, url in {
            "order.*": f"http://127.0.0.1:{port}/",
            "away.*": receiver.url("/away"),
            "refused.*": receiver.url("/refuses"),
        }.items():
            ids[pattern] = api.post("/v1/endpoints", {"url": url, "secret": SECRET, **LIMITS}).json["id"]
            api.post("/v1/subscriptions", {"endpoint_id": ids[pattern], "topic_pattern": pattern})
        away = publish(api, "away.x", RETRIED)
        publish(api, "refused.x", REFUSED)
        orders = publish(api, "order.paid", ORDERS)
        receiver.wait_for("/away", RETRIED, 900)
        receiver.wait_for("/refuses", REFUSED, 900)
        live.stop()
        arrived = len(counting.arrivals(log))
        assert 0 < arrived < ORDERS, "it was to be moved in the midst of deliveries"

        told = [snapshot(environment, "create", "--dest", str(file))]
        environment |= {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": postgres.url}
        told.append(snapshot(environment, "restore", "--from", str(file)))
        live.environment |= environment
        # What waited ten minutes for its next attempt need not do so here.
        with psycopg.connect(postgres.url) as store:
            [[waiting]] = store.execute(
                "SELECT count(*) FROM jobs WHERE status = 'pending' AND attempt_count = 1"
            ).fetchall()
            store.execute("UPDATE jobs SET next_attempt_at = now() WHERE status = 'pending'")
            store.execute("UPDATE lanes SET wake_at = now() WHERE wake_at IS NOT NULL")
        assert waiting == RETRIED

        live.start()
        api.patch(f"/v1/endpoints/{ids['order.*']}", {"rate_limit_rps": 0, "max_in_flight": 200})
        receiver.wait_for("/away", 2 * RETRIED, 900)
        wait_until_all_arrived(log, orders)
        times = Counter({id: len(moments) for id, moments in counting.arrivals(log).items()})
        assert set(times) == orders
        assert set(times.values()) == {1}
        assert {request.headers["webhook-id"] for request in receiver.at("/away")} == away
        assert len(receiver.at("/refuses")) == REFUSED
        assert counting.forged(log) == 0
        with psycopg.connect(postgres.url) as store:
            letters = store.execute("SELECT reason, count(*) FROM dlq GROUP BY reason").fetchall()
        assert letters == [("http_400", REFUSED)]
        repeat = {"topic": "order.paid", "idempotency_key": "order.paid-7"}
        assert api.post("/v1/events", repeat).status == 200
        assert api.post("/v1/events", {"topic": "order.paid"}).status == 201
    print(
        f"{arrived:,} of {ORDERS:,} had been delivered; the file has {file.stat().st_size / 1e6:.0f} MB.",
        *told,
    )


def publish(api: LiveApi, topic: str, count: int) -> set[str]:
    """The ids of so many events, each with an idempotency key."""
    ids: set[str] = set()
    for start in range(0, count, AT_ONCE):
        events = [
            {"topic": topic, "payload": {"n": n, "text": "x" * 200}, "idempotency_key": f"{topic}-{n}"}
            for n in range(start, start + AT_ONCE)
        ]
        answer = api.post("/v1/events/batch", {"events": events}).json
        assert answer["accepted"] == AT_ONCE
        ids |= {item["id"] for item in answer["items"]}
    return ids


def snapshot(environment: dict[str, str], verb: str, *options: str) -> str:
    """Runs the command, and tells how long it took and how much memory it had at most."""
    command = [sys.executable, str(ROOT / "manage.py"), "snapshot", verb, *options]
    began, megabytes = time.monotonic(), 0.0
    with subprocess.Popen(command, env=os.environ | environment) as working:
        while working.poll() is None:
            megabytes = max(megabytes, peak_of(working.pid))
            time.sleep(0.05)
    assert working.returncode == 0
    assert 0 < megabytes < MOST_MEGABYTES
    return f"{verb}: {time.monotonic() - began:.0f} s, {megabytes:.0f} MB of memory."


def peak_of(pid: int) -> float:
    """Since it was executed; what the kernel tells of a child counts its parent's before that."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        found = None
    return int(found[1]) / 1000 if found else 0.0


def wait_until_all_arrived(log: Path, ids: set[str]) -> None:
    deadline = time.monotonic() + 1800
    while not ids <= set(counting.arrivals(log)):
        assert time.monotonic() < deadline
        time.sleep(2)
