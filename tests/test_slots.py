"""How many requests may start, as tables; and that a claim keeps to what is said of one endpoint."""

import pytest

from deliveries.models.lanes import Lane
from deliveries.queue.claim import Claimer
from deliveries.slots import FEW, MOST_PATIENT, Slots
from tenants.models import Tenant
from tests.queueing import give, make_target, state_of, succeed


@pytest.mark.parametrize(
    ("in_flight", "patient", "free"),
    [
        (0, 0, 100),
        (99, 0, 1),
        (100, 0, 0),
        (120, 0, 0),
        (100, 30, 30),
        (130, 130, 100),
        (100 * MOST_PATIENT - 5, 100 * MOST_PATIENT - 5, 5),
        (100 * MOST_PATIENT, 100 * MOST_PATIENT, 0),
    ],
)
def test_requests_that_wait_leave_their_slots_to_others(in_flight: int, patient: int, free: int) -> None:
    assert Slots(100).free(in_flight, patient) == free


def test_a_number_that_the_operator_set_is_never_exceeded() -> None:
    strict = Slots(100, extends=False)

    assert (strict.free(40, 40), strict.free(100, 100)) == (60, 0)
    assert strict.per_endpoint(100) is None


def test_only_when_very_many_wait_is_each_endpoint_held_to_a_few() -> None:
    assert (Slots(100).per_endpoint(99), Slots(100).per_endpoint(100)) == (None, FEW)


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_that_is_held_to_a_few_goes_on_when_those_have_ended(acme: Tenant) -> None:
    endpoint, worker = make_target(acme, max_in_flight=10), Claimer()
    give(endpoint, 9)

    first = worker.claim(100, worker.look(far_back=True), per_endpoint=2)
    assert (len(first), state_of(endpoint)) == (2, Lane.State.FULL)
    assert worker.claim(100, worker.look(far_back=True), per_endpoint=2) == []
    succeed(first)
    assert len(worker.claim(100, worker.look(far_back=True))) == 7
