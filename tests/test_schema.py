"""The SQL file, and what the database's user may be allowed: with psql and servers of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from hookline import schema, throwaway
from tests.live import ROOT, LiveServer, new_database
from tests.receiver import Receiver

pytestmark = pytest.mark.postgres

DML = "SELECT, INSERT, UPDATE, DELETE"


@pytest.fixture
def server() -> Iterator[throwaway.Postgres]:
    """One of whose superuser we are, unlike that of the other tests."""
    with throwaway.start_postgres(is_durable=False) as server:
        yield server


def as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}@{parts.hostname}:{parts.port}").geturl()


def load(url: str) -> None:
    psql = throwaway.postgres_programs() / "psql"
    subprocess.run([psql, "-q", "-v", "ON_ERROR_STOP=1", "-f", schema.FILE, url], check=True)


def assert_delivers(live: LiveServer, receiver: Receiver) -> None:
    api = live.tenant()
    endpoint = api.post("/v1/endpoints", {"url": receiver.url("/hook")}).json
    api.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
    assert api.post("/v1/events", {"topic": "a"}).status == 201
    receiver.wait_for("/hook", 1)


@pytest.mark.django_db
def test_the_file_is_what_the_migrations_say() -> None:
    assert schema.FILE.read_text() == schema.sql(), "Run: manage.py write_sql"


def test_a_server_finds_nothing_to_migrate_after_the_file_was_loaded(receiver: Receiver) -> None:
    url = new_database("from_file")
    load(url)
    with psycopg.connect(url) as connection:
        before = connection.execute("SELECT app, name, applied FROM django_migrations").fetchall()
    with closing(LiveServer(HL_POSTGRES_URL=url)) as live:
        assert_delivers(live, receiver)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT app, name, applied FROM django_migrations").fetchall() == before


@pytest.mark.parametrize("loads_file", [True, False])
def test_who_may_not_create_in_public_gets_a_schema_of_their_own(
    server: throwaway.Postgres, receiver: Receiver, loads_file: bool
) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
        connection.execute("GRANT CREATE ON DATABASE hookline TO plain")
    url = as_user(server.url, "plain")
    if loads_file:
        load(url)
    with closing(LiveServer(HL_POSTGRES_URL=url)) as live:
        assert_delivers(live, receiver)
    with psycopg.connect(server.url) as connection:
        places = connection.execute("SELECT DISTINCT schemaname FROM pg_tables WHERE tableowner = 'plain'")
        assert places.fetchall() == [("plain",)]


def test_four_rights_are_enough_to_run_what_another_user_installed(
    server: throwaway.Postgres, receiver: Receiver
) -> None:
    load(server.url)
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE worker LOGIN")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"GRANT {DML} ON ALL TABLES IN SCHEMA public TO worker")
    with closing(LiveServer(HL_POSTGRES_URL=as_user(server.url, "worker"))) as live:
        assert_delivers(live, receiver)


def test_who_may_create_nowhere_is_told_so(server: throwaway.Postgres) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE nobody_special LOGIN")
    given = {"HL_POSTGRES_URL": as_user(server.url, "nobody_special"), "HL_PORT": str(throwaway.free_port())}
    command = [sys.executable, str(ROOT / "manage.py"), "serve"]
    ended = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "permission denied" in ended.stderr
    assert "GRANT CREATE" in ended.stderr
    assert "Traceback" not in ended.stderr
