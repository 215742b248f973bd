"""The file: gzip over lines of JSON. A head, the rows of each table as arrays, its count and digest,
and at the end a checksum of all that came before."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hookline.files import new_file

FORMAT, VERSION = "hookline-snapshot", 1
LEVEL = 3  # twice as fast as 6, and a tenth larger


class BadSnapshot(Exception):
    """The file is damaged, or not one of ours; the text is a sentence."""


class Digest:
    """Of the rows of a table in any order, since the two stores sort texts differently."""

    def __init__(self) -> None:
        self.count, self.sum = 0, 0

    def add(self, line: bytes) -> None:
        self.count += 1
        self.sum = (self.sum + int.from_bytes(hashlib.sha256(line).digest(), "big")) % 2**256

    @property
    def text(self) -> str:
        return f"{self.sum:064x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and (self.count, self.sum) == (other.count, other.sum)

    __hash__ = None  # type: ignore[assignment]


class Writer:
    def __init__(self, file: gzip.GzipFile) -> None:
        self.file, self.checksum = file, hashlib.sha256()

    def line(self, line: bytes) -> None:
        self.file.write(line + b"\n")
        self.checksum.update(line + b"\n")

    def say(self, **document: Any) -> None:
        self.line(msgspec.json.encode(document))

    def end(self) -> None:
        self.say(end=FORMAT, sha256=self.checksum.hexdigest())


@contextmanager
def new(path: Path) -> Iterator[Writer]:
    with new_file(path) as raw, gzip.GzipFile("", "wb", LEVEL, raw) as file:
        writer = Writer(file)
        yield writer
        writer.end()


class Reader:
    """Reads what `Writer` wrote, once, and checks every sum on the way."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self.file, self.checksum = file, hashlib.sha256()
        self.head = self._document()
        if self.head.get("format") != FORMAT:
            raise BadSnapshot("This file is no snapshot of HookLine.")
        if self.head.get("version") != VERSION:
            raise BadSnapshot("The snapshot is of another version of HookLine: restore it with that one.")

    def table(self) -> dict[str, Any] | None:
        """The head of the next table; None at the end of the file, after comparing the checksum."""
        sum_so_far = self.checksum.hexdigest()
        document = self._document()
        if "table" in document:
            return document
        if document != {"end": FORMAT, "sha256": sum_so_far}:
            raise BadSnapshot("The snapshot is damaged: its checksum is another.")
        return None

    def rows(self, digest: Digest) -> Iterator[list[Any]]:
        """The rows of this table, which add up in `digest`."""
        while (line := self._line()).startswith(b"["):
            digest.add(line)
            yield _parsed(line)
        if _parsed(line) != {"count": digest.count, "digest": digest.text}:
            raise BadSnapshot("The snapshot is damaged: rows are missing or were changed.")

    def _document(self) -> dict[str, Any]:
        document = _parsed(self._line())
        if not isinstance(document, dict):
            raise BadSnapshot("The snapshot is damaged: a row stands where none should be.")
        return document

    def _line(self) -> bytes:
        try:
            line = self.file.readline()
        except (OSError, EOFError, zlib.error):
            raise BadSnapshot("The snapshot is damaged, or was not written to its end.") from None
        if not line.endswith(b"\n"):
            raise BadSnapshot("The snapshot was not written to its end.")
        self.checksum.update(line)
        return line[:-1]


def _parsed(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except ValueError:
        raise BadSnapshot("The snapshot is damaged: a line of it is not JSON.") from None


@contextmanager
def reader(path: Path) -> Iterator[Reader]:
    with gzip.GzipFile(path, mode="rb") as file:
        yield Reader(file)
