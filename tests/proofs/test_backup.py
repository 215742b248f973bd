"""A dump that was made under load is restored after everything was lost, and what it holds is delivered."""

import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from hookline import throwaway
from hookline.bench import stage
from hookline.chaos import receiver
from hookline.chaos.fleet import Fleet, fleet
from hookline.chaos.play import receiving
from hookline.chaos.producer import Producer
from hookline.chaos.verdict import wait_for_the_end
from tests import installation

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(900)]

HOLD = "UPDATE switches SET is_on = %s WHERE name = 'claims_paused'"


def test_what_was_accepted_before_the_dump_is_delivered_after_the_restore(tmp_path: Path) -> None:
    installation.ensure("postgresql", "redis-server")
    programs, dump = throwaway.postgres_programs(), tmp_path / "backup.dump"
    layout = {"web": 1, "worker": 1}
    with receiving() as (port, log), fleet("postgres", port, layout, {}) as (started, servers):
        assert servers.postgres
        url = servers.postgres.url
        hold(url, True)
        producer = Producer(started.port, stage.KEY, 100)
        time.sleep(10)
        before = set(producer.books.acked)
        subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
        time.sleep(2)
        producer.stop()
        hold(url, False)
        assert wait_for_the_end(started, producer.books, lambda: receiver.arrivals(log), 120)
        delivered = set(receiver.arrivals(log))

        started.close()
        destroy(servers.postgres)
        subprocess.run([programs / "pg_restore", "--no-owner", f"--dbname={url}", dump], check=True)
        log.write_text("")
        started.start()
        hold(url, False)
        wait_until_nothing_is_open(started)

        again = set(receiver.arrivals(log))
    assert before <= again <= set(producer.books.acked)
    print(f"{len(producer.books.acked)} events, {len(before)} before the dump, {len(again)} in it.")
    print(f"Delivered again under the same id: {len(again & delivered)}.")
    assert again <= delivered


def hold(url: str, is_on: bool) -> None:
    """Whether deliveries are paused."""
    with psycopg.connect(url) as store:
        if not store.execute(HOLD, [is_on]).rowcount:
            store.execute("INSERT INTO switches VALUES ('claims_paused', %s, now())", [is_on])


def destroy(postgres: throwaway.Postgres) -> None:
    with psycopg.connect(postgres.superuser_url, autocommit=True) as server:
        server.execute("DROP DATABASE hookline WITH (FORCE)")
        server.execute("CREATE DATABASE hookline OWNER hookline")


def wait_until_nothing_is_open(started: Fleet) -> None:
    deadline = time.monotonic() + 120
    while started.rows("SELECT count(*) FROM jobs WHERE status IN ('pending', 'running')")[0][0]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
