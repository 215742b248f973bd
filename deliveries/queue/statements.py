"""Which store's statements the queue speaks."""

from types import ModuleType

from deliveries.queue import postgres, sqlite
from hookline.database import is_postgres


def statements() -> ModuleType:
    return postgres if is_postgres() else sqlite
