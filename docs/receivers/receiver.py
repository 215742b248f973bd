"""A webhook receiver that needs nothing but Python: `HOOKLINE_SECRET=whsec_… PORT=9000 python3 receiver.py`.

It takes a delivery only if its signature is right and its time is near, and handles each event once.
"""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Several, separated by spaces, while you change from one to the next.
SECRETS = os.environ["HOOKLINE_SECRET"].split()
# The keys that Standard Webhooks makes of them.
KEYS = [
    base64.b64decode(secret[6:], validate=True) if secret.startswith("whsec_") else secret.encode()
    for secret in SECRETS
]
if not KEYS or not all(KEYS):
    raise SystemExit("HOOKLINE_SECRET: set it to the endpoint's secret")
TOLERANCE_SECONDS = 5 * 60
LARGEST_BODY = 1024 * 1024
MOST_SEEN = 100_000


def handle(event_id: str, body: bytes) -> None:
    """Your work. If it raises, there is no answer, and HookLine tries again later."""
    document = json.loads(body)
    event = document.get("event", document)
    print(event_id, event.get("topic") or event.get("type"), flush=True)


def authentic_id(headers: Mapping[str, str], body: bytes) -> str | None:
    """The event's id if the delivery is signed with one of our secrets and not old; else None."""
    if "webhook-signature" in headers:
        return standard_id(headers, body)
    return hookline_id(headers, body)


def standard_id(headers: Mapping[str, str], body: bytes) -> str | None:
    """By Standard Webhooks: `webhook-signature` is base64 of HMAC-SHA256 over `id.timestamp.body`."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "").split()  # one for each secret of the endpoint
    signed = f"{event_id}.{timestamp}.".encode() + body
    for key in KEYS:
        expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        if any(same(expected, signature) for signature in signatures) and is_near(timestamp, 1):
            return event_id
    return None


def hookline_id(headers: Mapping[str, str], body: bytes) -> str | None:
    """By `x-hl-signature`: hexadecimal HMAC-SHA256 over `timestamp.body`, the time in milliseconds. The id
    must come from the body, since no header but the time is signed."""
    timestamp = headers.get("x-hl-timestamp", "")
    signed = timestamp.encode() + b"." + body
    for secret in SECRETS:
        expected = "v1=" + hmac.digest(secret.encode(), signed, hashlib.sha256).hex()
        if same(expected, headers.get("x-hl-signature", "")) and is_near(timestamp, 1000):
            return str(json.loads(body)["event_id"])
    return None


def same(expected: str, given: str) -> bool:
    """Takes as long for a wrong signature as for a right one."""
    return hmac.compare_digest(expected.encode(), given.encode())


def is_near(timestamp: str, units_per_second: int) -> bool:
    return timestamp.isdecimal() and abs(time.time() - int(timestamp) / units_per_second) <= TOLERANCE_SECONDS


# The last ids that were handled. In earnest, a unique column in the transaction of the work itself.
seen = OrderedDict[str, None]()
lock = threading.Lock()


def once(event_id: str, body: bytes) -> None:
    """Handles an event unless it has been. One at a time, so that two repeats cannot pass each other."""
    with lock:
        if event_id in seen:
            return
        handle(event_id, body)
        seen[event_id] = None  # after the work: if that fails, the next attempt is no repeat
        if len(seen) > MOST_SEEN:
            seen.popitem(last=False)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        if not 0 <= length <= LARGEST_BODY:
            self.answer(413)
            return
        # The body as it came: JSON that is parsed and written anew has another signature.
        body = self.rfile.read(length)
        event_id = authentic_id({name.lower(): text for name, text in self.headers.items()}, body)
        if event_id is None:
            self.answer(401)
            return
        once(event_id, body)
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Nothing: `handle` prints what matters."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
