"""How many files are fetched at once: in all, and from each upstream."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from stillroom_server.domain.errors import Overloaded

PATIENCE_SECONDS = 30.0
"""For how long a fetch waits for its turn: whoever asked waits as long."""


class Slots:
    """Room for so many fetches, and for fewer from each upstream: a slow one takes not all."""

    def __init__(self, number: int, per_upstream: int) -> None:
        self._changed = threading.Condition()
        self._free = number
        self._per_upstream = per_upstream
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, base_url: str) -> Iterator[None]:
        """Wait for a slot to fetch from that upstream; it is held inside the block.

        Raises Overloaded if none becomes free in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(base_url), PATIENCE_SECONDS):
                raise Overloaded("Too many files are being fetched; try again in a moment.")
            self._free -= 1
            self._taken[base_url] += 1
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._taken[base_url] -= 1
                if not self._taken[base_url]:
                    del self._taken[base_url]
                self._changed.notify_all()

    def _has_room(self, base_url: str) -> bool:
        return self._free > 0 and self._taken[base_url] < self._per_upstream
