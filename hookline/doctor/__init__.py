"""Says what is wrong with an installation, and what to do about it. Changes nothing.

Each check stands by itself: a wrong variable, a database that is away or a check that fails keeps no
other from being made.
"""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

from django.db import connection, transaction

from hookline.database import is_postgres, rows
from hookline.doctor import (
    alerts,
    broker,
    clock,
    configuration,
    disk,
    egress,
    keys,
    migrations,
    pooler,
    program,
    rights,
    store,
    upkeep,
    work,
)
from hookline.doctor.findings import Check, Finding, Level, error, in_one_line, warning

__all__ = ["Finding", "Level", "examine"]

# What a single check may take, and a single question to PostgreSQL.
PATIENCE_SECONDS, QUESTION_MS = 20, 8000

OF_THE_PROGRAM: Mapping[str, Check] = {
    "program": program.program,
    "configuration": configuration.variables,
    "secrets": configuration.secrets,
    "access": configuration.access,
    "egress": egress.egress,
    "disk": disk.disk,
    "broker": broker.broker,
}
OF_SQLITE: Mapping[str, Check] = {
    "store": lambda: store.sqlite(rows),
    "migrations": migrations.migrations,
}
OF_POSTGRES: Mapping[str, Check] = {
    "store": lambda: store.postgres(rows),
    "rights": lambda: rights.rights(rows),
    "migrations": migrations.migrations,
    "clock": lambda: clock.clock(rows),
    "vacuum": lambda: upkeep.vacuum(rows),
    "transactions": lambda: upkeep.transactions(rows),
    "connections": lambda: upkeep.connections(rows),
}
OF_THE_LINE: Mapping[str, Check] = {
    "keys": lambda: keys.keys(rows),
    "workers": work.workers,
    "progress": work.progress,
    "runs": work.runs,
    "alerts": alerts.alerts,
}


Within = Callable[[], AbstractContextManager[None]]


class TookTooLong(Exception):
    pass


def examine() -> Iterator[tuple[str, Finding]]:
    """Each finding with the name of its check."""
    yield from made(OF_THE_PROGRAM)
    away = _found(store.unreachable)
    yield from (("store", finding) for finding in away)
    if away:
        yield "store", warning("What is in the store was not examined.", "Mend that first, and ask again.")
        return
    if is_postgres():
        yield from made({"pooler": pooler.pooler})
    yield from made(OF_POSTGRES if is_postgres() else OF_SQLITE, within=_transaction)
    if "switches" in connection.introspection.table_names():
        yield from made(OF_THE_LINE, within=_transaction)


def made(checks: Mapping[str, Check], within: Within = nullcontext) -> Iterator[tuple[str, Finding]]:
    for name, check in checks.items():
        yield from ((name, finding) for finding in _found(check, within))


def _found(check: Check, within: Within = nullcontext) -> list[Finding]:
    try:
        with _deadline(), within():
            return list(check())
    except TookTooLong:
        connection.close()
        return [error(f"This took more than {PATIENCE_SECONDS} s.", "Mend what stands above.")]
    except Exception as fault:  # noqa: BLE001 - what ails one check must not keep the others from being made
        told = f"This could not be examined: {type(fault).__name__}: {in_one_line(fault)}."
        return [error(told, "Mend what stands above; if that is all well, report this.")]


@contextmanager
def _deadline() -> Iterator[None]:
    """A check that waits for somebody for ever is ended."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    handler = signal.signal(signal.SIGALRM, end)
    timer = signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


@contextmanager
def _transaction() -> Iterator[None]:
    """What a check that fails had begun is undone, and PostgreSQL gives up on a question that takes long."""
    with transaction.atomic():
        if is_postgres():
            rows(f"SET LOCAL statement_timeout = {QUESTION_MS}")
        yield
