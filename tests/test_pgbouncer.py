"""A PgBouncer in transaction mode between HookLine and PostgreSQL, with fewer connections than clients.

`make test-pgbouncer` runs the whole suite through one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from hookline import throwaway
from tests import installation
from tests.live import ROOT, LiveServer
from tests.receiver import Receiver, Reply

pytestmark = pytest.mark.postgres

CONNECTIONS = 3
PUBLISHERS, EVENTS = 8, 10
TELLS_WHAT_IT_SEES = """
import django; django.setup()
from django.db import connection
from hookline import database
print(database.is_direct(), connection.connection.prepare_threshold)
"""


@pytest.fixture(scope="module")
def pooler() -> Iterator[throwaway.PgBouncer]:
    installation.ensure("pgbouncer")
    with (
        throwaway.start_postgres(is_durable=False) as postgres,
        throwaway.start_pgbouncer(postgres, default_pool_size=CONNECTIONS) as pooler,
    ):
        yield pooler


def test_it_is_noticed_and_nothing_is_prepared_behind_it(pooler: throwaway.PgBouncer) -> None:
    seen = {}
    direct = pooler.url.replace(str(pooler.port), str(pooler.before.port))
    for name, url in {"pooled": pooler.url, "direct": direct}.items():
        given = {"HL_POSTGRES_URL": url, "DJANGO_SETTINGS_MODULE": "hookline.settings"}
        command = [sys.executable, "-c", TELLS_WHAT_IT_SEES]
        told = subprocess.run(command, env=os.environ | given, cwd=ROOT, capture_output=True, check=True)
        seen[name] = told.stdout.decode().split()
    assert seen == {"pooled": ["False", "None"], "direct": ["True", "2"]}


def test_the_whole_line_works_through_it(pooler: throwaway.PgBouncer, receiver: Receiver) -> None:
    receiver.reply("/gone", *[Reply(400)] * PUBLISHERS * EVENTS)
    with closing(LiveServer(HL_POSTGRES_URL=pooler.url)) as live:
        api = live.tenant()
        for path in ("/hook", "/gone"):
            endpoint = api.post("/v1/endpoints", {"url": receiver.url(path), "max_in_flight": 5}).json
            api.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})

        def publish(number: int) -> list[int]:
            """Every publisher publishes the same events, so that each one's key is raced for."""
            return [
                api.post("/v1/events", {"topic": "a", "idempotency_key": f"{n}"}).status
                for n in range(EVENTS)
            ]

        with ThreadPoolExecutor(PUBLISHERS) as threads:
            statuses = [status for found in threads.map(publish, range(PUBLISHERS)) for status in found]
        assert set(statuses) <= {200, 201}
        assert statuses.count(201) == EVENTS
        receiver.wait_for("/hook", EVENTS)
        receiver.wait_for("/gone", EVENTS)

        direct = f"postgres://hookline@127.0.0.1:{pooler.before.port}/hookline"
        with psycopg.connect(direct, autocommit=True) as connection:
            counted = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'hookline'")
            assert 1 < counted.fetchall()[0][0] <= CONNECTIONS + 1
    assert len(receiver.at("/hook")) == EVENTS
    with psycopg.connect(direct) as connection:
        assert connection.execute("SELECT count(*) FROM dlq").fetchall() == [(EVENTS,)]
