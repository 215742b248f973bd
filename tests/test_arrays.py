"""What is packed into arrays is what PostgreSQL reads."""

import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hookline.arrays import BIGINT, BOOLEAN, BYTEA, FLOAT, ID, INTEGER, SMALLINT, TEXT, TIME, Table
from hookline.database import rows

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

EVERY = Table(
    "any", id=ID, text=TEXT, time=TIME, big=BIGINT, whole=INTEGER, small=SMALLINT, real=FLOAT, flag=BOOLEAN,
    blob=BYTEA,
)  # fmt: skip
# PostgreSQL keeps no year before 4714 BC and Python none after 9999, so that Python's bounds are both's.
TIMES = some.datetimes(timezones=some.just(UTC))
LINES = some.lists(
    some.tuples(
        *(
            some.none() | values
            for values in (
                some.uuids(),
                some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0")),
                TIMES,
                some.integers(-(2**63), 2**63 - 1),
                some.integers(-(2**31), 2**31 - 1),
                some.integers(-(2**15), 2**15 - 1),
                some.floats(allow_nan=False),
                some.booleans(),
                some.binary(),
            )
        )
    ),
    max_size=5,
)


@settings(max_examples=200)
@given(LINES)
def test_rows_come_back_as_they_were(lines: list[tuple[Any, ...]]) -> None:
    assert rows(f"SELECT * FROM {EVERY.sql}", EVERY.pack(lines)) == lines


def test_a_time_is_the_same_moment_in_every_zone() -> None:
    moment = datetime(2026, 11, 25, 20, 39, 42, 123456, timezone(timedelta(hours=5, minutes=30)))
    table = Table("only", at=TIME)

    assert rows(f"SELECT * FROM {table.sql}", table.pack([(moment,)])) == [(moment,)]


def test_two_tables_of_one_statement_have_parameters_of_their_own() -> None:
    ones, others = Table("one", id=ID), Table("other", id=ID)
    first, second = uuid4(), uuid4()
    sql = f"SELECT a.id, b.id FROM (SELECT * FROM {ones.sql}) a, (SELECT * FROM {others.sql}) b"

    assert rows(sql, ones.pack([(first,)]) | others.pack([(second,)])) == [(first, second)]


def test_a_value_that_a_column_cannot_hold_is_refused_before_it_is_sent() -> None:
    with pytest.raises(struct.error):
        Table("only", number=SMALLINT).pack([(2**15,)])
    with pytest.raises(AttributeError):
        Table("only", id=ID).pack([("no id",)])
