"""Work that costs as much for many as for one, such as a commit: done by one thread for all that wait.

Whoever comes first starts at once. Whoever comes while it is under way waits, and the first of those then
does the work for all of them. So nobody waits longer than for two turns, and the more there is to do, the
less each one costs.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError, connection

from hookline.database import release

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Turn(Generic[Item, Result]):
    """What one thread brought, and what came of it."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.results: list[Result] = []
        self.fault: BaseException | None = None
        self.called = threading.Lock()  # locked until it is over, or this thread's turn to lead
        self.called.acquire()

    @property
    def is_over(self) -> bool:
        return bool(self.results) or self.fault is not None

    def end(self, result: Result | None, fault: BaseException | None = None) -> None:
        if fault is None:
            self.results.append(result)  # type: ignore[arg-type]
        self.fault = fault


class Together(Generic[Item, Result]):
    """`work` gets items and returns a result for each, in their order."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self.work, self.most = work, most
        self.waiting: list[_Turn[Item, Result]] = []
        self.has_leader = False
        self.lock = threading.Lock()

    def do(self, item: Item) -> Result:
        """The result for this item. Raises what the work raised for it."""
        if connection.in_atomic_block:  # it belongs to that transaction
            return self.work([item])[0]
        turn: _Turn[Item, Result] = _Turn(item)
        with self.lock:
            self.waiting.append(turn)
            leads, self.has_leader = not self.has_leader, True
        if not leads:
            release()  # those who wait must not keep connections from those who work
            turn.called.acquire()
        if not turn.is_over:
            self._lead(turn)
        if turn.fault is not None:
            raise turn.fault
        return turn.results[0]

    def _lead(self, ours: _Turn[Item, Result]) -> None:
        with self.lock:
            turns, self.waiting = self.waiting[: self.most], self.waiting[self.most :]
        try:
            self._work_off(turns)
        finally:
            with self.lock:
                successor = self.waiting[0] if self.waiting else None
                self.has_leader = successor is not None
            for turn in filter(None, [successor, *turns]):
                if turn is not ours:
                    turn.called.release()

    def _work_off(self, turns: Sequence[_Turn[Item, Result]]) -> None:
        """One that spoils the work of all is found by doing each by itself. A store that is away is no
        one's fault, and is asked once."""
        try:
            for turn, result in zip(turns, self.work([turn.item for turn in turns]), strict=True):
                turn.end(result)
        except BaseException as fault:  # noqa: BLE001 - each thread raises it again
            if len(turns) == 1 or isinstance(fault, OperationalError | InterfaceError):
                for turn in turns:
                    turn.end(None, fault)
            else:
                for turn in turns:
                    self._work_off([turn])
