"""Carries out deliveries, many at a time. Each job goes through four steps:

    request = seal(job, …)             computes what to send
    answer = client.start(…), poll()   the network and nothing else
    verdict = decide(answer, …)        computes what becomes of the job
    settle(settlements)                the database and nothing else

Everything happens in one loop that never waits for a single request, so a slow endpoint holds
only its own slots. Answers are settled in batches, and slots that fell free are filled in batches.
"""

import logging
import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from msgspec import Struct

from deliveries import retries, telemetry
from deliveries.clock import Clock
from deliveries.queue.claim import Claimer
from deliveries.queue.settle import charge, release, settle
from deliveries.retries import decide
from deliveries.sending import egress
from deliveries.sending.client import Client
from deliveries.sending.envelope import seal
from deliveries.slots import PATIENT_SECONDS, Slots
from deliveries.work import Answer, ClaimedJob, Dead, Outcome, Settlement
from hookline import database, failpoints
from hookline.ids import uuid7

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.002
LOOK_FAR_BACK_SECONDS = 1.0
SETTLE_SECONDS = 0.005
SETTLED_AT_ONCE = 500
# While most slots are busy, those that fall free are gathered for so long: a claim of many jobs
# costs little more than a claim of one.
GATHER_SECONDS = 0.01
COUNT_PATIENT_SECONDS = 0.05
LINGER_SECONDS = 1.0
DATABASE_PAUSE_SECONDS = 0.2
# A job is given up when it was started this often after its first loss and never answered for.
MOST_LOSSES = 3

_one_per_process = threading.Lock()
_running: "Pump | None" = None


def run(stop: threading.Event, linger_seconds: float = LINGER_SECONDS) -> None:
    """Delivers until nothing was due for so long, or until `stop`. A process runs one pump; a
    second call returns at once."""
    global _running
    if _one_per_process.acquire(blocking=False):
        try:
            _running = Pump(stop)
            _running.run(linger_seconds)
        finally:
            _running = None
            _one_per_process.release()


def is_running() -> bool:
    return _one_per_process.locked()


def in_flight() -> int:
    """Requests that this process has under way."""
    return _running.client.in_flight if _running else 0


class Sent(Struct, frozen=True):
    """A request under way."""

    job: ClaimedJob
    attempt_id: UUID
    started_at: datetime


class Pump:
    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.client = Client(egress.guard(), egress.authorities())
        self.claimer = Claimer()
        self.clock = Clock(database.now())
        self.slots = Slots(settings.HL_DELIVERY_WORKERS, settings.SLOTS_EXTEND)
        self.patient = 0
        self.unsettled: list[Settlement] = []
        self.unsettled_since = 0.0
        self.worked_at = time.monotonic()
        self.looked_at = self.looked_far_back_at = self.database_failed_at = 0.0
        self.polled_at = self.counted_at = 0.0
        database.plan_every_time()

    def run(self, linger_seconds: float) -> None:
        try:
            while not self.stop.is_set() and self._has_work_for(linger_seconds):
                self._turn(refill=True)
            self._drain()
        finally:
            self.client.close()

    def _turn(self, refill: bool) -> None:
        """Settles, refills, and waits for the network, in that order and none of them for long."""
        if self._has_passed(self.database_failed_at, DATABASE_PAUSE_SECONDS):
            with self._database_may_fail():
                if self._is_time_to_settle():
                    self._settle()
                if refill and self._is_time_to_refill():
                    self._refill()
        self.polled_at = time.monotonic()
        for sent, answer in self.client.poll(self._patience()):
            self._conclude(sent, answer)
        failpoints.reach("after_send")

    def _drain(self) -> None:
        """Lets open requests end, for HL_DRAIN_SECS; then drops them and gives their jobs back."""
        deadline = time.monotonic() + settings.HL_DRAIN_SECS
        while (self.client.in_flight or self.unsettled) and time.monotonic() < deadline:
            self._turn(refill=False)
        with self._database_may_fail():
            self._settle()
            release([sent.job for sent in self.client.abort()])

    def _refill(self) -> None:
        far_back = self._has_passed(self.looked_far_back_at, LOOK_FAR_BACK_SECONDS)
        look = self.claimer.look(far_back=far_back)
        self.looked_at = time.monotonic()
        if far_back:
            self.looked_far_back_at = self.looked_at
        self.clock.set(look.now)
        few = self.slots.per_endpoint(self.patient)
        for job in _charged(self.claimer.claim(self._free_slots(), look, few)):
            self._start(job)

    def _start(self, job: ClaimedJob) -> None:
        self.worked_at = time.monotonic()
        if job.event is None or job.target is None:
            self._finish(Settlement(job, None, Dead(retries.ORPHANED)))
        elif job.event.payload_removed:
            self._finish(Settlement(job, None, Dead(retries.PAYLOAD_REMOVED)))
        elif job.lost_count > MOST_LOSSES:
            self._finish(Settlement(job, None, Dead(retries.LEASE_LOST)))
        else:
            failpoints.reach("before_send")
            self._send(Sent(job, uuid7(), self.clock.now()))

    def _send(self, sent: Sent) -> None:
        try:
            self.client.start(sent, seal(sent.job, sent.attempt_id, sent.started_at))
        except Exception:  # whatever one tenant's data does must not stop the others' deliveries
            logger.exception("Job %s could not be sent", sent.job.id, extra=sent.job.place)
            self._conclude(sent, Answer(error="protocol", detail="HookLine could not make this request."))

    def _conclude(self, sent: Sent, answer: Answer) -> None:
        job, now = sent.job, self.clock.now()
        assert job.target
        verdict = decide(answer, job.target.policy, job.budget_spent, now, random.random())
        outcome = Outcome(sent.attempt_id, sent.started_at, job.target.hushed(answer))
        self._finish(Settlement(job, outcome, verdict))

    def _finish(self, settlement: Settlement) -> None:
        if not self.unsettled:
            self.unsettled_since = time.monotonic()
        self.unsettled.append(settlement)

    def _settle(self) -> None:
        """What could not be settled stays, to be tried again: the fence makes that harmless."""
        while batch := self.unsettled[:SETTLED_AT_ONCE]:
            failpoints.reach("before_settle")
            late = settle(batch)
            failpoints.reach("after_settle")
            del self.unsettled[: len(batch)]
            for settlement in late:
                job = settlement.job
                logger.warning("Job %s had lost its lease; its answer was dropped", job.id, extra=job.place)
            telemetry.count_late(late)
            telemetry.count_settled([settlement for settlement in batch if settlement not in late])

    @contextmanager
    def _database_may_fail(self) -> Iterator[None]:
        """A database that is away stops claims and settling; requests under way go on."""
        try:
            yield
        except (OperationalError, InterfaceError) as fault:
            logger.warning("The database did not answer (%s); trying again", fault)
            telemetry.count_failure("pump")
            self.database_failed_at = time.monotonic()
            connection.close()

    def _is_time_to_settle(self) -> bool:
        waited = self._has_passed(self.unsettled_since, SETTLE_SECONDS)
        return bool(self.unsettled) and (waited or len(self.unsettled) >= SETTLED_AT_ONCE)

    def _is_time_to_refill(self) -> bool:
        free = self._free_slots()
        pause = LOOK_SECONDS if free * 2 > self.slots.prompt else GATHER_SECONDS
        return free > 0 and self._has_passed(self.looked_at, pause)

    def _has_work_for(self, seconds: float) -> bool:
        is_busy = bool(self.client.in_flight or self.unsettled)
        return is_busy or not self._has_passed(self.worked_at, seconds)

    def _free_slots(self) -> int:
        if self._has_passed(self.counted_at, COUNT_PATIENT_SECONDS):
            # Not by the time it is now: what came while we were at something else is no longer awaited.
            self.patient = self.client.count_before(self.polled_at - PATIENT_SECONDS)
            self.counted_at = time.monotonic()
        return self.slots.free(self.client.in_flight, min(self.patient, self.client.in_flight))

    def _patience(self) -> float:
        """How long the network may be waited for before there is something else to do."""
        until_settling = self.unsettled_since + SETTLE_SECONDS if self.unsettled else math.inf
        until_looking = self.looked_at + LOOK_SECONDS if self._free_slots() else math.inf
        patience = min(until_settling, until_looking) - time.monotonic()
        return max(0.0, min(patience, SETTLE_SECONDS))

    @staticmethod
    def _has_passed(moment: float, seconds: float) -> bool:
        return time.monotonic() - moment >= seconds


def _charged(jobs: Sequence[ClaimedJob]) -> list[ClaimedJob]:
    """The jobs, less those that were lost before and are no longer ours."""
    suspects = [job for job in jobs if job.lost_count]
    return [job for job in jobs if not job.lost_count] + (charge(suspects) if suspects else [])
