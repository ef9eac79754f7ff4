"""Two small tools: answers that hold while nothing changes, and work that is done once."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SerialCache(Generic[K, V]):
    """Remembers answers for as long as no change is committed anywhere.

    The truth is the serial in the database: when it moves, all answers are forgotten, so
    several processes need not tell each other anything. At most `size` answers are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._serial = -1
        self._answers: dict[K, V] = {}

    def get(self, serial: int, key: K) -> V | None:
        """The answer that holds at this serial, or None."""
        with self._lock:
            return self._answers.get(key) if serial == self._serial else None

    def put(self, serial: int, key: K, answer: V) -> None:
        """Remember what was found out at this serial."""
        with self._lock:
            if serial < self._serial:
                return
            if serial > self._serial or len(self._answers) >= self._size:
                self._answers.clear()
                self._serial = serial
            self._answers[key] = answer


class SingleFlight(Generic[K, V]):
    """Does the same work once for all who ask while it is being done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[K, Future[V]] = {}

    def run(self, key: K, work: Callable[[], V]) -> V:
        """The result of `work`, or of the same work that somebody has begun already.

        Whoever joins gets the same result or the same error.
        """
        with self._lock:
            running = self._running.get(key)
            if running is None:
                mine: Future[V] = Future()
                self._running[key] = mine
        if running is not None:
            return running.result()
        try:
            result = work()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(result)
            return result
        finally:
            with self._lock:
                del self._running[key]
