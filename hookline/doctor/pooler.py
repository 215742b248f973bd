"""Whether a pooler stands between us and PostgreSQL, and of which kind."""

import psycopg
from django.db import connection
from psycopg import Connection

from hookline.database import connect_alone
from hookline.doctor.findings import Findings, error, ok, warning
from hookline.start import CONNECT_SECONDS

# How often to look whether a connection of ours is lent to another client of ours.
LOOKS = 5
BACKEND = "SELECT pg_backend_pid()"


def pooler() -> Findings:
    with connect_alone(CONNECT_SECONDS) as one:
        if _backend(one) == one.info.backend_pid:
            yield ok("No pooler is between HookLine and PostgreSQL.")
            return
        with connect_alone(CONNECT_SECONDS) as other:
            mode = mode_of(one, other)
    name = _name() or "A pooler"
    if mode == "statement":
        yield error(
            f"{name} in statement mode is in the way: it allows no transactions.",
            "Set pool_mode = transaction for this database; see docs/pgbouncer.md.",
        )
    elif mode == "session":
        yield warning(
            f"{name} in session mode is in between, which saves nothing that our own pool does not.",
            "Set pool_mode = transaction, or connect directly; see docs/pgbouncer.md.",
        )
    else:
        yield ok(f"{name} in transaction mode is in between; nothing is prepared or kept for a session.")


def mode_of(one: Connection, other: Connection) -> str:
    """Asks for the connection that the first one just gave back, which it keeps in session mode only."""
    try:
        for _ in range(LOOKS):
            before = _backend(one)
            with other.transaction():
                if _backend(other) == before or _backend(one) != before:
                    return "transaction"
    except psycopg.Error:
        return "statement"
    return "session"


def _backend(connection: Connection) -> int:
    return int(connection.execute(BACKEND).fetchall()[0][0])


def _name() -> str:
    """PgBouncer tells its version in a database of its own, to those who may look at it."""
    url = {**connection.get_connection_params(), "dbname": "pgbouncer", "connect_timeout": CONNECT_SECONDS}
    wanted = ("dbname", "user", "password", "host", "port", "sslmode", "sslrootcert", "connect_timeout")
    given = {name: value for name, value in url.items() if name in wanted}
    try:
        with psycopg.connect(**given, autocommit=True) as console:
            [(version,)] = console.execute("SHOW VERSION").fetchall()
    except (psycopg.Error, ValueError):
        return ""
    return str(version)
