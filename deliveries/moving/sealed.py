"""Secrets on their way to another installation, under a passphrase instead of its master key."""

import base64
import os

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hookline import keyring

LEAST = 12
SALT_BYTES = 16
# 64 MB and about a fifth of a second for each guess.
COST, BLOCKS, LANES = 2**16, 8, 1


class Box:
    """Seals and opens with the key that the passphrase and the salt make."""

    def __init__(self, passphrase: str, salt: bytes | None = None) -> None:
        self.salt = salt or os.urandom(SALT_BYTES)
        made = Scrypt(self.salt, length=keyring.KEY_BYTES, n=COST, r=BLOCKS, p=LANES)
        self.keys = {1: made.derive(passphrase.encode())}

    def seal(self, text: str, context: str) -> str:
        return base64.b64encode(keyring.seal(text, context, self.keys)).decode()

    def open(self, text: str, context: str) -> str:
        """Raises CannotOpen."""
        return keyring.unseal(base64.b64decode(text), context, self.keys)
