"""Looks what is amiss, has it told, and tends endpoints that fail: in every process, one at a time.

It is a thread of its own: neither long upkeep nor a slow alert channel keeps anybody from finding work,
nor each other. Web processes have one too, for the hour in which no worker is left.
"""

import random
import threading
import time
from datetime import timedelta

from deliveries import breaker, chores
from deliveries.alerts import book, conditions, notices
from deliveries.turns import alone
from hookline.database import now, patient
from hookline.heartbeat import Heartbeat

ALERTS = "alerts"
TEND = "tend"
LOOK_SECONDS = 5.0
JITTER = 0.25
# A worker that starts at the same time has had its first beat by then.
FIRST_LOOK_SECONDS = 20.0
PATIENCE_SECONDS = 5.0


def look() -> int:
    """Returns how many alerts began or ended."""
    try:
        with patient(PATIENCE_SECONDS):
            found = conditions.found(now())
        return book.update(found, now(), ALERTS)
    finally:  # what was noticed before must not wait until the store is well again
        notices.tell_due(now())


def run_due() -> None:
    """What is due and not already being done by another process."""
    chores.run_if_due(TEND, timedelta(seconds=30), lambda progress: breaker.tend())
    chores.run_if_due(ALERTS, timedelta(seconds=15), lambda progress: look())


class Watch:
    """For a process without a sweep: says that it is alive, and watches, until `stop`."""

    def __init__(self, stop: threading.Event, kind: str) -> None:
        self.stop = stop
        self.heartbeat = Heartbeat(kind)
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def join(self, seconds: float) -> None:
        self.thread.join(seconds)

    def _run(self) -> None:
        while not self.stop.is_set():
            alone(self._turn)
            self.stop.wait(LOOK_SECONDS * random.uniform(1 - JITTER, 1 + JITTER))
        alone(self.heartbeat.end)

    def _turn(self) -> None:
        self.heartbeat.beat()
        if time.monotonic() - self.began >= FIRST_LOOK_SECONDS:
            run_due()
