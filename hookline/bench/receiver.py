"""Takes deliveries: POST /fast answers at once, /timed notes how old each event is, /hang waits.

GET /timed gives the ages in ms and forgets them. The age is counted from the field `sent_ns` of the
payload, by the clock of this machine.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from typing import Any

HANG_SECONDS = 20.0
SENT = re.compile(rb'"sent_ns":(\d+)')

_ages: list[float] = []


async def app(scope: Any, protocol: Any) -> None:
    if scope.path.startswith("/hang"):
        await asyncio.sleep(HANG_SECONDS)
    elif scope.path.startswith("/timed"):
        if scope.method == "GET":
            protocol.response_str(200, [("content-type", "application/json")], json.dumps(_ages))
            _ages.clear()
            return
        if found := SENT.search(await protocol()):
            _ages.append((time.time_ns() - int(found[1])) / 1e6)
    protocol.response_empty(200, [])


def start(port: int) -> subprocess.Popen[bytes]:
    """One process with one thread of granian's."""
    options = ["--interface", "rsgi", "--http", "1", "--backpressure", "16384", "--backlog", "4096"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "critical"]
    command = [sys.executable, "-m", "granian", *options, *place, f"{__name__}:app"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)
