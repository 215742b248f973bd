"""Snapshots: all of a store to a file, and from there into an empty store of either kind."""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from django.apps import apps
from django.conf import settings

from hookline import snapshot, throwaway
from hookline.progress import unseen
from hookline.snapshot.tables import HELD, LEFT_OUT
from tests import installation
from tests.live import ROOT, LiveServer
from tests.receiver import Receiver, Reply

EVENTS = 10
PATHS = ("/well", "/away", "/refuses")
MAKE_VIEWER: LiteralString = """
INSERT INTO auth_user_groups (user_id, group_id)
SELECT u.id, g.id FROM auth_user u, auth_group g WHERE g.name = 'viewer' RETURNING id
"""
VIEWERS: LiteralString = """
SELECT username FROM auth_user u JOIN auth_user_groups m ON m.user_id = u.id
JOIN auth_group g ON g.id = m.group_id
WHERE g.name = 'viewer' AND EXISTS (SELECT 1 FROM auth_group_permissions p WHERE p.group_id = g.id)
"""
KEPT = '{"b":1.50,"a":"\\u0000","a":1e400}'


@pytest.fixture(scope="module")
def postgres() -> Iterator[throwaway.Postgres]:
    installation.ensure("postgresql")
    with throwaway.start_postgres(is_durable=False) as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "all.snapshot"


class Store:
    """An empty store, with a server on it if one is started."""

    def __init__(self, **environment: str) -> None:
        self.directory = throwaway.Directory()
        self.environment = {"HL_DATA_DIR": str(self.directory.path), **environment}

    def serve(self) -> LiveServer:
        return LiveServer(**self.environment, HL_RETRY_SCHEDULE="8s 8s")

    def snapshot(self, *arguments: object, status: int = 0, **environment: str) -> str:
        """What `manage.py snapshot` says."""
        command = [sys.executable, str(ROOT / "manage.py"), "snapshot", *map(str, arguments)]
        given = os.environ | self.environment | environment
        ended = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
        assert ended.returncode == status, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr + ended.stdout

    def kill_at(self, part: str, *arguments: object) -> None:
        """Kills `manage.py snapshot`, which lingers, as soon as it says that it is done with this part."""
        command = [sys.executable, str(ROOT / "manage.py"), "snapshot", *map(str, arguments)]
        lingering = {"HL_THROWAWAY": "true", "HL_FAILPOINTS": "snapshot_table=sleep:0.1"}
        given = os.environ | self.environment | lingering
        with subprocess.Popen(command, env=given, stderr=subprocess.PIPE) as working:
            assert working.stderr
            while not working.stderr.readline().startswith(f"{part} ".encode()):
                assert working.poll() is None
            working.kill()

    def ask(self, sql: LiteralString) -> list[tuple[Any, ...]]:
        if url := self.environment.get("HL_POSTGRES_URL"):
            with psycopg.connect(url) as store:
                return store.execute(sql).fetchall()
        with sqlite3.connect(self.directory.path / "hookline.sqlite3") as file:
            return file.execute(sql).fetchall()

    def close(self) -> None:
        self.directory.close()


@pytest.fixture
def stores(postgres: throwaway.Postgres) -> Iterator[list[Store]]:
    """The store that this run of the tests is about, and one of the other kind."""
    embedded = Store(HL_STORE_BACKEND="embedded")
    pooled = Store(HL_STORE_BACKEND="postgres", HL_POSTGRES_URL=fresh_database(postgres))
    yield [embedded, pooled] if settings.EMBEDDED else [pooled, embedded]
    embedded.close()
    pooled.close()


def fresh_database(server: throwaway.Postgres) -> str:
    name = f"copy_{os.urandom(4).hex()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.url.removesuffix("hookline") + name


def fill(live: LiveServer, receiver: Receiver) -> str:
    """A tenant with deliveries made, waiting for a retry and given up; returns its key."""
    receiver.reply("/away", *[Reply(503)] * EVENTS)
    receiver.reply("/refuses", *[Reply(400)] * EVENTS)
    api = live.tenant()
    for path in PATHS:
        endpoint = {"url": receiver.url(path), "secret": "whsec_" + "A" * 44, "max_in_flight": 100}
        endpoint_id = api.post("/v1/endpoints", endpoint).json["id"]
        api.post("/v1/subscriptions", {"endpoint_id": endpoint_id, "topic_pattern": "#"})
    for number in range(EVENTS):
        body = b'{"topic":"a.b","idempotency_key":"%d","payload":%b}' % (number, KEPT.encode())
        assert api.post("/v1/events", body).status == 201
    for path in PATHS:
        receiver.wait_for(path, EVENTS)
    return api.token


def test_the_other_store_goes_on_where_this_one_ended(
    stores: list[Store], receiver: Receiver, file: Path
) -> None:
    source, target = stores
    with closing(source.serve()) as live:
        token = fill(live, receiver)
        live.stop()
        source.ask(MAKE_VIEWER)
        source.snapshot("create", "--dest", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "All sums agree" in target.snapshot("restore", "--from", file, "--validate-only")
    assert "All sums agree" in target.snapshot("restore", "--from", file)
    assert target.ask(VIEWERS) == source.ask(VIEWERS) == [("admin",)]

    with closing(target.serve()) as live:
        api = live.api(token)  # keys came along
        retried = receiver.wait_for("/away", 2 * EVENTS)
        assert api.get("/v1/dlq").json["count"] == EVENTS
        # The same deliveries, of the same bytes, signed with the same secret.
        first, second = retried[:EVENTS], retried[EVENTS:]
        assert {r.headers["webhook-id"] for r in first} == {r.headers["webhook-id"] for r in second}
        assert all(KEPT.encode() in request.body for request in retried)
        # What was delivered, or given up, is not sent again; a key of idempotency still holds.
        assert api.post("/v1/events", {"topic": "a.b", "idempotency_key": "7"}).status == 200
        assert api.post("/v1/events", {"topic": "a.b"}).status == 201
        receiver.wait_for("/well", EVENTS + 1)
    assert len(receiver.at("/well")) == len(receiver.at("/refuses")) == EVENTS + 1

    # And back: a store that is in use takes nothing.
    assert "in use" in target.snapshot("restore", "--from", file, status=2)


def test_it_can_be_killed_and_done_again(stores: list[Store], receiver: Receiver, file: Path) -> None:
    source, target = stores
    with closing(source.serve()) as live:
        fill(live, receiver)
        source.kill_at("events", "create", "--dest", file)
        assert not file.exists()
        source.snapshot("create", "--dest", file)
    for part in ("events", "events, compared"):
        target.kill_at(part, "restore", "--from", file)
        assert target.ask("SELECT id FROM events") == []
    target.snapshot("restore", "--from", file)
    assert len(target.ask("SELECT id FROM events")) == EVENTS
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_every_model_is_held_or_left_out_for_a_reason() -> None:
    models = apps.get_models(include_auto_created=True)
    assert set(models) - set(HELD) - set(LEFT_OUT) == set(), "say in snapshot/tables.py what becomes of these"
    assert not set(HELD) & set(LEFT_OUT)


def test_it_is_of_one_moment_while_events_come_in(
    stores: list[Store], receiver: Receiver, file: Path
) -> None:
    source, target = stores
    with closing(source.serve()) as live:
        api, is_over = live.tenant(), threading.Event()
        endpoint = api.post("/v1/endpoints", {"url": receiver.url("/well")}).json
        api.post("/v1/subscriptions", {"endpoint_id": endpoint["id"], "topic_pattern": "#"})
        statuses: list[int] = []

        def publish() -> None:
            while not is_over.is_set():
                statuses.append(api.post("/v1/events", {"topic": "a"}).status)

        publisher = threading.Thread(target=publish)
        publisher.start()
        receiver.wait_for("/well", 5)
        source.snapshot("create", "--dest", file)
        is_over.set()
        publisher.join()
    assert set(statuses) == {201}

    target.snapshot("restore", "--from", file)
    rows: dict[str, int] = {}
    for line in gzip.decompress(file.read_bytes()).splitlines():
        if line.startswith(b'{"table"'):
            table = json.loads(line)
            rows[table["table"]] = table["rows"]
    assert rows["events"] == rows["jobs"] > 0


def test_what_is_damaged_or_sealed_with_another_key_changes_nothing(
    stores: list[Store], receiver: Receiver, file: Path
) -> None:
    source, target = stores
    with closing(source.serve()) as live:
        fill(live, receiver)
        live.stop()
        source.snapshot("create", "--dest", file)
    assert "exists already" in source.snapshot("create", "--dest", file, status=2)
    whole = file.read_bytes()
    text = gzip.decompress(whole)
    assert b"whsec_" not in text

    faults = {
        b"no gzip": "damaged",
        whole[: len(whole) // 2]: "damaged",
        gzip.compress(text[: text.rindex(b"{")]): "end",
        gzip.compress(text.replace(b"a.b", b"a.c", 1)): "rows are missing or were changed",
        gzip.compress(text.replace(b'"version":1', b'"version":9', 1)): "another version",
        gzip.compress(b'{"other":1}\n'): "no snapshot of HookLine",
        # Everything but the last line is right, so that all had been loaded when it was seen.
        gzip.compress(
            text[:-20] + (b"1" if text[-20:-19] == b"0" else b"0") + text[-19:]
        ): "checksum is another",
    }
    for content, sentence in faults.items():
        file.write_bytes(content)
        with pytest.raises(snapshot.BadSnapshot, match=sentence):
            snapshot.validate(file, unseen)
    assert faults[content] in target.snapshot("restore", "--from", file, status=2)

    file.write_bytes(whole)
    told = target.snapshot("restore", "--from", file, status=2, HL_MASTER_KEY="1" * 64)
    assert "HL_MASTER_KEY does not open" in told
    assert "No such file" in target.snapshot("restore", "--from", file.with_name("other"), status=2)
    # None of these left anything behind, or this would be refused.
    target.snapshot("restore", "--from", file)
