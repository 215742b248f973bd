"""Takes deliveries, and notes of them what a scenario asks for.

POST /fast answers at once, /hang after 20 s. /timed notes how old each event is in ms, counted from the field
`sent_ns` of its payload by the clock of this machine; /counted notes when each arrives, in seconds; /held
answers after 50 ms and notes how many it then holds. GET of the same path gives the notes and forgets them.

It knows only what HTTP our sender speaks, and so takes less of the machine than a server for everybody would.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import defaultdict

HANG_SECONDS = 20.0
HOLD_SECONDS = 0.05
BACKLOG = 4096
REQUEST = re.compile(rb"(\w+) /(\w+)")
SENT = re.compile(rb'"sent_ns":(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
END = b"\r\n\r\n"

_notes: defaultdict[bytes, list[float]] = defaultdict(list)
_held = 0


class Receiver(asyncio.Protocol):
    """One connection, which is kept alive and carries one request after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.read = transport, b""

    def data_received(self, data: bytes) -> None:
        self.read += data
        head, end, body = self.read.partition(END)
        length = LENGTH.search(head)
        if end and len(body) >= int(length[1] if length else 0):
            self.read = b""
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        request = REQUEST.match(head)
        assert request
        method, path = request.groups()
        if method == b"GET":
            self._answer(json.dumps(_notes.pop(path, [])).encode())
        elif path == b"hang":
            asyncio.get_running_loop().call_later(HANG_SECONDS, self._answer)
        elif path == b"held":
            self._hold()
        else:
            if path == b"timed" and (sent := SENT.search(body)):
                _notes[path].append((time.time_ns() - int(sent[1])) / 1e6)
            elif path == b"counted":
                _notes[path].append(time.monotonic())
            self._answer()

    def _hold(self) -> None:
        global _held
        _held += 1
        _notes[b"held"].append(_held)
        asyncio.get_running_loop().call_later(HOLD_SECONDS, self._let_go)

    def _let_go(self) -> None:
        global _held
        _held -= 1
        self._answer()

    def _answer(self, body: bytes = b"") -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


def start(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", __name__, str(port)], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
