"""How long work takes that nobody waits for, beside work that somebody does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from hookline.lifecycle import stopping


@contextmanager
def gently() -> Iterator[None]:
    """Rests afterwards for as long as what is inside took: so it has at most half of one core, and less
    of a store that is slow because it is busy. A stop ends the rest."""
    began = time.monotonic()
    yield
    stopping.wait(time.monotonic() - began)
