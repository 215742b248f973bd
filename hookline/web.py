"""The web server: granian's WSGI worker, in our own process.

granian's own launcher starts a worker in a child process and stops it in an order of its own. We
want one process, one order of stopping for requests and deliveries, and no import of Django twice.
`MTServer`, which granian keeps for Python without a GIL, runs the same worker in a thread; it works
under a GIL as well, so that check is left out here. Several processes may serve one port: each
listens with SO_REUSEPORT.
"""

import signal
from typing import Any

from django.conf import settings
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mt import MTServer

from hookline import bodies, lifecycle
from hookline.lifecycle import stopping
from hookline.wsgi import application

# Requests at work in one process, streams among them; and connections, most of which are idle.
THREADS = 128
CONNECTIONS = 8192
# Longer than the 60 s for which proxies keep a connection: else they meet one that we just closed.
IDLE_SECONDS = 75


class Server(MTServer):
    def __init__(self) -> None:
        super().__init__(
            "hookline",
            address=settings.HL_LISTEN_ADDR,
            port=settings.HL_PORT,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=IDLE_SECONDS * 1000),
            blocking_threads=THREADS,
            backpressure=CONNECTIONS,
            # Its warnings are about the missing check; where its records go, our settings say.
            log_level=LogLevels.error,
            log_dictconfig={"incremental": True, "handlers": {}, "loggers": {}},
        )
        self.outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # as nohup asks

    def _check_gil(self) -> None:
        """Any Python will do."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        if not stopping.is_set():
            stopping.set()
            lifecycle.leave_within(settings.HL_DRAIN_SECS + lifecycle.GRACE_SECONDS)
            super().signal_handler_interrupt()  # type: ignore[no-untyped-call]

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
        if not self.outlives_terminal:
            self.signal_handler_interrupt()


def serve() -> None:
    """Serves until SIGTERM or SIGINT, and then until the requests under way have ended."""
    bodies.end_slow_ones(settings.HL_PORT)
    Server().serve(target_loader=lambda: application, wrap_loader=False)
