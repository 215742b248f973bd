"""Writes a snapshot: all tables as they are at one moment, while events are taken and delivered."""

from datetime import UTC, datetime
from pathlib import Path

from hookline import __version__, failpoints
from hookline.progress import Progress, watched
from hookline.snapshot import file
from hookline.snapshot.file import FORMAT, VERSION, Digest, Writer
from hookline.snapshot.stores import Store, reading
from hookline.snapshot.tables import Table, all_tables


def create(path: Path, progress: Progress) -> int:
    """Returns how many rows were written."""
    with reading() as store, file.new(path) as writer:
        now = datetime.now(UTC).isoformat()
        writer.say(format=FORMAT, version=VERSION, hookline=__version__, made_at=now)
        return sum(_write(table, store, writer, progress) for table in all_tables())


def _write(table: Table, store: Store, writer: Writer, progress: Progress) -> int:
    total, digest = store.count(table), Digest()
    writer.say(table=table.name, columns=table.names, rows=total)
    for row in watched(store.rows(table), table.name, total, progress):
        line = table.encode(row)
        digest.add(line)
        writer.line(line)
    writer.say(count=digest.count, digest=digest.text)
    failpoints.reach("snapshot_table")
    return digest.count
