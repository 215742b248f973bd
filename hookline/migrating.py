"""Runs migrations beside processes that go on serving: those of this version, and of the one before.

PostgreSQL lets nobody pass whoever waits for a table's lock. So a migration waits for a moment only,
lets those behind it pass, and tries again.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import OperationalError, connection

from hookline.database import is_postgres
from hookline.environment import refuse

LOCK_SECONDS = 1
PAUSE_SECONDS = 2.0
TRIES = 60
# Any number will do that nobody else takes.
ONLY_ONE = 7_046_002_633
LOOK_AGAIN_SECONDS = 0.5

TAKES_LOCK = re.compile(r"\s*(?:ALTER|CREATE|DROP|LOCK|COMMENT)\b", re.IGNORECASE)
STILL_LOCKED = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def run(migrate: Callable[[], None], tell: Callable[[str], object]) -> None:
    """Calls `migrate` until it got every lock that it needs; what it had done by then stays done. Of
    several processes that come at once, the others wait and find nothing left to do."""
    if not is_postgres():
        migrate()
        return
    with _alone(tell), connection.execute_wrapper(_patiently):
        for _ in range(TRIES):
            try:
                migrate()
            except OperationalError as fault:
                if not isinstance(fault.__cause__, STILL_LOCKED):
                    raise
                tell("A table is in use; letting others pass, then trying again.")
                time.sleep(PAUSE_SECONDS)
            else:
                return
    refuse(
        "A transaction holds a lock that a migration needs, and does not end. Find it with SELECT * FROM "
        "pg_stat_activity WHERE xact_start < now() - interval '1 minute', and migrate again."
    )


def _patiently(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """Bounds how long a statement waits for its lock. Outside of a transaction, as when an index is
    made concurrently, it holds up nobody and may wait."""
    if connection.in_atomic_block and TAKES_LOCK.match(sql):
        execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'", None, False, context)
    return execute(sql, params, many, context)


@contextmanager
def _alone(tell: Callable[[str], object]) -> Iterator[None]:
    """While this lasts, no other process migrates. The lock belongs to a transaction, as a pooler would
    lose one of a session; it is asked for again and again, since whoever waits holds up an index
    that is made concurrently."""
    guard = connection.copy()
    guard.set_autocommit(False)
    try:
        while not _is_first(guard):
            tell("Another process migrates; waiting for it.")
            time.sleep(LOOK_AGAIN_SECONDS)
        yield
    finally:
        guard.rollback()
        guard.close()


def _is_first(guard: Any) -> bool:
    with guard.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ONLY_ONE])
        is_first: bool = cursor.fetchone()[0]
    if not is_first:
        guard.rollback()
    return is_first
