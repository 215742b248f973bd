"""Whatever two workers, the sweep and an operator do in whatever order, the queue keeps its books.

A model beside the store says what each job must be after every step. The same machine finds the
fault when the fence is taken out of a statement, so it would find a real one.
"""

from types import ModuleType
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from deliveries.models import Attempt, Bell, DeadLetter, Endpoint, Event, Job, Lane, Subscription
from deliveries.queue import postgres, sqlite
from deliveries.queue.claim import Claimer
from deliveries.queue.requeue import requeue
from deliveries.queue.settle import charge, release, rescue, settle
from deliveries.queue.statements import statements
from deliveries.work import ClaimedJob, Dead, RetryAt, Settlement, Succeeded
from hookline import database
from tenants.models import Tenant
from tests.queueing import AWAY, OK, assert_consistent, give, let_pass, make_target, settlement

pytestmark = pytest.mark.django_db

# Of the settings of the tests and of an endpoint without a time-out of its own.
LEASE_SECONDS = 60
WORKERS = st.sampled_from([0, 1])
ENOUGH_TURNS = 100


class Queue(RuleBasedStateMachine):
    """`model` has the status of each job, `owners` the claim that holds a running one and the age
    of that, and `held` what each worker believes to own."""

    @initialize()
    def begin(self) -> None:
        for table in (Job, Attempt, DeadLetter, Bell, Lane, Event, Subscription, Endpoint):
            table.objects.all().delete()
        tenants = [Tenant.objects.get(id=id) for id in ("acme", "globex")]
        self.endpoints = [make_target(tenants[0]), make_target(tenants[1], max_in_flight=2)]
        self.claimers = [Claimer(), Claimer()]
        self.held: list[list[ClaimedJob]] = [[], []]
        self.model: dict[UUID, str] = {}
        self.owners: dict[UUID, tuple[UUID, float]] = {}

    @rule(endpoint=st.sampled_from([0, 1]), jobs=st.integers(1, 3))
    def enqueue(self, endpoint: int, jobs: int) -> None:
        self.model |= dict.fromkeys(give(self.endpoints[endpoint], jobs), "pending")

    @rule(worker=WORKERS, most=st.integers(1, 5))
    def claim(self, worker: int, most: int) -> None:
        claimer = self.claimers[worker]
        jobs = claimer.claim(most, claimer.look(far_back=True))
        assert len(jobs) <= most
        for job in jobs:
            assert self.model[job.id] == "pending"
            self.model[job.id] = "running"
            self.owners[job.id] = (job.claim_id, 0.0)
        self.held[worker] += jobs

    @rule(worker=WORKERS)
    def note_that_they_start_again(self, worker: int) -> None:
        owned = charge(self.held[worker])
        assert owned == [job for job in self.held[worker] if self.owns(job)]

    @rule(worker=WORKERS)
    def succeed(self, worker: int) -> None:
        self.settle(worker, "succeeded", [settlement(job, Succeeded(), OK) for job in self.held[worker]])

    @rule(worker=WORKERS)
    def fail(self, worker: int) -> None:
        again = RetryAt(database.now())
        self.settle(worker, "pending", [settlement(job, again, AWAY) for job in self.held[worker]])

    @rule(worker=WORKERS)
    def give_up(self, worker: int) -> None:
        reason = Dead("attempts_exhausted")
        self.settle(worker, "dead", [settlement(job, reason, AWAY) for job in self.held[worker]])

    def settle(self, worker: int, status: str, settlements: list[Settlement]) -> None:
        late = settle(settlements)
        assert [one.job for one in late] == [job for job in self.held[worker] if not self.owns(job)]
        self.end_claims(worker, status)

    @rule(worker=WORKERS)
    def release(self, worker: int) -> None:
        release(self.held[worker])
        self.end_claims(worker, "pending")

    @rule(worker=WORKERS)
    def die(self, worker: int) -> None:
        """A new worker takes its place, and knows nothing."""
        self.held[worker] = []
        self.claimers[worker] = Claimer()

    @rule(seconds=st.sampled_from([7, 25, 61]))
    def let_time_pass(self, seconds: int) -> None:
        let_pass(seconds)
        self.owners = {id: (claim, age + seconds) for id, (claim, age) in self.owners.items()}

    @rule()
    def sweep(self) -> None:
        lost = [id for id, (_, age) in self.owners.items() if age > LEASE_SECONDS]
        assert rescue() == len(lost)
        for id in lost:
            del self.owners[id]
            self.model[id] = "pending"

    @rule(worker=WORKERS)
    def stall(self, worker: int) -> None:
        """One worker stands still past its leases, and the other goes on with its jobs."""
        self.claim(worker, 2)
        self.let_time_pass(61)
        self.sweep()
        self.claim(1 - worker, 5)

    @rule()
    def requeue(self) -> None:
        dead = [id for id, status in self.model.items() if status == "dead"]
        assert requeue(self.model) == len(dead)
        self.model |= dict.fromkeys(dead, "pending")

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        if hasattr(self, "model"):
            assert dict(Job.objects.values_list("id", "status")) == self.model
            claims = Job.objects.filter(status="running").values_list("id", "claim_id")
            assert dict(claims) == {id: claim for id, (claim, _) in self.owners.items()}
            assert_consistent()

    def teardown(self) -> None:
        """In the end every job gets its turn, whatever happened to it."""
        if not hasattr(self, "model"):
            return
        for _ in range(ENOUGH_TURNS):
            if set(self.model.values()) <= {"succeeded", "dead"}:
                return
            self.let_time_pass(61)
            self.sweep()
            self.claim(0, 5)
            self.succeed(0)
        raise AssertionError("some job is never claimed again")

    def owns(self, job: ClaimedJob) -> bool:
        return self.owners.get(job.id, (None,))[0] == job.claim_id

    def end_claims(self, worker: int, status: str) -> None:
        for job in self.held[worker]:
            if self.owns(job):
                del self.owners[job.id]
                self.model[job.id] = status
        self.held[worker] = []


def run(examples: int, **options: Any) -> None:
    patience = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Queue,
        settings=hypothesis.settings(
            max_examples=examples, stateful_step_count=25, deadline=None, database=None,
            suppress_health_check=patience, **options,
        ),
    )  # fmt: skip


def test_no_order_of_steps_breaks_the_queue() -> None:
    run(12)


FENCES = {
    "SETTLE": " AND jobs.claim_id = line.claim_id",
    "SETTLE_JOB": " AND claim_id = %(claim_id)s",
    "RELEASE": " AND jobs.claim_id = v.claim_id",
    "RELEASE_JOB": " AND claim_id = %(claim)s",
    "CHARGE": " AND claim_id = %(claim)s",
    "CHARGE_JOB": " AND claim_id = %(claim)s",
}


@pytest.mark.parametrize("step", ["SETTLE", "RELEASE", "CHARGE"])
def test_without_its_fence_a_step_is_found_to_break_it(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, store = _statement(step, statements())
    sound = getattr(store, name)
    assert FENCES[name] in sound
    monkeypatch.setattr(store, name, sound.replace(FENCES[name], ""))

    with pytest.raises(AssertionError):
        run(100, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False)


def _statement(step: str, store: ModuleType) -> tuple[str, ModuleType]:
    return (step, postgres) if store is postgres else (f"{step}_JOB", sqlite)
