"""Each check of the doctor against the real thing: what is broken is told, and the fix it names works."""

import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as installed
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from redis import Redis

from deliveries import stats
from deliveries.models import Alert, Job, Notice, Run
from deliveries.sending.guard import parse_allow
from hookline import throwaway
from hookline.database import now, rows
from hookline.doctor import (
    alerts,
    broker,
    clock,
    configuration,
    disk,
    egress,
    keys,
    migrations,
    rights,
    store,
    upkeep,
    work,
)
from hookline.doctor.findings import Ask, Findings
from hookline.environment import Environment
from hookline.heartbeat import Heartbeat
from hookline.models import Process, Switch
from tenants.models import Tenant
from tests.factories import deliver, let_time_pass, make_endpoint, make_subscription, publish
from tests.live import LiveServer, directly, new_database
from tests.queueing import give, make_target, take
from tests.receiver import Receiver
from tests.running import start

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MEBIBYTE = 2**20


def levels(findings: Findings) -> list[str]:
    return [str(finding.level) for finding in findings]


def sentences(findings: Findings) -> list[tuple[str, str]]:
    return [(str(finding.level), finding.sentence) for finding in findings]


# --- Rights -------------------------------------------------------------------------------


def as_user(url: str, user: str) -> psycopg.Connection:
    place = urlsplit(directly(url))
    place = place._replace(netloc=f"{user}@{place.hostname}:{place.port}")
    return psycopg.connect(place.geturl(), autocommit=True)


def asking(connection: psycopg.Connection) -> Ask:
    return lambda *question: connection.execute(*question).fetchall()


@pytest.fixture
def newcomer(request: pytest.FixtureRequest) -> Iterator[str]:
    """A user of the server who may nothing yet."""
    with as_user(installed.HL_POSTGRES_URL, "postgres") as owner:
        owner.execute("CREATE ROLE newcomer LOGIN")
        yield "newcomer"
        owner.execute("DROP OWNED BY newcomer")
        owner.execute("DROP ROLE newcomer")


@pytest.mark.postgres
def test_each_right_that_is_missing_is_told_with_the_grant_that_gives_it(
    live: LiveServer, newcomer: str
) -> None:
    url = live.environment["HL_POSTGRES_URL"]
    with as_user(url, "postgres") as owner, as_user(url, newcomer) as theirs:
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {newcomer}")
        found = list(rights.rights(asking(theirs)))

        errors = [finding for finding in found if finding.level == "error"]
        missing = [finding.sentence.split()[4] for finding in errors]
        assert missing == ["INSERT", "UPDATE", "DELETE"]
        assert "may not INSERT in " in errors[0].sentence
        for finding in errors:
            owner.execute(finding.fix.partition("As the owner: ")[2])
        assert levels(rights.rights(asking(theirs))) == ["ok", "warning"]
        owner.execute(f"DROP OWNED BY {newcomer}")


@pytest.fixture
def empty(newcomer: str) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
    """An empty database, as its owner and as the newcomer see it."""
    url = new_database("of_newcomer")
    with as_user(url, "postgres") as owner, as_user(url, newcomer) as theirs:
        owner.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # as PostgreSQL 15 has it
        yield owner, theirs
        owner.execute(f"DROP OWNED BY {newcomer}")
    with as_user(installed.HL_POSTGRES_URL, "postgres") as owner:
        owner.execute("DROP DATABASE of_newcomer")


Two = tuple[psycopg.Connection, psycopg.Connection]


@pytest.mark.postgres
def test_a_public_schema_without_create_is_told_with_the_grant_that_gives_it(empty: Two) -> None:
    owner, theirs = empty
    [finding] = rights.rights(asking(theirs))
    assert finding.level == "error"
    assert finding.sentence.startswith("User newcomer may not create tables in schema public.")
    where, _, grant = finding.fix.partition(": ")
    assert where == "As the owner, in database of_newcomer"

    owner.execute(grant)

    may = ("ok", "User newcomer may create the tables, in schema public.")
    assert sentences(rights.rights(asking(theirs))) == [may]


@pytest.mark.postgres
def test_who_may_make_a_schema_is_told_that_migrating_makes_one(empty: Two) -> None:
    owner, theirs = empty
    owner.execute("GRANT CREATE ON DATABASE of_newcomer TO newcomer")

    [(level, sentence)] = sentences(rights.rights(asking(theirs)))

    assert level == "ok"
    assert "in a schema of the name newcomer" in sentence


@pytest.mark.postgres
def test_a_search_path_that_somebody_emptied_is_told(live: LiveServer) -> None:
    """As pg_dump leaves it behind in a connection that a pooler then hands on."""
    with as_user(live.environment["HL_POSTGRES_URL"], "hookline") as theirs:
        theirs.execute("SELECT set_config('search_path', '', false)")

        [(level, sentence)] = sentences(rights.rights(asking(theirs)))

    assert (level, sentence.partition(":")[0]) == ("error", "The search_path of this connection is empty")


# --- Migrations ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_migrations_that_wait_or_come_from_the_future_are_named() -> None:
    applied = MigrationRecorder(connection).migration_qs
    latest = applied.filter(app="deliveries").latest("name")
    applied.filter(pk=latest.pk).delete()
    applied.create(app="deliveries", name="9999_what_will_be")

    assert sentences(migrations.migrations()) == [
        ("error", f"1 migration waits: deliveries.{latest.name}."),
        ("warning", "A newer program has migrated the store: deliveries.9999_what_will_be."),
    ]


# --- Keys ---------------------------------------------------------------------------------

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({1: OLD}, ("ok", "Key 1 opens what it sealed: 3 secrets.")),
        ({1: NEW}, ("error", "Key 1 of HL_MASTER_KEY does not open what bears its number: 3 secrets.")),
        (
            {2: NEW},
            (
                "error",
                "3 secrets are sealed with key 1, which HL_MASTER_KEY lacks.",
            ),
        ),
        ({2: NEW, 1: OLD}, ("warning", "3 secrets are still sealed with key 1.")),
    ],
    ids=["the key", "another key", "another number", "both keys"],
)
def test_a_master_key_is_tried_on_what_is_stored(
    acme: Tenant, settings: Any, given: dict[int, bytes], expected: tuple[str, str]
) -> None:
    settings.HL_MASTER_KEY = {1: OLD}
    for number in range(2):
        make_endpoint(acme, "https://example.com", secret=f"secret {number}")
    make_endpoint(acme, "https://example.com", headers={"authorization": "x"})
    settings.HL_MASTER_KEY = given

    assert sentences(keys.keys(rows)) == [expected]


@pytest.mark.django_db
def test_a_store_without_secrets_asks_for_no_key() -> None:
    assert sentences(keys.keys(rows)) == [("ok", "No secret is stored yet.")]


# --- The line -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_whether_something_delivers_is_told_by_who_says_so() -> None:
    assert sentences(work.workers()) == [("warning", "No process delivers.")]
    for _ in range(2):
        Heartbeat("worker").beat(in_flight=3)
    assert sentences(work.workers()) == [("ok", "2 processes deliver, on 1 host, with 6 requests under way.")]

    first = Process.objects.order_by("id")[0]
    Process.objects.filter(id=first.id).update(seen_at=now() - timedelta(minutes=1))
    Heartbeat("streams").beat()
    Process.objects.filter(kind="streams").update(version="2.1.0")

    told = sentences(work.workers())
    assert [level for level, _ in told] == ["ok", "warning", "warning"]
    assert "versions 2.1.0 and 3" in told[1][1]
    assert f"worker {first.pid} on {first.host} was last heard of at" in told[2][1]


@pytest.mark.django_db(transaction=True)
def test_a_due_delivery_that_nobody_makes_is_told(acme: Tenant, receiver: Receiver) -> None:
    make_subscription(make_endpoint(acme, receiver.url()))
    assert levels(work.progress()) == ["ok"]
    publish(acme, {"topic": "a"})
    let_time_pass()

    [finding] = work.progress()
    assert finding.level == "error"
    assert "nothing was ever attempted" in finding.sentence
    Switch.objects.create(name=Switch.CLAIMS_PAUSED, is_on=True)
    assert levels(work.progress()) == ["warning"]
    Switch.objects.all().delete()

    deliver()

    assert levels(work.progress()) == ["ok"]


@pytest.mark.django_db
def test_a_job_that_may_not_be_delivered_now_is_not_late(acme: Tenant, globex: Tenant) -> None:
    off = make_target(acme)
    give(off)
    give(make_target(globex))
    let_time_pass()
    assert stats.oldest_due().keys() == {"acme", "globex"}

    off.is_enabled = False
    off.save()
    take()  # which parks the lane

    assert stats.oldest_due() == {}


@pytest.mark.django_db
def test_a_lease_that_nobody_takes_back_is_told(acme: Tenant) -> None:
    give(make_target(acme))
    [job] = take()
    Job.objects.filter(id=job.id).update(lease_until=now() - timedelta(minutes=5))

    told = sentences(work.progress())

    assert told[-1] == ("error", "1 job is owned by workers that are gone: nobody takes them back.")


@pytest.mark.django_db
def test_a_run_that_failed_is_told_of(acme: Tenant) -> None:
    run = start(Run.Verb.REQUEUE, acme)
    assert levels(work.runs()) == ["ok"]
    Run.objects.filter(id=run.id).update(state=Run.State.FAILED)
    [finding] = work.runs()
    assert (finding.level, finding.sentence) == ("warning", "1 run of dead letters or events failed.")


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("late", "idle", "level"),
    [
        (timedelta(seconds=5), timedelta(hours=1), "ok"),
        (timedelta(minutes=1), timedelta(seconds=1), "warning"),
        (timedelta(minutes=6), timedelta(seconds=1), "error"),
        (timedelta(minutes=1), timedelta(minutes=1), "error"),
    ],
)
def test_how_late_is_too_late_depends_on_whether_anything_gets_done(
    late: timedelta, idle: timedelta, level: str
) -> None:
    assert levels(work.lateness(late, NOON, NOON - idle)) == [level]


# --- PostgreSQL over the weeks ------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_transaction_that_stays_open_is_told_with_what_ends_it() -> None:
    with psycopg.connect(installed.HL_POSTGRES_URL) as sleeper:
        sleeper.execute("SELECT 1")
        [(pid,)] = sleeper.execute("SELECT pg_backend_pid()").fetchall()
        found = [finding for finding in upkeep.transactions(rows, 0) if f"process {pid} " in finding.fix]
        assert levels(iter(found)) == ["warning"]

        rows(found[0].fix.partition(": ")[2].rstrip(";"))

        with pytest.raises(psycopg.OperationalError):
            sleeper.execute("SELECT 1")
        sleeper.close()
    assert levels(upkeep.transactions(rows)) == ["ok"]


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_table_without_autovacuum_is_told_with_what_mends_it() -> None:
    rows("ALTER TABLE jobs SET (autovacuum_enabled = false)")
    [finding] = (one for one in upkeep.vacuum(rows) if one.level != "ok")
    assert finding.sentence == "autovacuum is off for table jobs."

    rows(finding.fix)

    assert levels(upkeep.vacuum(rows)) == ["ok"]


@pytest.mark.postgres
@pytest.mark.django_db
def test_connections_are_counted() -> None:
    [(level, sentence)] = sentences(upkeep.connections(rows))
    assert level == "ok"
    assert sentence.endswith(" of 297 connections are in use.")


@pytest.mark.postgres
@pytest.mark.django_db
def test_more_connections_than_there_are_is_told(settings: Any) -> None:
    settings.HL_WEB_WORKERS, settings.HL_WORKER_PROCESSES, settings.HL_STORE_POOL_SIZE = 30, 20, 8
    told = sentences(upkeep.connections(rows))
    assert told[0] == ("warning", "The processes of this host alone may ask for 400 of 297 connections.")


@pytest.mark.embedded
def test_a_database_far_away_is_told() -> None:
    near: Ask = lambda *question: []  # noqa: E731

    def far(*question: object) -> list[Any]:
        time.sleep(0.03)
        return []

    assert levels(store.distance(near)) == []
    assert levels(store.distance(far)) == ["warning"]


# --- The clock ----------------------------------------------------------------------------


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (0.5, ("ok", "This machine's clock agrees with the database's.")),
        (1.9, ("ok", "This machine's clock agrees with the database's.")),
        (4, ("warning", "This machine's clock is 3.0 s behind the database's.")),
        (-2, ("warning", "This machine's clock is 2.0 s ahead of the database's.")),
        (-60, ("error", "This machine's clock is 60.0 s ahead of the database's. Streams miss events.")),
    ],
)
def test_a_clock_is_compared_less_the_time_of_the_question(theirs: float, expected: tuple[str, str]) -> None:
    before, after = NOON, NOON + timedelta(seconds=1)
    assert sentences(clock.compared(before, NOON + timedelta(seconds=theirs), after)) == [expected]


# --- The broker ---------------------------------------------------------------------------

StartRedis = Callable[..., throwaway.Redis]


@pytest.fixture
def redis_with(redis_server: throwaway.Redis) -> Iterator[StartRedis]:
    """A Redis of its own, as `redis_server` has seen to it that there is one to start."""
    started: list[throwaway.Redis] = []

    def start(**parameters: object) -> throwaway.Redis:
        started.append(throwaway.start_redis(**parameters))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.mark.embedded
def test_a_redis_that_is_stopped_or_hangs_is_told(redis_with: StartRedis) -> None:
    server = redis_with()
    assert levels(broker.of_redis(server.url)) == ["ok"]

    server.pause()
    [(level, sentence)] = sentences(broker.of_redis(server.url))
    assert (level, "did not answer within 3 s" in sentence) == ("error", True)
    server.resume()
    server.stop()

    [(level, sentence)] = sentences(broker.of_redis(server.url))
    assert (level, "Connection refused" in sentence) == ("error", True)


@pytest.mark.embedded
def test_a_redis_that_asks_for_a_password_is_told_without_it(redis_with: StartRedis) -> None:
    server = redis_with()
    with closing(Redis.from_url(server.url)) as client:
        client.config_set("requirepass", "of-redis")
    url = server.url.replace("//", "//:a-wrong-one@")

    [(level, sentence)] = sentences(broker.of_redis(url))

    assert level == "error"
    assert "password" in sentence
    assert "a-wrong-one" not in sentence


@pytest.mark.embedded
def test_a_redis_that_throws_messages_away_is_told_with_what_mends_it(redis_with: StartRedis) -> None:
    server = redis_with(**{"maxmemory-policy": "allkeys-lru", "maxmemory": "100mb"})
    _, finding = broker.of_redis(server.url)
    assert finding.level == "warning"
    assert "allkeys-lru" in finding.sentence

    with closing(Redis.from_url(server.url)) as client:
        client.execute_command(*finding.fix.partition(",")[0].split())  # type: ignore[no-untyped-call]

    assert levels(broker.of_redis(server.url)) == ["ok"]


@pytest.mark.embedded
def test_a_redis_that_is_full_and_bells_that_nobody_hears_are_told(redis_with: StartRedis) -> None:
    server = redis_with()
    with closing(Redis.from_url(server.url)) as client:
        client.lpush("hookline", *["bell"] * 101)
        assert levels(broker.of_redis(server.url)) == ["ok", "warning"]
        client.config_set("maxmemory", client.info()["used_memory"])
    told = sentences(broker.of_redis(server.url))
    assert [level for level, _ in told] == ["ok", "error", "warning"]
    assert told[1][1].startswith("Redis uses ")


# --- The configuration --------------------------------------------------------------------


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("", []),
        ("change-me", ["error"]),
        ("Dev-Secret", ["error"]),
        ("fifteen letters", ["warning"]),
        ("x" * 16, []),
    ],
)
def test_a_secret_that_can_be_guessed_is_told_and_not_repeated(secret: str, expected: list[str]) -> None:
    found = list(configuration.strength("HL_API_KEY", secret))
    assert levels(iter(found)) == expected
    assert not [finding for finding in found if secret in finding.sentence + finding.fix]


@pytest.mark.embedded
def test_kept_secrets_that_others_may_read_are_told(tmp_path: Path) -> None:
    kept = tmp_path / "secrets"
    kept.mkdir(mode=0o700)
    (kept / "HL_API_KEY").touch(mode=0o600)
    assert levels(configuration.privacy(tmp_path)) == []

    (kept / "HL_API_KEY").chmod(0o640)

    assert levels(configuration.privacy(tmp_path)) == ["error"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("url", "allowed", "expected"),
    [
        ("https://hooks.example.com", ["hooks.example.com"], ["ok"]),
        ("https://hooks.example.com", [".example.com"], ["ok"]),
        ("https://hooks.example.com", ["*"], ["ok", "warning"]),
        ("https://hooks.example.com", ["localhost"], ["ok", "error"]),
        ("http://hooks.example.com", ["hooks.example.com"], ["warning"]),
        ("", ["*"], ["warning", "warning"]),
    ],
)
def test_what_is_open_to_whom_is_told(url: str, allowed: list[str], expected: list[str]) -> None:
    found = [*configuration.transport(url), *configuration.hosts(allowed, url)]
    assert levels(iter(found)) == expected


@pytest.mark.embedded
def test_which_variables_are_set_is_told_without_their_values() -> None:
    environment = Environment({"HL_API_KEY": "the value of it", "HOME": "/"})
    environment.secret("HL_API_KEY", "Key with every scope.", str)
    environment.bears_problems = True
    environment.complete()

    assert sentences(configuration.read_from(environment)) == [
        ("ok", "Every variable makes sense; set are HL_API_KEY.")
    ]


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ("", ["ok"]),
        ("127.0.0.0/8", ["ok", "warning"]),
        ("10.0.0.0/8", ["ok", "warning"]),
        ("0.0.0.0/0:443", ["ok", "warning"]),
        ("fd00::/8 10.1.0.0/16", ["ok", "warning", "warning"]),
        ("10.1.0.0/16:443 10.2.3.4/32", ["ok"]),
    ],
)
def test_networks_that_are_opened_wide_are_told(allowed: str, expected: list[str]) -> None:
    assert levels(egress.policy(parse_allow(allowed), is_for_trying=False)) == expected


@pytest.mark.embedded
def test_to_try_it_this_machine_may_be_reached() -> None:
    assert levels(egress.policy(parse_allow("127.0.0.0/8,::1/128"), is_for_trying=True)) == ["ok"]


# --- The disk -----------------------------------------------------------------------------


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("free", "total", "level"),
    [(50_000, 100_000, "ok"), (4000, 100_000, "warning"), (900, 10_000, "warning"), (10, 10_000, "error")],
)
def test_a_disk_that_fills_is_told(free: int, total: int, level: str) -> None:
    assert levels(disk.room(free * MEBIBYTE, total * MEBIBYTE)) == [level]


MOUNTED = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
31 22 0:27 / /srv rw - nfs4 files.internal:/srv rw
32 31 8:2 / /srv/hook\\040line/data rw - xfs /dev/sdb1 rw
33 22 0:28 / /run rw - tmpfs tmpfs rw
"""


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("/var/lib/hookline", "ext4", []),
        ("/srv/data", "nfs4", ["error"]),
        ("/srv/hook line/data/store", "xfs", []),
        ("/srvdata", "ext4", []),
        ("/run/hookline", "tmpfs", ["warning"]),
    ],
)
def test_a_file_system_that_cannot_carry_the_store_is_told(path: str, kind: str, expected: list[str]) -> None:
    assert disk.kind_of(Path(path), MOUNTED) == kind
    assert levels(disk.file_system(Path(path), MOUNTED)) == expected


@pytest.mark.embedded
def test_what_this_machine_has_mounted_is_understood() -> None:
    assert disk.kind_of(Path("/proc/self"), disk.MOUNTS.read_text()) == "proc"
    assert levels(disk.disk())[0] in ("ok", "warning", "error")


# --- Who is told --------------------------------------------------------------------------


@pytest.mark.django_db
def test_whether_anybody_is_told_what_is_amiss_and_what_is(settings: Any) -> None:
    for embedded, level in ((True, "ok"), (False, "warning")):
        settings.EMBEDDED = embedded
        assert levels(alerts.alerts()) == [level]
    settings.HL_ALERT_URL, settings.HL_ALERT_EMAIL = "https://ops.example.com/?token=x", ["ops@example.com"]
    assert sentences(alerts.alerts()) == [("ok", "What is amiss is told by webhook and email.")]

    moment = now()
    told = {"since": moment, "seen_at": moment, "told_at": moment}
    Alert.objects.create(key="no_worker", kind="no_worker", text="No process delivers.", **told)
    untold = {"created_at": moment, "due_at": moment, "try_count": 3, "error": "status 500"}
    Notice.objects.create(channel="webhook", document="[]", **untold)

    assert sentences(alerts.alerts())[1:] == [
        ("warning", "The alert channel webhook has not taken a notice (status 500)."),
        ("warning", "No process delivers."),
    ]
