"""The store itself: is it there, is it new enough, and does what it confirms survive a power cut?"""

import sqlite3
import time

import psycopg
from django.conf import settings
from django.db import connection

from hookline import start
from hookline.database import connect_alone
from hookline.doctor.findings import Ask, Findings, error, in_one_line, ok, warning
from hookline.environment import environment

OF_THE_STORE = ("HL_STORE_BACKEND", "HL_POSTGRES_URL", "HL_DATA_DIR")
ROUND_TRIPS, FAR_SECONDS = 10, 0.02
ON = ("fsync", "full_page_writes")
SERVER_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"


def unreachable() -> Findings:
    """Nothing if it can be examined; else why it cannot."""
    wrong = [name for name in OF_THE_STORE if any(p.startswith(f"{name}:") for p in environment.problems)]
    if wrong:
        yield error(f"It is not known where the store is: {wrong[0]} is wrong.", f"Correct {wrong[0]}.")
    elif settings.EMBEDDED:
        yield from _no_file()
    else:
        yield from _no_server()


def _no_file() -> Findings:
    path = connection.settings_dict["NAME"]
    if sqlite3.sqlite_version_info < start.OLDEST_SQLITE:
        yield error(f"SQLite {sqlite3.sqlite_version} is too old.", "Upgrade Python, which brings SQLite.")
    elif not path.exists():
        yield warning(f"There is no store yet at {path}.", "`manage.py serve` makes it; or set HL_DATA_DIR.")


def _no_server() -> Findings:
    try:
        with connect_alone(start.CONNECT_SECONDS) as alone:
            version = alone.info.server_version // 10_000
    except psycopg.Error as fault:
        yield error(
            f"PostgreSQL cannot be reached: {in_one_line(fault)}.",
            "Start it, or correct host, database, user and password in HL_POSTGRES_URL.",
        )
    else:
        if version < start.OLDEST_POSTGRES:
            yield error(f"PostgreSQL {version} is too old.", f"Upgrade to {start.OLDEST_POSTGRES} or newer.")


def sqlite(ask: Ask) -> Findings:
    yield ok(f"The embedded store answers, from SQLite {sqlite3.sqlite_version}.")
    [(mode,)] = ask("PRAGMA journal_mode")
    if mode != "wal":
        yield error(f"The store is in {mode} mode, in which readers and the writer block each other.",
                    "Move HL_DATA_DIR to a disk of this machine.")  # fmt: skip
    if settings.HL_SQLITE_SYNCHRONOUS != "FULL":
        yield warning(
            "A power cut may undo the last publishes that were answered with 201.",
            "Set HL_SQLITE_SYNCHRONOUS=FULL",
        )


def postgres(ask: Ask) -> Findings:
    [(version, is_replica, size)] = ask(
        "SELECT current_setting('server_version'), pg_is_in_recovery(), "
        "pg_size_pretty(pg_database_size(current_database()))"
    )
    yield ok(f"PostgreSQL {version} answers; the database has {size}.")
    if is_replica:
        yield error(
            "This server is a replica, which takes no writes.", "Name the primary in HL_POSTGRES_URL."
        )
    yield from durability(ask)
    yield from distance(ask)


def distance(ask: Ask) -> Findings:
    """The best of some round trips, so that a busy moment is not taken for a long way."""
    best = min(_seconds(ask) for _ in range(ROUND_TRIPS))
    if best > FAR_SECONDS:
        yield warning(
            f"A question to PostgreSQL takes {best * 1000:.0f} ms; every publish waits so long.",
            "Run HookLine near its database, in the same data centre.",
        )


def _seconds(ask: Ask) -> float:
    started = time.perf_counter()
    ask("SELECT 1")
    return time.perf_counter() - started


def durability(ask: Ask) -> Findings:
    found: dict[str, str] = dict(
        ask(SERVER_SETTINGS, [[*ON, "synchronous_commit", "default_transaction_read_only"]])
    )
    for name in ON:
        if found[name] == "off":
            yield error(
                f"{name} is off: a power cut may destroy the whole database.",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
            )
    if found["synchronous_commit"] == "off":
        yield error(
            "synchronous_commit is off: a power cut undoes publishes that were answered with 201.",
            "ALTER ROLE CURRENT_USER SET synchronous_commit = on, and reconnect.",
        )
    if found["default_transaction_read_only"] == "on":
        yield error(
            "default_transaction_read_only is on: nothing can be written.",
            "ALTER ROLE CURRENT_USER SET default_transaction_read_only = off, and reconnect.",
        )
