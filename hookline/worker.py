"""How a Celery worker starts, sweeps and stops, whatever the state of its broker.

The worker's main process owns the broker's connection and may hang with it. So it tells its pool
processes of the stop through a pipe: they read its end when the main process closes it, or dies.
"""

import os
import signal
import threading
import warnings
from typing import Any

from celery import signals
from celery.concurrency.prefork import TaskPool as Prefork
from celery.exceptions import SecurityWarning
from django.conf import settings

from deliveries.sweep import Sweeper
from hookline import draining, lifecycle, start
from hookline.lifecycle import stopping

_pipe: tuple[int, int] | None = None
_sweeper: Sweeper | None = None  # of this process of the pool


@signals.setup_logging.connect
def keep_logging(**signal: Any) -> None:
    """That there is a receiver keeps Celery from changing what our settings say about logging."""


@signals.celeryd_init.connect
def prepare(**signal: Any) -> None:
    start.require_secrets()
    start.raise_file_limit()
    # Its warning of root is about pickled messages, which we do not accept.
    warnings.simplefilter("ignore", SecurityWarning)


@signals.celeryd_after_setup.connect
def start_main_process(instance: Any, **signal: Any) -> None:
    """Sent only to a worker that was started by itself. `worker_ready`, which would come later,
    never comes while the broker is away."""
    global _pipe
    if issubclass(instance.pool_cls, Prefork):
        _pipe = os.pipe()
        # Connected only now, to come after Celery's receiver, which closes inherited connections.
        signals.worker_process_init.connect(start_pool_process)
    else:
        Sweeper(stopping).start()


@signals.worker_shutting_down.connect
def stop_main_process(**signal: Any) -> None:
    if not stopping.is_set():
        stopping.set()
        lifecycle.leave_within(settings.HL_DRAIN_SECS + lifecycle.GRACE_SECONDS)
        if _pipe:
            os.close(_pipe[1])


def start_pool_process(**_: Any) -> None:
    global _sweeper
    assert _pipe
    start.calm_collector()
    line, ours = _pipe
    os.close(ours)
    _sweeper = sweeper = Sweeper(stopping)
    sweeper.start()
    threading.Thread(target=_hear_main_process, args=[line, sweeper], name="stop", daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *args: _leave_soon(sweeper))


@signals.worker_process_shutdown.connect
def finish_pool_process(**signal: Any) -> None:
    """A process of the pool must not end before the deliveries that its sweep had started. It may
    get here before the pipe has told it of the stop."""
    if _sweeper:
        _drain(_sweeper)


def _hear_main_process(line: int, sweeper: Sweeper) -> None:
    parent = os.getppid()
    os.read(line, 1)  # returns when the pipe's other end is closed
    _drain(sweeper)
    if os.getppid() != parent:
        lifecycle.leave()


def _leave_soon(sweeper: Sweeper) -> None:
    """For a SIGTERM to this process alone, which the pool replaces."""

    def leave() -> None:
        _drain(sweeper)
        lifecycle.leave()

    threading.Thread(target=leave, name="leave", daemon=True).start()


def _drain(sweeper: Sweeper) -> None:
    stopping.set()
    lifecycle.leave_within(settings.HL_DRAIN_SECS + lifecycle.GRACE_SECONDS)
    draining.drain(sweeper)
