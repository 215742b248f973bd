"""Migrations run beside the version before: they only add, and nobody waits long for them."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from hookline.database import JsonText
from hookline.operations import AddIndexConcurrently, PostgresSQL
from tests.additive import faults_of, is_before_releases
from tests.live import ROOT, new_database
from tests.servers import ENVIRONMENT

APPS = ("deliveries", "hookline", "tenants")


# --- They only add ------------------------------------------------------------------------


def test_every_migration_may_run_while_the_version_before_serves() -> None:
    loader = MigrationLoader(None)
    ours = [
        migration
        for key, migration in loader.disk_migrations.items()
        if key[0] in APPS and not is_before_releases(migration)
    ]

    faults = [
        fault
        for migration in ours
        for fault in faults_of(migration, loader.project_state((migration.app_label, migration.name), False))
    ]
    assert faults == [], "docs/upgrading.md says how to do it instead"


def found(*operations: migrations.operations.base.Operation, **attributes: object) -> list[str]:
    """The faults of a migration with these operations, in the words after its name."""
    state = ProjectState()
    for name in ("Event", "Tenant"):
        fields: list[tuple[str, models.Field[object, object]]] = [
            ("id", models.BigAutoField(primary_key=True)),
            ("topic", models.TextField()),
            ("extra", JsonText()),
        ]
        migrations.CreateModel(name, fields).state_forwards("deliveries", state)
    migration = type("Any", (Migration,), {"operations": operations, **attributes})("9999_any", "deliveries")
    return [fault.partition(": ")[2] for fault in faults_of(migration, state)]


INDEX = models.Index(fields=["topic"], name="by_topic")
SOMETHING = models.IntegerField(null=True)


@pytest.mark.parametrize(
    "operation",
    [
        migrations.CreateModel("Run", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("Event", "size", models.IntegerField(null=True)),
        migrations.AddField("Event", "size", models.IntegerField(db_default=0)),
        migrations.AddIndex("Tenant", INDEX),
        migrations.AlterField("Event", "topic", models.TextField(help_text="in other words")),
        migrations.AlterField("Event", "topic", models.TextField(null=True)),
        PostgresSQL("ALTER TABLE events SET (fillfactor = 90)", ""),
        PostgresSQL("ALTER TABLE events ADD CONSTRAINT c CHECK (id > 0) NOT VALID", ""),
    ],
)
def test_what_only_adds_may_run(operation: migrations.operations.base.Operation) -> None:
    assert found(operation) == []


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (migrations.RemoveField("Event", "topic"), "takes away"),
        (migrations.RenameField("Event", "topic", "name"), "takes away"),
        (migrations.RenameModel("Event", "Happening"), "takes away"),
        (migrations.DeleteModel("Event"), "takes away"),
        (migrations.AlterModelTable("Event", "happenings"), "takes away"),
        (migrations.AddField("Event", "size", models.IntegerField(default=0)), "writes no size"),
        (migrations.AddField("Event", "size", models.IntegerField(null=True, db_index=True)), "under a lock"),
        (migrations.AddIndex("Event", INDEX), "big table"),
        (migrations.RemoveIndex("Event", "by_topic"), "big table"),
        (
            migrations.AddConstraint("Event", models.CheckConstraint(condition=models.Q(id__gt=0), name="c")),
            "big table",
        ),
        (AddIndexConcurrently("Event", INDEX), "atomic = False"),
        (migrations.AlterField("Event", "topic", models.IntegerField()), "changes the type"),
        (migrations.AlterField("Event", "extra", models.TextField()), "changes the type"),
        (migrations.RunPython(migrations.RunPython.noop), "a chore"),
        (migrations.RunSQL("ALTER TABLE events DROP COLUMN topic"), "its SQL"),
        (PostgresSQL("CREATE INDEX by_topic ON events (topic)", ""), "its SQL"),
        (PostgresSQL("UPDATE events SET topic = lower(topic)", ""), "its SQL"),
        (PostgresSQL("ALTER TABLE events ALTER COLUMN topic SET NOT NULL", ""), "its SQL"),
        (PostgresSQL("ALTER TABLE events ADD CONSTRAINT c CHECK (id > 0)", ""), "its SQL"),
        (migrations.SeparateDatabaseAndState([migrations.RemoveField("Event", "topic")]), "takes away"),
    ],
)
@pytest.mark.postgres
def test_what_would_break_or_hold_up_the_version_before_is_told(
    operation: migrations.operations.base.Operation, fault: str
) -> None:
    [told] = found(operation)

    assert fault in told


def test_a_column_must_not_lose_its_nulls_under_who_writes_them() -> None:
    nullable = migrations.AlterField("Event", "topic", models.TextField(null=True))
    strict = migrations.AlterField("Event", "topic", models.TextField())

    assert found(nullable, strict) == ["the version before may still write null to topic"]


def test_what_nothing_has_used_for_a_release_may_go() -> None:
    gone = migrations.RemoveField("Event", "topic")

    assert found(gone, unused_since="2.9") == []
    assert found(gone, unused_since="99.0") != []
    assert found(AddIndexConcurrently("Event", INDEX), atomic=False) == []


# --- Nobody waits long for them -----------------------------------------------------------


@pytest.fixture
def earlier() -> Iterator[str]:
    """A database of an earlier version: the migrations after it have still to change `events`."""
    url = new_database("earlier")
    assert migrate(url, "deliveries", "0002").returncode == 0
    yield url
    with psycopg.connect(settings.HL_POSTGRES_URL, autocommit=True) as connection:
        connection.execute("DROP DATABASE earlier (FORCE)")


def migrate(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", *words],
        env=ENVIRONMENT | {"HL_STORE_BACKEND": "postgres", "HL_POSTGRES_URL": url},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


ANYBODY = "SELECT 1 FROM events LIMIT 1"
BEHIND = "SELECT 1 FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted"


@pytest.mark.postgres
def test_a_migration_lets_others_pass_while_it_waits_for_a_table(earlier: str) -> None:
    outcome: list[subprocess.CompletedProcess[str]] = []
    with (
        psycopg.connect(earlier) as reader,
        psycopg.connect(earlier, autocommit=True, prepare_threshold=None) as publisher,
    ):
        reader.execute(ANYBODY)  # and its transaction goes on
        migrating = threading.Thread(target=lambda: outcome.append(migrate(earlier)))
        migrating.start()
        while not publisher.execute(BEHIND).fetchone():
            time.sleep(0.02)
        publisher.execute(ANYBODY)  # who came after it is served before it
        assert migrating.is_alive()
        reader.rollback()
        migrating.join()

    [ended] = outcome
    assert ended.returncode == 0
    assert "letting others pass" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.postgres
def test_of_two_that_migrate_at_once_one_waits_and_finds_nothing_left(earlier: str) -> None:
    outcomes: list[subprocess.CompletedProcess[str]] = []
    both = [threading.Thread(target=lambda: outcomes.append(migrate(earlier))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert [ended.returncode for ended in outcomes] == [0, 0], [ended.stderr for ended in outcomes]
    assert sum("Applying deliveries.0003" in ended.stdout for ended in outcomes) == 1


@pytest.mark.postgres
def test_an_index_that_was_interrupted_is_made_anew(earlier: str) -> None:
    assert migrate(earlier, "deliveries", "0004").returncode == 0
    with psycopg.connect(earlier, autocommit=True) as connection:
        connection.execute("CREATE INDEX dlq_newest ON dlq (reason)")

    assert migrate(earlier).returncode == 0
    with psycopg.connect(earlier) as connection:
        [told] = connection.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'dlq_newest'"
        ).fetchone() or [""]
        assert "created_at DESC" in told


@pytest.mark.postgres
def test_a_store_that_cannot_be_migrated_is_told_in_a_sentence() -> None:
    ended = migrate("postgres://nobody@127.0.0.1:1/hookline")

    assert ended.returncode == 2
    assert ended.stderr.startswith("hookline: HL_POSTGRES_URL: PostgreSQL cannot be reached")
