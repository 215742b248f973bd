"""Counters that outlive the rows they count.

A process adds up in memory and writes its sums to the `counters` table once a second, so that a
row everyone wants is touched once a second and not once an event. A killed process loses the
counts of its last second.
"""

import bisect
import json
import logging
import os
import threading
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence

from django.db import Error, connection

from hookline.database import is_postgres, many, rows, write
from hookline.families import Family
from hookline.labels import Labels

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# While the store is away sums gather here; new ones beyond so many are not worth the memory.
MOST_UNWRITTEN = 20_000
SUM = "_sum"
ABOVE_ALL = "+Inf"

ADD = """
INSERT INTO counters (name, labels, value) VALUES (%s, %s, %s)
ON CONFLICT (name, labels) DO UPDATE SET value = counters.value + excluded.value
"""
ADD_ALL = """
INSERT INTO counters (name, labels, value)
SELECT * FROM unnest(%(names)b::text[], %(labels)b::text[], %(values)b::int8[])
ON CONFLICT (name, labels) DO UPDATE SET value = counters.value + excluded.value
"""

# A sum is of a family, of a row's name in the table, and of its labels.
Sum = tuple[Family, str, tuple[str, ...]]

_tally: dict[Sum, int] = {}
_labels = Labels()
_lock = threading.Lock()
_flushing = threading.Lock()
_flushing_in: int | None = None
_writers: list[Callable[[], None]] = []


def count(family: Family, *labels: str, by: int = 1) -> None:
    _add_up({(family, family.name, labels): by})


def observe(family: Family, *labels: str, values: Sequence[int]) -> None:
    """Counts each value in the smallest bucket that holds it; the text adds the buckets up."""
    sums: dict[Sum, int] = {(family, family.name + SUM, labels): sum(values)}
    if len(values) == 1:
        sums[family, family.name, (*labels, bucket_of(family, values[0]))] = 1
        return _add_up(sums)
    buckets: Tally[str] = Tally()
    for value, number in Tally(values).items():
        buckets[bucket_of(family, value)] += number
    for bucket, number in buckets.items():
        sums[family, family.name, (*labels, bucket)] = number
    return _add_up(sums)


def bucket_of(family: Family, value: float) -> str:
    position = bisect.bisect_left(family.bounds, value)
    return str(family.bounds[position]) if position < len(family.bounds) else ABOVE_ALL


def flush() -> None:
    """Writes what was counted since the last time."""
    with _flushing:  # whoever flushes next finds what this one counted
        with _lock:
            counted = _tally.copy()
            _tally.clear()
        if counted:
            try:
                lines = _lines(counted)
                with write(durable=False):
                    _add(lines)
            except Error:
                _add_up(counted)
                raise


def _add_up(sums: dict[Sum, int]) -> None:
    """Called for every request and every batch: it matters what this costs."""
    with _lock:
        for key, number in sums.items():
            known = _tally.get(key)
            if known is not None:
                _tally[key] = known + number
            elif len(_tally) < MOST_UNWRITTEN:
                _tally[key] = number
    if _flushing_in != os.getpid():
        _start()


def write_also(writer: Callable[[], None]) -> None:
    """Has the thread that writes counters write something else, too. It asks every second."""
    _writers.append(writer)


def _lines(counted: dict[Sum, int]) -> list[tuple[str, str, int]]:
    """The rows to add to, in the order in which every process locks them."""
    folded: Tally[tuple[str, tuple[str, ...]]] = Tally()
    for (family, name, labels), number in counted.items():
        folded[name, _labels.fold(family, labels)] += number
    return [(name, json.dumps(labels), number) for (name, labels), number in sorted(folded.items())]


def _add(lines: Iterable[tuple[str, str, int]]) -> None:
    if is_postgres():
        names, labels, values = map(list, zip(*lines, strict=True))
        rows(ADD_ALL, {"names": names, "labels": labels, "values": values})
    else:
        many(ADD, list(lines))


def _start() -> None:
    """One thread for each process; a fork starts its own."""
    global _flushing_in
    with _lock:
        if _flushing_in != os.getpid():
            _flushing_in = os.getpid()
            threading.Thread(target=_run, name="counters", daemon=True).start()


def _run() -> None:
    pause = threading.Event()
    while not pause.wait(FLUSH_SECONDS):
        try:
            for writer in (flush, *_writers):
                writer()
        except Error as fault:
            logger.warning("Counters could not be written (%s); they are kept for later", fault)
        finally:
            connection.close()
