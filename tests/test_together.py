"""What many threads want at the same time is done at once, and none of them pays for another."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from deliveries.models import Event
from hookline.database import rows
from hookline.together import Together
from tenants.models import Tenant
from tests.factories import publish

PATIENCE_SECONDS = 30


class Workshop:
    """Work that can be held up, and remembers with how many it was done."""

    def __init__(self, judge: Callable[[int], int] = lambda item: item * 10) -> None:
        self.judge = judge
        self.is_open = threading.Event()
        self.batches: list[list[int]] = []
        self.together: Together[int, int] = Together(self.work, most=5)

    def work(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.is_open.wait(PATIENCE_SECONDS)
        return [self.judge(item) for item in items]

    def gather(self, count: int, before: Callable[[], object] = lambda: None) -> list[Future[int]]:
        """So many threads, of which the first is at work and the others wait for it."""

        def bring(item: int) -> int:
            before()
            try:
                return self.together.do(item)
            finally:
                connection.close()

        pool = ThreadPoolExecutor(count)
        brought = [pool.submit(bring, 0)]
        while not self.batches:
            pass
        brought += [pool.submit(bring, item) for item in range(1, count)]
        while len(self.together.waiting) < count - 1:
            pass
        return brought


def test_those_who_wait_are_served_together_and_each_gets_its_own() -> None:
    workshop = Workshop()
    brought = workshop.gather(9)
    workshop.is_open.set()

    assert [one.result(PATIENCE_SECONDS) for one in brought] == [item * 10 for item in range(9)]
    assert [len(batch) for batch in workshop.batches] == [1, 5, 3]


def test_the_next_one_finds_the_work_free_again() -> None:
    workshop = Workshop()
    workshop.is_open.set()

    assert [workshop.together.do(item) for item in (1, 2)] == [10, 20]
    assert workshop.batches == [[1], [2]]


def test_one_that_spoils_the_work_of_all_fails_alone() -> None:
    workshop = Workshop(lambda item: 12 // (item - 2))
    brought = workshop.gather(5)
    workshop.is_open.set()

    with pytest.raises(ZeroDivisionError):
        brought[2].result(PATIENCE_SECONDS)
    assert [brought[n].result(PATIENCE_SECONDS) for n in (0, 1, 3, 4)] == [-6, -12, 12, 6]


def test_a_store_that_is_away_is_asked_once_for_all() -> None:
    def fail(item: int) -> int:
        raise OperationalError

    workshop = Workshop(fail)
    brought = workshop.gather(4)
    workshop.is_open.set()

    for one in brought:
        with pytest.raises(OperationalError):
            one.result(PATIENCE_SECONDS)
    assert len(workshop.batches) == 2


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_whoever_waits_keeps_no_connection_from_whoever_works() -> None:
    count = settings.HL_STORE_POOL_SIZE + 1
    workshop = Workshop(lambda item: int(rows("SELECT 7")[0][0]))
    is_first = iter([True])
    # All but the first hold a connection when they come, and there is none left for it.
    brought = workshop.gather(count, lambda: next(is_first, False) or rows("SELECT 1"))
    workshop.is_open.set()

    assert [one.result(PATIENCE_SECONDS) for one in brought] == [7] * count


@pytest.mark.django_db(transaction=True)
def test_what_is_published_within_a_transaction_is_undone_with_it(acme: Tenant) -> None:
    with transaction.atomic():
        publish(acme, {"topic": "a"})
        transaction.set_rollback(True)

    assert not Event.objects.exists()
