"""Reads a snapshot into an empty store, whole or not at all, and compares what then is there."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import Model

from deliveries.models import Endpoint, Event, InboxMessage, Job, Subscription
from hookline import failpoints, installation, keyring
from hookline.keyring import CannotOpen
from hookline.progress import Progress, watched
from hookline.snapshot import file
from hookline.snapshot.file import BadSnapshot, Digest, Reader
from hookline.snapshot.stores import Store, writing
from hookline.snapshot.tables import HELD, Table, all_tables
from tenants.models import ApiKey

# A store that holds none of these was never used.
MUST_BE_EMPTY: list[type[Model]] = [ApiKey, Endpoint, Subscription, Event, Job, InboxMessage]
# Left out, and refer to what is not.
MADE_ANEW: list[type[Model]] = [Group.permissions.through]
SECRET = "secret_box"  # noqa: S105 - the name of a column


class NotRestored(Exception):
    """The store was left as it was; the text says why."""


def validate(path: Path, progress: Progress) -> int:
    """Reads the whole file and compares every sum; returns its number of rows."""
    with file.reader(path) as reader:
        return sum(sum(1 for _ in rows) for _, _, rows in _tables(reader, progress))


def restore(path: Path, progress: Progress) -> int:
    """Returns how many rows were restored. The tables exist; an interruption leaves them empty."""
    with file.reader(path) as reader, writing() as store:
        _require_empty(store)
        for model in (*MADE_ANEW, *reversed(HELD)):
            store.empty(Table(model))  # of what every installation is made with
        digests = {}
        for table, digest, rows in _tables(reader, progress):
            store.load(table, rows)
            digests[table.name] = digest
            failpoints.reach("snapshot_table")
        _compare(store, digests, progress)
    installation.furnish()
    return sum(digest.count for digest in digests.values())


def _tables(reader: Reader, progress: Progress) -> Iterator[tuple[Table, Digest, Iterator[list[Any]]]]:
    known = {table.name: table for table in all_tables()}
    while head := reader.table():
        table, digest = known.pop(head["table"], None), Digest()
        if table is None or head["columns"] != table.names:
            raise BadSnapshot("The snapshot is of another version of HookLine: restore it with that one.")
        rows = _checked(table, reader.rows(digest))
        yield table, digest, watched(rows, table.name, int(head["rows"]), progress)
    if known:
        raise BadSnapshot(f"The snapshot lacks the table {next(iter(known))}.")


def _checked(table: Table, rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    """The same rows, whose secrets, where they have one, our keys open."""
    box = table.names.index(SECRET) if SECRET in table.names else None
    for row in rows:
        if box is not None and row[box]:
            _require_key(row[table.names.index("id")], base64.b64decode(row[box]))
        yield row


def _require_key(endpoint_id: str, box: bytes) -> None:
    try:
        keyring.unseal(box, f"endpoints/{endpoint_id}/secret", settings.HL_MASTER_KEY)
    except CannotOpen:
        raise NotRestored(
            "HL_MASTER_KEY does not open the secrets in the snapshot: set the key of where it was made."
        ) from None


def _require_empty(store: Store) -> None:
    used = [table for table in map(Table, MUST_BE_EMPTY) if store.count(table)]
    if used:
        names = ", ".join(table.name for table in used)
        raise NotRestored(f"The store is in use: it has rows in {names}. Restore into an empty one.")


def _compare(store: Store, digests: dict[str, Digest], progress: Progress) -> None:
    """What the store gives back now, with what the file said."""
    for table in all_tables():
        found = Digest()
        for row in watched(store.rows(table), f"{table.name}, compared", digests[table.name].count, progress):
            found.add(table.encode(row))
        failpoints.reach("snapshot_table")
        if found != digests[table.name]:
            raise NotRestored(f"The rows of {table.name} came out differently; nothing was restored.")
