"""The thread in every worker that needs neither broker nor beat.

It finds due work when no bell was heard, takes back what dead workers owned, does the chores
that are due, takes the steps of runs, and says that this process is alive.
"""

import random
import threading
import time
from collections.abc import Callable

from django.db import connection

from deliveries import chores, pump, watch
from deliveries.queue.claim import Claimer
from deliveries.queue.settle import RESCUED_AT_ONCE, rescue
from deliveries.runs.work import work
from deliveries.turns import alone, safely
from hookline.counters import count
from hookline.families import SWEEPS
from hookline.heartbeat import Heartbeat

SWEEP_SECONDS = 2.0
JITTER = 0.25


def sweep() -> None:
    """What the whole installation needs done, by whoever comes first."""
    rescue_all()
    chores.run_due()


def rescue_all() -> None:
    while rescue() == RESCUED_AT_ONCE:
        pass


class Sweeper:
    """Sweeps until `stop`. Deliveries, chores, runs and the watch have threads of their own, so that none
    keeps the sweep from finding work and lost leases, nor from saying that it is alive."""

    def __init__(self, stop: threading.Event, kind: str = "worker") -> None:
        self.stop = stop
        self.heartbeat = Heartbeat(kind)
        self.claimer = Claimer()
        self.thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self.started: dict[str, threading.Thread] = {}

    def start(self) -> None:
        self.thread.start()

    def join(self, seconds: float) -> None:
        """Waits for the sweep, for a step of a run, and for the deliveries that it started, at most
        so long."""
        end = time.monotonic() + seconds
        self.thread.join(seconds)
        for name in ("runs", "pump"):
            if name in self.started:
                self.started[name].join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while not self.stop.is_set():
            safely(self._turn)
            self.stop.wait(SWEEP_SECONDS * random.uniform(1 - JITTER, 1 + JITTER))
        safely(self.heartbeat.end)
        connection.close()

    def _turn(self) -> None:
        self.heartbeat.beat(in_flight=pump.in_flight())
        look = self.claimer.look(far_back=True)
        if look.has_lanes and not look.is_paused and not pump.is_running():
            self._start("pump", lambda: pump.run(self.stop))
        rescue_all()
        self._start("chores", chores.run_due)
        self._start("runs", lambda: work(self.stop))
        self._start("watch", watch.run_due)
        count(SWEEPS)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        if name not in self.started or not self.started[name].is_alive():
            self.started[name] = threading.Thread(target=alone, args=[work], name=name, daemon=True)
            self.started[name].start()
