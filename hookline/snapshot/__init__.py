"""One store to a file and back, to either store: all that an installation knows, secrets sealed."""

from hookline.snapshot.create import create
from hookline.snapshot.file import BadSnapshot
from hookline.snapshot.restore import NotRestored, restore, validate

__all__ = ["BadSnapshot", "NotRestored", "create", "restore", "validate"]
