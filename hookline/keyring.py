"""Secrets at rest: AES-256-GCM, bound to the row they belong to, with keys that can be rotated.

A sealed value is `version(1) + key id(2) + nonce(12) + ciphertext`. The context (table, row and
column) is authenticated with it, so a value copied to another row does not open.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
KEY_BYTES, NONCE_BYTES = 32, 12


class CannotOpen(Exception):
    """The sealed value was made with another key or for another row."""


def parse_keys(text: str) -> dict[int, bytes]:
    """`<key>` or `2:<key>,1:<key>`, each base64 or hex of 32 bytes; the first one writes."""
    keys: dict[int, bytes] = {}
    for word in filter(None, re.split(r"[\s,]+", text)):
        number, _, key = word.rpartition(":")
        if number and not (number.isdecimal() and 0 < int(number) < 2**16):
            raise ValueError("number the keys from 1 to 65535, as in 2:<key>,1:<key>")
        if keys.setdefault(int(number or 1), parsed := parse_key(key)) is not parsed:
            raise ValueError(f"two keys bear the number {number or 1}")
    return keys


def parse_key(text: str) -> bytes:
    for decode in (bytes.fromhex, lambda t: base64.b64decode(t, validate=True)):
        try:
            if len(key := decode(text)) == KEY_BYTES:
                return key
        except (ValueError, binascii.Error):
            continue
    raise ValueError("write base64 or hex of 32 random bytes, such as `openssl rand -base64 32`")


def seal(text: str, context: str, keys: Mapping[int, bytes]) -> bytes:
    number = next(iter(keys))
    nonce = os.urandom(NONCE_BYTES)
    head = VERSION + number.to_bytes(2, "big")
    return head + nonce + AESGCM(keys[number]).encrypt(nonce, text.encode(), head + context.encode())


def unseal(box: bytes, context: str, keys: Mapping[int, bytes]) -> str:
    """The text again. Raises CannotOpen for a wrong key, row or version."""
    head, nonce, sealed = box[:3], box[3 : 3 + NONCE_BYTES], box[3 + NONCE_BYTES :]
    key = keys.get(int.from_bytes(head[1:], "big"))
    if head[:1] != VERSION or key is None:
        raise CannotOpen(f"no key opens the secret of {context}")
    return _decrypted(key, nonce, sealed, head + context.encode())


@lru_cache(maxsize=10_000)
def _decrypted(key: bytes, nonce: bytes, sealed: bytes, context: bytes) -> str:
    try:
        return AESGCM(key).decrypt(nonce, sealed, context).decode()
    except (InvalidTag, ValueError):  # the second for what is too short to hold a nonce
        raise CannotOpen("the secret was sealed with another key or for another row") from None


def key_of(box: bytes) -> int:
    """The number of the key that sealed this value."""
    return int.from_bytes(box[1:3], "big")
