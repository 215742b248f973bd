"""Ids sort by the time they were made, and no two are the same."""

import os
from datetime import UTC, datetime, timedelta
from threading import Thread
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hookline.ids import NO_ID, first_uuid7, parse_uuid, uuid7
from hookline.times import EPOCH, MILLISECOND, milliseconds

pytestmark = pytest.mark.embedded

# Whole microseconds of a thousand years.
moments = some.integers(0, 32_000_000_000_000_000).map(lambda number: EPOCH + number * MILLISECOND / 1000)


def test_an_id_is_a_uuid_of_version_7_that_tells_its_time() -> None:
    before = milliseconds(datetime.now(UTC))
    id = uuid7()
    after = milliseconds(datetime.now(UTC))

    assert (id.version, id.variant) == (7, "specified in RFC 4122")
    assert before <= id.int >> 80 <= after


def test_ids_of_one_process_only_grow() -> None:
    made = [uuid7() for _ in range(10_000)]

    assert made == sorted(made)
    assert [str(id) for id in made] == sorted(str(id) for id in made)


def test_threads_never_make_the_same_id() -> None:
    made: list[UUID] = []
    threads = [Thread(target=lambda: made.extend([uuid7() for _ in range(5_000)])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 40_000
    assert len({id.int >> 64 for id in made}) == 40_000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_makes_other_ids() -> None:
    uuid7()  # so that there is something that both could go on with
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, b"".join(uuid7().bytes for _ in range(200)))
        os._exit(0)
    made = {_random_bits(uuid7()) for _ in range(200)}
    os.waitpid(child, 0)
    written = os.read(reading, 200 * 16)
    os.close(reading)
    os.close(writing)

    theirs = {_random_bits(UUID(bytes=written[at : at + 16])) for at in range(0, len(written), 16)}
    assert len(theirs) == len(made) == 200
    assert made.isdisjoint(theirs)


def _random_bits(id: UUID) -> int:
    return id.int & (2**62 - 1)


def test_the_first_id_of_a_moment_is_that_of_the_rfc_without_its_random_bits() -> None:
    of_the_rfc = UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    first = first_uuid7(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC))

    assert first == UUID("017f22e2-79b0-7000-8000-000000000000")
    assert first < of_the_rfc < first_uuid7(datetime(2022, 2, 22, 19, 22, 22, 1000, tzinfo=UTC))


@given(moments)
def test_the_first_id_of_a_moment_carries_its_millisecond_exactly(moment: datetime) -> None:
    assert first_uuid7(moment).int >> 80 == milliseconds(moment)


def test_an_id_lies_between_the_first_ids_of_the_moments_around_it() -> None:
    now = datetime.now(UTC)

    assert first_uuid7(now - timedelta(seconds=1)) < uuid7() < first_uuid7(now + timedelta(minutes=1))


def test_an_id_is_read_as_it_was_written() -> None:
    id = uuid7()

    assert parse_uuid(str(id)) == id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "not-an-id",
        "017F22E2-79B0-7CC3-98C4-DC0C0C07398F",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
        "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
        "०17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f' OR 1=1",
        "\0",
    ],
)
def test_what_cannot_be_an_id_is_the_id_that_nothing_bears(text: str) -> None:
    assert parse_uuid(text) == NO_ID
