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
