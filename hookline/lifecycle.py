"""How a process ends: the event that says so, and the last resort for what does not end."""

import logging
import os
import sys
import threading
import time
from typing import NoReturn

logger = logging.getLogger(__name__)

# Set once, when this process begins to stop. Streams end, pumps claim no more, sweeps cease.
stopping = threading.Event()

# What a stop may take beyond HL_DRAIN_SECS: to give claims back and to end threads.
GRACE_SECONDS = 1.5


def leave(status: int = 0) -> NoReturn:
    """Ends the process without waiting for its threads, some of which wait for a peer for ever."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(status)


def leave_within(seconds: float) -> None:
    """Lets the process live for so long and no longer."""
    threading.Thread(target=_leave_after, args=[seconds], name="deadline", daemon=True).start()


def _leave_after(seconds: float) -> None:
    time.sleep(seconds)
    logger.warning("Something did not end within %.1f s of the stop; leaving without it", seconds)
    leave()
