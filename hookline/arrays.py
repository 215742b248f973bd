"""Arrays of values as PostgreSQL reads them, for statements that take rows by their columns.

psycopg asks of every array and element anew what type it has, which costs more than all else of a small
insert. Whoever writes a statement knows the type of each column.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

NULL = b"\xff\xff\xff\xff"
# Dimensions, whether there are nulls, the type of the elements, how many, the index of the first.
HEAD = struct.Struct(">iiIii")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Packed(bytes):
    """An array in PostgreSQL's binary form; its type is said by a cast in the statement."""


class PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> Buffer:
        return obj


psycopg.adapters.register_dumper(Packed, PackedDumper)


class Column:
    """A type of columns: its name in a cast, its number (PostgreSQL's pg_type), and how a value is
    written, with its length before it."""

    def __init__(self, name: str, oid: int, write: Callable[[Any], bytes]) -> None:
        self.name, self.oid, self.write = name, oid, write

    def pack(self, values: Iterable[Any]) -> Packed:
        write = self.write
        parts = [NULL if value is None else write(value) for value in values]
        return Packed(HEAD.pack(1, 1, self.oid, len(parts), 1) + b"".join(parts))


def _fixed(code: str) -> Callable[[Any], bytes]:
    return partial(struct.Struct(f">i{code}").pack, struct.calcsize(f">{code}"))


def _bytes(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _uuid(value: UUID) -> bytes:
    return (16 << 128 | value.int).to_bytes(20, "big")


_bigint = _fixed("q")


def _time(value: datetime) -> bytes:
    since = value - EPOCH
    return _bigint((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


BIGINT = Column("bigint", 20, _bigint)
BOOLEAN = Column("boolean", 16, _fixed("?"))
BYTEA = Column("bytea", 17, _bytes)
FLOAT = Column("float8", 701, _fixed("d"))
ID = Column("uuid", 2950, _uuid)
INTEGER = Column("integer", 23, _fixed("i"))
SMALLINT = Column("smallint", 21, _fixed("h"))
TEXT = Column("text", 25, _text)
TIME = Column("timestamptz", 1184, _time)


class Table:
    """The rows that a statement takes, by the names of their columns. `prefix` tells its parameters from
    those of another table in the same statement."""

    def __init__(self, prefix: str, **columns: Column) -> None:
        self.columns = {f"{prefix}_{name}": column for name, column in columns.items()}
        arrays = ", ".join(f"%({name})b::{column.name}[]" for name, column in self.columns.items())
        # What stands in the statement where a table would.
        self.sql = f"unnest({arrays}) AS v({', '.join(columns)})"

    def pack(self, rows: Sequence[Sequence[Any]]) -> dict[str, Packed]:
        """The parameters. Each row has its values in the order of the columns."""
        by_column = zip(*rows, strict=True) if rows else ((),) * len(self.columns)
        return {
            name: column.pack(values)
            for (name, column), values in zip(self.columns.items(), by_column, strict=True)
        }
