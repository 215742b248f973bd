"""Signatures over a delivery: HookLine's own and the Standard Webhooks one."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

WHSEC = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return WHSEC + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def hookline(secret: str, timestamp_ms: int, body: bytes) -> str:
    """`x-hl-signature`: v1= and the hex HMAC-SHA256 of `timestamp.body`."""
    message = b"%d.%b" % (timestamp_ms, body)
    return "v1=" + hmac.digest(secret.encode(), message, hashlib.sha256).hex()


def standard(secrets: Iterable[str], event_id: str, timestamp: int, body: bytes) -> str:
    """`webhook-signature` of the Standard Webhooks specification, one for each secret."""
    message = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    return " ".join(_standard_one(secret, message) for secret in secrets)


def _standard_one(secret: str, message: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(_key(secret), message, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    """A `whsec_` secret is base64; any other is used as it is spelled."""
    if secret.startswith(WHSEC):
        try:
            return base64.b64decode(secret[len(WHSEC) :], validate=True)
        except binascii.Error:
            pass
    return secret.encode()
