"""What a process that delivers does before it ends, once it is told to stop."""

import logging
import time

from django.conf import settings
from django.db import Error, connection

from deliveries import pump, traces
from deliveries.sweep import Sweeper
from hookline import counters
from hookline.lifecycle import GRACE_SECONDS

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.02


def drain(sweeper: Sweeper) -> None:
    """Waits for the sweep and for the pump, whoever started it, and writes the last counters."""
    deadline = time.monotonic() + settings.HL_DRAIN_SECS + GRACE_SECONDS
    sweeper.join(deadline - time.monotonic())
    while pump.is_running() and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    try:
        counters.flush()
    except Error as fault:
        logger.warning("The last counters could not be written (%s)", fault)
    connection.close()
    if traces.ARE_MADE:
        traces.spans.end()
