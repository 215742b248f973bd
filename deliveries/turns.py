"""What threads do again and again: a turn that fails is tried once more at the next."""

import logging
import threading
from collections.abc import Callable

from django.db import Error, connection

logger = logging.getLogger(__name__)


def alone(work: Callable[[], None]) -> None:
    """For a thread that ends with its work: the connection goes back to the pool."""
    safely(work)
    connection.close()


def safely(work: Callable[[], None]) -> None:
    """Whatever fails is tried again at the next turn: nothing else finds what was lost."""
    try:
        work()
    except Error as fault:
        logger.warning(
            "%s could not reach the database (%s); it tries again", threading.current_thread().name, fault
        )
        connection.close()
    except Exception:
        logger.exception("%s failed; it tries again", threading.current_thread().name)
