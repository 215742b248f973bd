"""Takes deliveries and writes down each one, before it answers: when it came, which event it was, and
whether its signature holds.

`python -m hookline.chaos.receiver <port> <secret> <file>`. A request that could not be written down is not
answered. Answers take a moment, so that there are always requests under way.
"""

import asyncio
import hashlib
import hmac
import os
import subprocess
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

ANSWER_SECONDS = 0.03
SIGNED, FORGED = "signed", "forged"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def start(port: int, secret: str, file: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", __name__, str(port), secret, str(file)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=Path(__file__).parent.parent.parent)


def arrivals(file: Path) -> dict[str, list[float]]:
    """When each webhook-id arrived, as often as it did."""
    times: dict[str, list[float]] = defaultdict(list)
    for line in file.read_text().splitlines():
        moment, webhook_id, _ = line.split()
        times[webhook_id].append(float(moment))
    return times


def forged(file: Path) -> int:
    """How many requests had no signature that holds."""
    return sum(line.endswith(FORGED) for line in file.read_text().splitlines())


async def _take(log: int, secret: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            word = SIGNED if _is_signed(fields, body, secret) else FORGED
            os.write(log, f"{time.time():.6f} {fields['webhook-id']} {word}\n".encode())
            await asyncio.sleep(ANSWER_SECONDS)
            writer.write(OK)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _is_signed(fields: dict[str, str], body: bytes, secret: bytes) -> bool:
    message = fields["x-hl-timestamp"].encode() + b"." + body
    signature = "v1=" + hmac.new(secret, message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, fields.get("x-hl-signature", ""))


async def _listen(port: int, secret: bytes, file: str) -> None:
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    server = await asyncio.start_server(partial(_take, log, secret), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_listen(int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]))
