"""Asking the equivalent upstreams of a mirror for a page, one after the other."""

import logging
import threading
import time
from collections.abc import Iterator

from stillroom_server.domain.errors import (
    NotFound,
    Trouble,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.upstream import CachedPage, UpstreamFile, Validators

from .breakers import Breakers
from .ports import NoSuchProject, PageAnswer, PageFetched, Upstream

log = logging.getLogger(__name__)

WARNINGS, WARNINGS_SECONDS = 30, 600.0
"""So many pages that could not be had are warned of in so many seconds."""


class PageRequests:
    """Asks for pages: the next upstream where one fails, none that is left alone."""

    def __init__(self, upstream: Upstream, breakers: Breakers) -> None:
        self._upstream = upstream
        self._breakers = breakers
        self._warnings = Ration(WARNINGS, WARNINGS_SECONDS)

    def left_alone(self, index: Index) -> UpstreamLeftAlone | None:
        """What asking would raise where all upstreams of the mirror are left alone; else None."""
        alone = [self._breakers.left_alone(url) for url in index.upstream_urls]
        known = [trouble for trouble in alone if trouble is not None]
        if len(known) < len(alone):
            return None
        return min(known, key=lambda trouble: trouble.retry_after)

    def ask(
        self, index: Index, project: ProjectName, kept: CachedPage | None
    ) -> tuple[str, PageAnswer]:
        """The base URL of the first upstream that answers, and what it says.

        Raises the first trouble where none does: UpstreamLeftAlone only if none was asked. That
        a project does not exist is believed of an upstream if none before it failed, or if what
        is kept is from itself: the trouble of another must not become an absence.
        """
        troubles: list[UpstreamFailed | UpstreamTimeout] = []
        for url in index.upstream_urls:
            is_source = kept is not None and kept.source == url
            known = kept.validators if kept is not None and is_source else Validators()
            try:
                answer = self._ask_one(index.name, url, project, known)
            except (UpstreamFailed, UpstreamTimeout) as trouble:
                troubles.append(trouble)
                continue
            if is_source or not troubles or not isinstance(answer, NoSuchProject):
                return url, answer
            troubles.append(
                UpstreamFailed(f"{url} has no {project}, and those that are asked before it fail")
            )
        asked = [trouble for trouble in troubles if not isinstance(trouble, UpstreamLeftAlone)]
        raise (asked or troubles)[0]

    def others(
        self, index: Index, project: ProjectName, source: str
    ) -> Iterator[tuple[str, PageFetched]]:
        """What the other equivalent upstreams say; those that fail are passed over."""
        for url in index.upstream_urls:
            if url == source:
                continue
            try:
                answer = self._ask_one(index.name, url, project, Validators())
            except (UpstreamFailed, UpstreamTimeout):
                continue
            if isinstance(answer, PageFetched):
                yield url, answer

    def takes_ranges(self, source: str, wheel: UpstreamFile) -> bool | None:
        """Whether the files of an upstream can be read in parts; None where it does not tell."""
        try:
            return self._upstream.takes_ranges(source, wheel.url)
        except (Trouble, NotFound) as error:
            log.debug("whether %s can be read in parts is not known: %s", wheel.url, error)
            return None

    def _ask_one(
        self, index: IndexName, url: str, project: ProjectName, known: Validators
    ) -> PageAnswer:
        try:
            with self._breakers.asking(url, project):
                return self._upstream.project_page(url, project, known)
        except UpstreamLeftAlone:
            raise
        except (UpstreamFailed, UpstreamTimeout) as trouble:
            level = logging.WARNING if self._warnings.take() else logging.DEBUG
            log.log(level, "%s: no page of %s from %s: %s", index, project, url, trouble)
            raise


class Ration:
    """So many, and no more, in each period of so many seconds."""

    def __init__(self, number: int, seconds: float) -> None:
        self._number = number
        self._seconds = seconds
        self._lock = threading.Lock()
        self._until = 0.0
        self._left = 0

    def take(self) -> bool:
        """Whether there is one left."""
        with self._lock:
            now = time.monotonic()
            if now >= self._until:
                self._until, self._left = now + self._seconds, self._number
            self._left -= 1
            return self._left >= 0
