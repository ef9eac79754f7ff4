"""What a mirror remembers of pages for a while, in memory: absences, and pauses after trouble.

Trouble with a page itself, or with the file host that would not tell whether it takes ranges.
"""

import threading
import time
from dataclasses import dataclass
from typing import TypeVar

from stillroom_server.domain.errors import Trouble
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName

_V = TypeVar("_V")

ABSENT_SECONDS = 60
"""For how long an upstream's "no such project" is believed."""

PAUSE_SECONDS = 30
"""For how long a page is not asked for after that failed: at once if it is kept, else at most."""

MAX_REMEMBERED = 10_000

PageId = tuple[int, tuple[str, ...], ProjectName]
"""Other upstreams, or another index, make another page."""


def page_id(index: Index, project: ProjectName) -> PageId:
    """The page of a project in a mirror, as its upstreams are now."""
    return index.id, index.upstream_urls, project


@dataclass(frozen=True, slots=True)
class Pause:
    """A page is not asked for until then (monotonic), because of this; the nth time in a row."""

    until: float
    trouble: Trouble
    failures: int


class PageMemory:
    """Absences of which nothing is kept, and pages that could not be had."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._absent: dict[PageId, float] = {}
        self._pauses: dict[PageId, Pause] = {}
        self._untold: dict[PageId, float] = {}

    def absent_seconds(self, page: PageId) -> float:
        """For how many seconds the page is still believed not to exist; else 0."""
        with self._lock:
            return max(0.0, self._absent.get(page, 0.0) - time.monotonic())

    def note_absence(self, page: PageId) -> None:
        """The upstream says that there is no such project."""
        with self._lock:
            _put_bounded(self._absent, page, time.monotonic() + ABSENT_SECONDS)

    def pause(self, page: PageId) -> Pause | None:
        """The pause that is on; None where the page may be asked for."""
        with self._lock:
            pause = self._pauses.get(page)
            return pause if pause is not None and time.monotonic() < pause.until else None

    def begin_pause(self, page: PageId, trouble: Trouble, *, is_kept: bool) -> Pause:
        """The page could not be had; for how long it is not asked for.

        Where there is nothing to serve meanwhile it is asked for again almost at once, and less
        and less often.
        """
        with self._lock:
            before = self._pauses.get(page)
            failures = 1 if before is None else before.failures + 1
            own = PAUSE_SECONDS if is_kept else min(2 ** (failures - 1), PAUSE_SECONDS)
            pause = Pause(time.monotonic() + max(own, trouble.wait), trouble, failures)
            _put_bounded(self._pauses, page, pause)
            return pause

    def end_pause(self, page: PageId) -> None:
        """The page was had."""
        with self._lock:
            self._pauses.pop(page, None)

    def is_untold(self, page: PageId) -> bool:
        """Whether the page's file host has lately not told if it takes ranges."""
        with self._lock:
            return time.monotonic() < self._untold.get(page, 0.0)

    def note_untold(self, page: PageId) -> None:
        """The file host was asked in vain, which may have taken its time."""
        with self._lock:
            _put_bounded(self._untold, page, time.monotonic() + PAUSE_SECONDS)


def _put_bounded(memory: dict[PageId, _V], page: PageId, value: _V) -> None:
    """These memories are short-lived: when a stranger fills them, forgetting all is harmless."""
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[page] = value
