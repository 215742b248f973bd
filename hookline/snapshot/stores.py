"""Connections of their own to either store: to read all of one moment, or to write all or nothing.

Django's own would hold a whole table in memory, and lock SQLite's only writer out to read.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, Protocol

import psycopg
from django.db import connection
from psycopg.sql import SQL, Identifier

from hookline.snapshot.tables import Table

AT_ONCE = 2000
Row = tuple[Any, ...]


class Store(Protocol):
    def count(self, table: Table) -> int: ...

    def rows(self, table: Table) -> Iterator[Row]: ...

    def load(self, table: Table, rows: Iterable[list[Any]]) -> None: ...

    def empty(self, table: Table) -> None: ...


class Postgres:
    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def count(self, table: Table) -> int:
        query = SQL("SELECT count(*) FROM {}").format(Identifier(table.name))
        return int(self.connection.execute(query).fetchall()[0][0])

    def rows(self, table: Table) -> Iterator[Row]:
        query = SQL("SELECT {} FROM {}").format(_names(table), Identifier(table.name))
        with self.connection.cursor("snapshot") as cursor:
            cursor.itersize = AT_ONCE
            yield from cursor.execute(query)

    def load(self, table: Table, rows: Iterable[list[Any]]) -> None:
        query = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), _names(table))
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                copy.write_row(table.decode(row))
        if table.has_serial:
            self._move_serial(table)

    def empty(self, table: Table) -> None:
        self.connection.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))

    def _move_serial(self, table: Table) -> None:
        """The next id comes after those that were brought along."""
        query = SQL(
            "SELECT setval(pg_get_serial_sequence({}, 'id'), coalesce(max(id), 0) + 1, false) FROM {}"
        ).format(table.name, Identifier(table.name))
        self.connection.execute(query)


class Sqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def count(self, table: Table) -> int:
        return int(self.connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0])

    def rows(self, table: Table) -> Iterator[Row]:
        columns = ", ".join(f'"{name}"' for name in table.names)
        return self.connection.execute(f'SELECT {columns} FROM "{table.name}"')

    def load(self, table: Table, rows: Iterable[list[Any]]) -> None:
        columns = ", ".join(f'"{name}"' for name in table.names)
        places = ", ".join("?" * len(table.names))
        statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({places})'
        source = iter(rows)
        while batch := [table.decode_for_sqlite(row) for row in islice(source, AT_ONCE)]:
            self.connection.executemany(statement, batch)

    def empty(self, table: Table) -> None:
        self.connection.execute(f'DELETE FROM "{table.name}"')


@contextmanager
def reading() -> Iterator[Store]:
    """The store as it is at one moment, while others go on writing."""
    with _postgres(is_writing=False) if _is_postgres() else _sqlite("BEGIN") as store:
        yield store


@contextmanager
def writing() -> Iterator[Store]:
    """One transaction, undone by any fault."""
    with _postgres(is_writing=True) if _is_postgres() else _sqlite("BEGIN IMMEDIATE") as store:
        yield store


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


@contextmanager
def _postgres(*, is_writing: bool) -> Iterator[Store]:
    parameters = connection.get_connection_params()
    for ours in ("pool", "context", "cursor_factory"):
        parameters.pop(ours, None)
    with psycopg.connect(**parameters) as other:
        if is_writing:
            other.execute("LOCK TABLE tenants, api_keys, endpoints, events IN EXCLUSIVE MODE")
        else:
            other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Postgres(other)


@contextmanager
def _sqlite(begin: str) -> Iterator[Store]:
    path = str(connection.settings_dict["NAME"])
    with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = ON")
        other.execute(begin)
        yield Sqlite(other)
        other.execute("COMMIT")


def _names(table: Table) -> Any:
    return SQL(", ").join(Identifier(name) for name in table.names)
