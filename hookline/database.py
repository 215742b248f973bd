"""The seam between the two stores: how statements too fast for the ORM reach either.

PostgreSQL statements bind on the server and in binary: psycopg's text arrays cost thirty times
as much. SQLite statements go through Django's own cursor.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, connection, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import Format
from psycopg.types.string import TextBinaryLoader, TextLoader
from psycopg_pool import PoolTimeout

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Mapping[str, Any] | Sequence[Any]

# A json column keeps the text as it was sent; psycopg would parse it.
psycopg.adapters.register_loader("json", TextLoader)
psycopg.adapters.register_loader("json", TextBinaryLoader)

# SQLite has one writer. Threads that wait here are woken in turn; threads that wait in SQLite
# sleep and try again, which took the 99th percentile of a publish from 12 to 494 ms.
_one_writer = threading.RLock()
_is_direct: bool | None = None
_of_this_thread = threading.local()

PATIENTLY = """
SELECT set_config('statement_timeout', %s, true), set_config('jit', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true)
"""
# Instructions of SQLite's between two looks at the time, some milliseconds.
SQLITE_STEPS = 100_000
PLAN_EVERY_TIME = "SET plan_cache_mode = force_custom_plan"


class JsonText(models.TextField):  # type: ignore[type-arg]
    """A JSON document kept byte for byte: PostgreSQL's json (not jsonb), or text."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)


def is_postgres() -> bool:
    return connection.vendor == "postgresql"


def rows(sql: str, parameters: Parameters = ()) -> list[Row]:
    """Runs one statement and returns its rows, if it returns any."""
    with _cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def rows_among(sql: str, values: Sequence[Any]) -> list[Row]:
    """The same for a statement with the condition `… {among}`: is it any of these values?"""
    if is_postgres():
        return rows(sql.format(among="= ANY(%b)"), [list(values)])
    return rows(sql.format(among=f"IN ({', '.join(['%s'] * len(values))})"), values)


def many(sql: str, parameters: Sequence[Parameters]) -> None:
    """Runs one statement for each set of parameters. For SQLite, where a call costs little."""
    if parameters:
        with _cursor() as cursor:
            cursor.executemany(sql, parameters)


@contextmanager
def _cursor() -> Iterator[Any]:
    if not is_postgres():
        with connection.cursor() as cursor:
            yield cursor
        return
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.format = Format.BINARY
        yield cursor


def retried(read: Callable[[], T]) -> T:
    """The first statement of a request, tried once more if its pooled connection had died: after
    a restart of the database every connection in the pool is dead, and nothing tells so but use."""
    try:
        return read()
    except (OperationalError, InterfaceError) as fault:
        if connection.in_atomic_block or isinstance(fault.__cause__, PoolTimeout):
            raise
        connection.close()
        return read()


def release() -> None:
    """Gives a connection back to its pool before the request or the thread has ended."""
    if is_postgres() and not connection.in_atomic_block:
        connection.close()


@contextmanager
def write(*, durable: bool = True) -> Iterator[None]:
    """A transaction that writes. One that is not durable may be undone by a crash."""
    if not is_postgres():
        with _one_writer, transaction.atomic():
            yield
        return
    with transaction.atomic():
        if not durable:
            rows("SET LOCAL synchronous_commit = off")
        yield


def checkpoint() -> None:
    """Moves all that was written into the embedded store's one file, so that whoever copies the directory
    next gets it whole. PostgreSQL sees to that itself."""
    if not is_postgres():
        with _one_writer:
            rows("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Reads of much that may wait: they give up after so long (on PostgreSQL each of them) with
    OperationalError, and take one core."""
    if is_postgres():
        with transaction.atomic():
            rows(PATIENTLY, [f"{round(seconds * 1000)}ms"])
            yield
        return
    connection.ensure_connection()
    end, sqlite = time.monotonic() + seconds, connection.connection
    sqlite.set_progress_handler(lambda: time.monotonic() > end, SQLITE_STEPS)
    try:
        yield
    finally:
        sqlite.set_progress_handler(None, 0)


@contextmanager
def one_moment() -> Iterator[None]:
    """Reads the store as it is at one moment, while others go on writing. Within a transaction that
    has begun, it is that one's moment."""
    if connection.in_atomic_block:
        yield
    elif is_postgres():
        with transaction.atomic():
            rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:  # transactions of Django's make a writer of whoever begins one
        rows("BEGIN DEFERRED")
        try:
            yield
        finally:
            rows("ROLLBACK")


def now() -> datetime:
    """The database's clock, which is the clock of the installation."""
    return rows("SELECT clock_timestamp()")[0][0] if is_postgres() else datetime.now(UTC)


def to_text(moment: datetime | None) -> str | None:
    """A time as SQLite keeps it."""
    return str(moment.astimezone(UTC).replace(tzinfo=None)) if moment else None


def from_text(value: str | datetime | None) -> datetime | None:
    """A time that SQLite gave back: text, or without zone where the column's type is known."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment and moment.replace(tzinfo=UTC)


def connect_alone(seconds: int) -> psycopg.Connection:
    """To PostgreSQL, outside the pool, through which a refusal takes long and says little. Raises
    psycopg.Error, after so many seconds at most."""
    parameters = connection.get_connection_params() | {"connect_timeout": seconds, "autocommit": True}
    for of_django in ("pool", "context", "cursor_factory"):
        parameters.pop(of_django, None)
    return psycopg.connect(**parameters)


def is_direct() -> bool:
    """Whether no pooler stands before PostgreSQL, so that session state is ours to keep.

    A pooler tells clients a process id of its own making.
    """
    global _is_direct
    if _is_direct is None:
        connection.ensure_connection()
        _is_direct = rows("SELECT pg_backend_pid()")[0][0] == connection.connection.info.backend_pid
    return _is_direct


def prepare_statements(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """On every new connection: statements that repeat are prepared, which halves their cost."""
    if connection.vendor == "postgresql" and is_direct():
        connection.connection.prepare_threshold = 2
        if getattr(_of_this_thread, "plans_every_time", False):
            connection.connection.execute(PLAN_EVERY_TIME)


def plan_every_time() -> None:
    """For threads that read queues: a plan made on an empty table is ruinous on a full one."""
    _of_this_thread.plans_every_time = True
    if is_postgres() and is_direct():
        rows(PLAN_EVERY_TIME)
