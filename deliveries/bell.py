"""Wakes the workers after a commit, through the broker. Nothing depends on it.

One thread rings for the whole process, so that no publish ever waits for a broker that is
refused or hangs. Rings that come close together become one.
"""

import logging
import os
import threading
import time

from hookline.celery import app
from hookline.counters import count
from hookline.families import BELL_FAILURES, BELLS

logger = logging.getLogger(__name__)

TASK = "deliveries.deliver_due"
RING_SECONDS = 0.03
EXPIRY_SECONDS = 5
PAUSE_SECONDS = 5.0


class Ringer:
    """The thread that rings. It starts with the first ring, so that each forked process has one."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self.process: int | None = None
        self.lock = threading.Lock()

    def ring(self) -> None:
        if self.process != os.getpid():
            self._start()
        self.wanted.set()

    def _start(self) -> None:
        with self.lock:
            if self.process != os.getpid():
                self.process = os.getpid()
                threading.Thread(target=self._run, name="bell", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            time.sleep(RING_SECONDS if send() else PAUSE_SECONDS)


def send() -> bool:
    """Asks one worker to look for due work; false if the broker did not take the message."""
    try:
        app.send_task(TASK, expires=EXPIRY_SECONDS, retry=False, ignore_result=True)
    except Exception as fault:  # noqa: BLE001 - brokers raise errors of their own libraries
        logger.warning("The broker did not take a bell (%s); the sweep finds the work.", type(fault).__name__)
        count(BELL_FAILURES)
        return False
    count(BELLS)
    return True


_ringer = Ringer()
ring = _ringer.ring
