"""The data directory, and the secrets that `serve` makes and keeps there.

It is read and written before the settings are complete, so it knows nothing of them.
"""

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

PRIVATE_DIRECTORY, PRIVATE_FILE = 0o700, 0o600

SECRETS: Mapping[str, Callable[[], str]] = {
    "HL_API_KEY": lambda: "hl_live_" + secrets.token_urlsafe(32),
    "HL_MASTER_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    "HL_SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "HL_CONSOLE_PASS": lambda: secrets.token_urlsafe(12),
}


def prepare(directory: Path, given: Mapping[str, str]) -> None:
    """Makes the directory, and each secret that is neither given nor kept there already."""
    directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(0, "cannot be written to", str(directory))
    secrets_in(directory).mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    for name, make in SECRETS.items():
        if not given.get(name, "").strip() and not kept_secret(directory, name):
            _keep(secrets_in(directory) / name, make())


def secrets_in(directory: Path) -> Path:
    return directory / "secrets"


def kept_secret(directory: Path, name: str) -> str:
    path = secrets_in(directory) / name
    return path.read_text().strip() if path.is_file() else ""


def _keep(path: Path, secret: str) -> None:
    """Whole or not at all, also after a power cut: data that is sealed with a key outlives it."""
    unfinished = path.with_suffix(".new")
    with open(unfinished, "w", opener=_private) as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)
