"""Everything in one process: the web server in the main thread, the deliveries in others.

The layout of the embedded store, and of PostgreSQL without a broker. Celery runs here too, over
a broker in memory, so that a publish wakes deliveries the way it does in a larger installation.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from deliveries.sweep import Sweeper
from hookline import banner, draining, lifecycle, web
from hookline.celery import app
from hookline.lifecycle import stopping

LAYOUT = "in this one process"
# One thread delivers as long as there is work; the other takes the bells that are rung meanwhile.
CELERY_THREADS = 2
LOOK_SECONDS = 0.02


def run(announce: Callable[[], None] = lambda: banner.show(LAYOUT)) -> None:
    """Serves and delivers until SIGTERM or SIGINT; does not return. `announce` is called when it
    answers."""
    sweeper = Sweeper(stopping, kind="serve")
    sweeper.start()
    threading.Thread(target=_hear_bells, name="bells", daemon=True).start()
    threading.Thread(target=_announce, args=[announce], name="announce", daemon=True).start()
    web.serve()
    draining.drain(sweeper)  # Celery itself has nothing to lose
    lifecycle.leave()


def _hear_bells() -> None:
    options: dict[str, Any] = dict.fromkeys(["without_gossip", "without_mingle", "without_heartbeat"], True)
    app.WorkController(pool="threads", concurrency=CELERY_THREADS, quiet=True, **options).start()


def _announce(announce: Callable[[], None]) -> None:
    while not stopping.is_set() and not banner.is_answering():
        time.sleep(LOOK_SECONDS)
    if not stopping.is_set():
        announce()
