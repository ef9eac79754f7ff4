"""Time that stands still until a test moves it."""

from datetime import datetime, timedelta
from typing import Any

from .rows import NOW


class SetClock:
    """The port `Clock`, and in the place of the module `time` also what is monotonic."""

    def __init__(self) -> None:
        self._now = NOW
        self._ticks = 1_000.0

    def __call__(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._ticks

    def advance(self, **by: Any) -> None:
        """Let time pass."""
        passed = timedelta(**by)
        self._now += passed
        self._ticks += passed.total_seconds()

    def set_back(self, **by: Any) -> None:
        """Set the clock back, which does not concern what is monotonic."""
        self._now -= timedelta(**by)
