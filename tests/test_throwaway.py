"""Throw-away servers come up empty, can be stopped and crashed, and never outlive who started them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from redis.backoff import NoBackoff

from hookline import throwaway
from tests import installation

pytestmark = pytest.mark.embedded

STARTS_TWO_AND_WAITS = """
from hookline import throwaway
servers = [throwaway.start_postgres(), throwaway.start_redis()]
print(*(server.pid for server in servers), *(server.path for server in servers), flush=True)
input()
"""
GONE_WITHIN_SECONDS = 20


def test_postgres_keeps_what_was_committed_through_a_restart_and_a_crash() -> None:
    with throwaway.start_postgres() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (at text)")
        for name, ending in (("restart", server.stop), ("crash", server.kill)):
            with psycopg.connect(server.url) as connection:
                connection.execute("INSERT INTO kept VALUES (%s)", [name])
            ending()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(server.url)
            server.start()

        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT at FROM kept").fetchall() == [("restart",), ("crash",)]


def test_the_role_of_the_url_may_create_databases_and_is_no_superuser() -> None:
    with throwaway.start_postgres(is_durable=False) as server, psycopg.connect(server.url) as connection:
        question = "SELECT rolcreatedb, rolsuper FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(question).fetchone() == (True, False)


def test_parameters_reach_the_server() -> None:
    with throwaway.start_redis(maxmemory="7mb") as server, redis.Redis(port=server.port) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(7 * 1024 * 1024)}
    with throwaway.start_postgres(work_mem="7MB") as database, psycopg.connect(database.url) as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)


def test_a_standby_follows_and_takes_over_behind_a_pooler() -> None:
    installation.ensure("pgbouncer")
    with (
        throwaway.start_postgres() as primary,
        throwaway.start_standby(primary) as standby,
        throwaway.start_pgbouncer(primary, server_login_retry=1) as pooler,
    ):
        primary.wait_for_standby()
        with psycopg.connect(pooler.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS at")
        primary.kill()
        standby.promote()
        pooler.turn_to(standby)
        with psycopg.connect(pooler.url) as connection:
            assert connection.execute("INSERT INTO kept VALUES (2) RETURNING at").fetchall() == [(2,)]
            assert connection.execute("SELECT at FROM kept ORDER BY at").fetchall() == [(1,), (2,)]


def test_a_paused_redis_takes_connections_and_answers_nothing() -> None:
    once = redis.retry.Retry(NoBackoff(), retries=0)
    with (
        throwaway.start_redis() as server,
        redis.Redis(port=server.port, socket_timeout=0.2, retry=once) as client,
    ):
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.resume()
        assert client.ping()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing() -> None:
    with pytest.raises(throwaway.NotStarted, match="no_such_parameter") as refusal:
        throwaway.start_postgres(no_such_parameter=1)
    assert not Path(str(refusal.value).partition("-D ")[2].partition("/data")[0]).exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_process_that_is_killed(number: signal.Signals) -> None:
    command = [sys.executable, "-c", STARTS_TWO_AND_WAITS]
    with subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        postgres, redis, *directories = process.stdout.readline().split()
        process.send_signal(number)

    left = [Path("/proc", postgres), Path("/proc", redis), *map(Path, directories)]
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while any(path.exists() for path in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [path for path in left if path.exists()] == []


def test_a_directory_goes_with_all_that_is_in_it() -> None:
    with throwaway.Directory() as directory:
        assert list(directory.path.iterdir()) == []
        (directory.path / "deep").mkdir()
        (directory.path / "deep" / "file").write_text("kept until the end")
    assert not directory.path.exists()
