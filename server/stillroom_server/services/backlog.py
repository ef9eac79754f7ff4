"""What waits in memory to be written down, many entries at once."""

import logging
import threading
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Generic, TypeVar

from stillroom_server.domain.errors import Trouble
from stillroom_server.domain.names import shown

log = logging.getLogger(__name__)

BATCH = 1_000
"""Entries that are written in one unit: other writers wait for no more."""

K = TypeVar("K")
V = TypeVar("V")


class Backlog(Generic[K, V]):
    """Keeps a value for each key until it is written. Safe to share by threads.

    `merge` makes one value of two of the same key, in any order. About `limit` keys wait at most.
    """

    def __init__(self, merge: Callable[[V, V], V], limit: int) -> None:
        self._merge = merge
        self._limit = limit
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, key: K) -> V | None:
        """What waits for a key."""
        return self._waiting.get(key)

    def add(self, key: K, value: V) -> bool:
        """Let a value wait; False if it is let go, for too many keys wait already."""
        with self._lock:
            if key not in self._waiting and len(self._waiting) >= self._limit:
                return False
            self._put(key, value)
        return True

    def flush(self, write: Callable[[Mapping[K, V]], None]) -> int:
        """Hand what waits now to `write`, a bounded part at a time; how many keys.

        Trouble that `write` raises is raised; then what it was handed, and the rest, waits on.
        Whatever else it raises says that an entry is refused: the log tells which, and all
        others are written.
        """
        with self._writing:
            written, done, wanted = 0, 0, len(self._waiting)
            while done < wanted:
                part = self._take(min(BATCH, wanted - done))
                written += self._hand(part, write)
                done += len(part)
        return written

    def _hand(self, part: Mapping[K, V], write: Callable[[Mapping[K, V]], None]) -> int:
        """Write a part; by halves if an entry in it is refused. How many were written."""
        try:
            write(part)
        except Trouble:
            self._take_back(part)
            raise
        except Exception:
            if len(part) == 1:
                log.exception("not recorded, for it is refused: %s", *map(shown, part))
                return 0
        else:
            return len(part)
        entries, half = list(part.items()), len(part) // 2
        rest = dict(entries[half:])
        try:
            written = self._hand(dict(entries[:half]), write)
        except Trouble:
            self._take_back(rest)
            raise
        return written + self._hand(rest, write)

    def _take(self, most: int) -> dict[K, V]:
        with self._lock:
            return {key: self._waiting.pop(key) for key in list(islice(self._waiting, most))}

    def _take_back(self, part: Mapping[K, V]) -> None:
        with self._lock:
            for key, value in part.items():
                self._put(key, value)

    def _put(self, key: K, value: V) -> None:
        known = self._waiting.get(key)
        self._waiting[key] = value if known is None else self._merge(known, value)
