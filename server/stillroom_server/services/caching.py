"""Two small tools: answers that hold while nothing changes, and work that is done once."""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from stillroom_server.domain.errors import Overloaded, StillroomError

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Flight(Generic[V]):
    """Work that goes on in a thread of its own, since the monotonic time `begun`."""

    future: Future[V]
    begun: float

    def ended_within(self, seconds: float) -> bool:
        """Wait until it ends, at most until so many seconds after it was begun."""
        left = self.begun + seconds - time.monotonic()
        return not wait([self.future], max(0.0, left)).not_done


class SingleFlight(Generic[K, V]):
    """Does the same work once for all who ask while it is being done.

    At most `threads` works go on behind those who asked for them.
    """

    def __init__(self, *, threads: int = 32) -> None:
        self._lock = threading.Lock()
        self._running: dict[K, Flight[V]] = {}
        self._threads = threading.BoundedSemaphore(threads)
        self._closed = False

    def run(self, key: K, work: Callable[[], V]) -> V:
        """The result of `work`, or of the same work that somebody has begun already.

        Whoever joins gets the same result or the same error.
        """
        flight, is_mine = self._joined(key)
        return self._done(key, flight, work) if is_mine else flight.future.result()

    def behind(self, key: K, work: Callable[[], V]) -> Flight[V] | None:
        """The same without waiting: it is done in a thread of its own.

        None where there are too many of them already. What goes wrong is told to those who look
        at the flight's result; what is no error of the domain is logged as well.
        """
        if not self._threads.acquire(blocking=False):
            return None
        flight, is_mine = self._joined(key)
        if not is_mine or not self._take_off(key, flight, work):
            self._threads.release()
        return flight

    def close(self) -> None:
        """Let whatever still goes on in the background fail quietly: all is coming to its end."""
        self._closed = True

    def _joined(self, key: K) -> tuple[Flight[V], bool]:
        """The flight under that key, and whether it is for the caller to fly it."""
        with self._lock:
            flight = self._running.get(key)
            if flight is not None:
                return flight, False
            flight = self._running[key] = Flight(Future(), time.monotonic())
            return flight, True

    def _take_off(self, key: K, flight: Flight[V], work: Callable[[], V]) -> bool:
        thread = threading.Thread(
            target=self._done_behind, args=(key, flight, work), name="behind", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            overloaded = Overloaded("The server can start no more threads; try again in a moment.")
            self._land(key, lambda: flight.future.set_exception(overloaded))
            return False
        return True

    def _done_behind(self, key: K, flight: Flight[V], work: Callable[[], V]) -> None:
        try:
            self._done(key, flight, work)
        except StillroomError:
            pass
        except Exception:
            if not self._closed:
                log.exception("Work in the background failed.")
        finally:
            self._threads.release()

    def _done(self, key: K, flight: Flight[V], work: Callable[[], V]) -> V:
        try:
            result = work()
        except BaseException as error:
            told = error
            self._land(key, lambda: flight.future.set_exception(told))
            raise
        self._land(key, lambda: flight.future.set_result(result))
        return result

    def _land(self, key: K, tell: Callable[[], None]) -> None:
        """Tell the outcome, and let the next one who asks begin anew."""
        try:
            tell()
        finally:
            with self._lock:
                del self._running[key]
