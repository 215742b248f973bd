"""Takes deliveries: POST /fast answers at once, /timed notes how old each event is, /hang waits.

GET /timed gives the ages in ms and forgets them. The age is counted from the field `sent_ns` of the
payload, by the clock of this machine. It knows only what HTTP our sender speaks, and so takes less of the
machine than a server for everybody would.
"""

import asyncio
import json
import re
import subprocess
import sys
import time

HANG_SECONDS = 20.0
BACKLOG = 4096
SENT = re.compile(rb'"sent_ns":(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
END = b"\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

_ages: list[float] = []


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
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST /fast"):
            self.transport.write(EMPTY)
        elif head.startswith(b"POST /hang"):
            asyncio.get_running_loop().call_later(HANG_SECONDS, self.transport.write, EMPTY)
        elif head.startswith(b"POST /timed"):
            if found := SENT.search(body):
                _ages.append((time.time_ns() - int(found[1])) / 1e6)
            self.transport.write(EMPTY)
        else:
            self._tell()

    def _tell(self) -> None:
        told = json.dumps(_ages).encode()
        _ages.clear()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=BACKLOG)
    await server.serve_forever()


def start(port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", __name__, str(port)], stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
