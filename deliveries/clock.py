"""The database's clock, carried on between two looks at it."""

import time
from datetime import datetime, timedelta


class Clock:
    """A host's own clock may be wrong by minutes; how fast it runs is not."""

    def __init__(self, moment: datetime) -> None:
        self.set(moment)

    def set(self, moment: datetime) -> None:
        self.moment, self.read_at = moment, time.monotonic()

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=time.monotonic() - self.read_at)
