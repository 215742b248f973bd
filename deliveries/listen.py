"""Hands events on to a server of the developer's, as HookLine would deliver them. Nothing of it is kept:
no job, no attempt, no retry.
"""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests

from deliveries.documents import Stored
from deliveries.sending import signatures
from deliveries.sending.envelope import seal
from deliveries.work import Answer, ClaimedJob, Policy, Target
from hookline.ids import NO_ID, uuid7

TIMEOUT_SECONDS = 30


@dataclass
class Receiver:
    """Where events are handed on to, and how."""

    url: str
    payload_format: str
    secret: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False  # no proxy stands before one's own machine
        key = (signatures.key_of(self.secret),)
        self.target = Target(
            NO_ID, self.url, TIMEOUT_SECONDS * 1000, self.payload_format, (), Policy(()), key, key, None
        )

    def take(self, event: Stored) -> Answer:
        """One signed request, and what came back; without a status if nothing did."""
        moment, started = datetime.now(UTC), time.monotonic()
        job = ClaimedJob(
            uuid7(), NO_ID, event.tenant_id, event.id, NO_ID, 0, 0, 0, moment, event, self.target, None
        )
        request = seal(job, uuid7(), moment)
        headers = dict(line.split(": ", 1) for line in request.headers)
        try:
            response = self.session.post(
                self.url, request.body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as fault:
            return Answer(0, "connect", _reason(fault), duration_ms=_since(started))
        error = None if response.ok and not response.is_redirect else "refused"
        return Answer(response.status_code, error, duration_ms=_since(started))


def secret_of(installation: str) -> str:
    """The same at every start, so that a receiver is told once; and telling it tells nothing of the key
    that it comes from. Another each time where there is no such key."""
    if not installation:
        return signatures.new_secret()
    derived = hmac.digest(installation.encode(), b"hookline listen", hashlib.sha256)
    return signatures.WHSEC + base64.b64encode(derived).decode()


def _reason(fault: requests.RequestException) -> str:
    if isinstance(fault, requests.Timeout):
        return f"It did not answer within {TIMEOUT_SECONDS} s."
    return "Nothing listens there." if isinstance(fault, requests.ConnectionError) else str(fault)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
