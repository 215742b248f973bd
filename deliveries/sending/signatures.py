"""Signatures over a delivery: HookLine's own and the Standard Webhooks one."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

WHSEC = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return WHSEC + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


@dataclass(frozen=True, slots=True)
class Key:
    """A secret as each of the two schemes takes it."""

    hookline: bytes
    standard: bytes


def key_of(secret: str) -> Key:
    """HookLine's own scheme takes a secret as it is spelled. To the other a `whsec_` secret is base64."""
    spelled = secret.encode()
    if secret.startswith(WHSEC):
        try:
            return Key(spelled, base64.b64decode(secret[len(WHSEC) :], validate=True))
        except binascii.Error:
            pass
    return Key(spelled, spelled)


def hookline(key: Key, timestamp_ms: int, body: bytes) -> str:
    """`x-hl-signature`: v1= and the hex HMAC-SHA256 of `timestamp.body`."""
    message = b"%d.%b" % (timestamp_ms, body)
    return "v1=" + hmac.digest(key.hookline, message, hashlib.sha256).hex()


def standard(keys: Iterable[Key], event_id: str, timestamp: int, body: bytes) -> str:
    """`webhook-signature` of the Standard Webhooks specification, one for each key."""
    message = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
    return " ".join([_standard_one(key, message) for key in keys])


def _standard_one(key: Key, message: bytes) -> str:
    digest = hmac.digest(key.standard, message, hashlib.sha256)
    return "v1," + binascii.b2a_base64(digest, newline=False).decode()
