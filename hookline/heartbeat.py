"""How processes let each other and the console know that they are alive."""

import os
import socket

from hookline import __version__
from hookline.database import now
from hookline.ids import uuid7
from hookline.models import Process

# The kinds of process that carry out deliveries.
DELIVERERS = ("worker", "serve", "deliver")


class Heartbeat:
    """One row for one process, written at each beat and removed at a proper end."""

    def __init__(self, kind: str) -> None:
        self.id = uuid7()
        self.kind = kind

    def beat(self, *, in_flight: int = 0, streams: int = 0) -> None:
        moment = now()
        beating = Process.objects.filter(id=self.id)
        if not beating.update(seen_at=moment, in_flight=in_flight, streams=streams):
            Process.objects.create(
                id=self.id,
                kind=self.kind,
                host=socket.gethostname(),
                pid=os.getpid(),
                version=__version__,
                started_at=moment,
                seen_at=moment,
                in_flight=in_flight,
                streams=streams,
            )

    def end(self) -> None:
        Process.objects.filter(id=self.id).delete()
