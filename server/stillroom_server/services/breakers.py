"""Circuit breakers: an upstream that fails again and again is left alone for a while."""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from stillroom_server.domain.errors import (
    Refusal,
    Trouble,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)

log = logging.getLogger(__name__)

FAILURES = 5
"""So many different questions in a row without a good answer open the breaker."""

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 300.0
"""Seconds for which it stays open at first, and at most; doubled by each probe that fails."""

MAX_KNOWN = 1_000
"""Base URLs that are remembered; only those that failed last are."""


class BreakerState(StrEnum):
    """Whether an upstream is asked: as ever, not at all, or once to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """How an upstream does, for people.

    `failures` counts the different questions that failed since its last good answer, up to
    `FAILURES`; `retry_in` is the number of seconds for which it is left alone.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    last_error: str | None = None
    retry_in: int = 0


@dataclass(slots=True)
class _Breaker:
    """What is known of an upstream that failed: `until` is None while it is closed."""

    last: str = ""
    failed: set[str] = field(default_factory=set)
    until: float | None = None
    pause: float = FIRST_PAUSE
    probing: bool = False


class Breakers:
    """One breaker for each base URL. `ticks` is a monotonic clock in seconds.

    A question that fails again counts once: a single page that cannot be read must not take the
    whole upstream away. While a breaker is open nobody asks; then one question goes through as a
    probe, and its outcome decides for all.
    """

    def __init__(self, ticks: Callable[[], float] | None = None) -> None:
        self._ticks = ticks if ticks is not None else time.monotonic
        self._lock = threading.Lock()
        self._breakers: OrderedDict[str, _Breaker] = OrderedDict()

    def left_alone(self, base_url: str) -> UpstreamLeftAlone | None:
        """The trouble that asking now would meet; None where the question would go through."""
        with self._lock:
            return self._left_alone(base_url)

    @contextmanager
    def asking(self, base_url: str, question: str) -> Iterator[Callable[[], None]]:
        """Ask an upstream inside the block, and note how that ends.

        Whoever gets a long answer calls what the block is given once it has begun: that is good
        news already, and others need not wait for the end.

        Raises UpstreamLeftAlone without entering the block while the breaker is open. An
        UpstreamFailed or UpstreamTimeout in the block is a failure; that something does not
        exist is as good an answer as any.
        """
        is_probe = self._enter(base_url)

        def answered() -> None:
            nonlocal is_probe
            is_probe = False
            self._answered(base_url)

        try:
            yield answered
        except (UpstreamFailed, UpstreamTimeout) as trouble:
            self._failed(base_url, question, trouble, is_probe=is_probe)
            raise
        except Refusal:
            self._answered(base_url)
            raise
        except BaseException:
            self._let_go(base_url, is_probe=is_probe)
            raise
        self._answered(base_url)

    def state(self, base_url: str) -> UpstreamState:
        """How an upstream does; one that is not known has not failed."""
        with self._lock:
            breaker = self._breakers.get(base_url)
            if breaker is None:
                return UpstreamState()
            state, seconds = BreakerState.CLOSED, 0.0
            if breaker.until is not None:
                seconds = max(0.0, breaker.until - self._ticks())
                state = BreakerState.OPEN if seconds else BreakerState.HALF_OPEN
            failures = len(breaker.failed)
            return UpstreamState(state, failures, breaker.last, math.ceil(seconds))

    def _left_alone(self, base_url: str) -> UpstreamLeftAlone | None:
        breaker = self._breakers.get(base_url)
        if breaker is None or breaker.until is None:
            return None
        left = math.ceil(breaker.until - self._ticks())
        if left <= 0 and not breaker.probing:
            return None
        return UpstreamLeftAlone(
            f"{base_url} failed again and again and is left alone for a while; the last time: "
            f"{breaker.last}",
            retry_after=max(1, left),
        )

    def _enter(self, base_url: str) -> bool:
        """Whether the question is the probe; raises where it may not be asked."""
        with self._lock:
            left_alone = self._left_alone(base_url)
            if left_alone is not None:
                raise left_alone
            breaker = self._breakers.get(base_url)
            if breaker is None or breaker.until is None:
                return False
            breaker.probing = True
            return True

    def _answered(self, base_url: str) -> None:
        with self._lock:
            breaker = self._breakers.pop(base_url, None)
        if breaker is not None and breaker.until is not None:
            log.warning("%s answers again", base_url)

    def _failed(self, base_url: str, question: str, trouble: Trouble, *, is_probe: bool) -> None:
        with self._lock:
            breaker = self._breaker(base_url)
            breaker.last = trouble.message
            if breaker.until is None:
                breaker.failed.add(question)
                if len(breaker.failed) >= FAILURES:
                    self._open(breaker, trouble)
                    log.warning(
                        "%s failed %d times in a row and is left alone for a while: %s",
                        base_url, FAILURES, trouble,
                    )  # fmt: skip
            elif is_probe:
                breaker.probing = False
                breaker.pause = min(2 * breaker.pause, LONGEST_PAUSE)
                self._open(breaker, trouble)

    def _breaker(self, base_url: str) -> _Breaker:
        breaker = self._breakers.get(base_url)
        if breaker is None:
            while len(self._breakers) >= MAX_KNOWN:
                self._breakers.popitem(last=False)
            breaker = self._breakers[base_url] = _Breaker()
        return breaker

    def _open(self, breaker: _Breaker, trouble: Trouble) -> None:
        breaker.until = self._ticks() + max(breaker.pause, trouble.wait)

    def _let_go(self, base_url: str, *, is_probe: bool) -> None:
        """The block ended in a way that says nothing of the upstream."""
        with self._lock:
            breaker = self._breakers.get(base_url)
            if is_probe and breaker is not None:
                breaker.probing = False
