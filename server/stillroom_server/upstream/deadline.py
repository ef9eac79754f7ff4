"""One deadline for all that a request does on the network."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float] = ContextVar("end of the time for an upstream")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound all network traffic of this thread in the block; a shorter bound around it stays."""
    token = _end.set(min(_end.get(math.inf), time.monotonic() + seconds))
    try:
        yield
    finally:
        _end.reset(token)


def remaining() -> float:
    """The seconds that are left, negative once they are over.

    Raises LookupError outside of `within`: nothing talks to an upstream without a deadline.
    """
    return _end.get() - time.monotonic()


class Budget:
    """Seconds for the network that are spent bit by bit.

    What is done with the data in between costs none of them.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Bound the traffic in the block by what is left."""
        started = time.monotonic()
        try:
            with within(self._left):
                yield
        finally:
            self._left -= time.monotonic() - started

    def renew(self) -> None:
        """Begin with all of them again."""
        self._left = self._seconds
