"""Mirrors' pages: kept, revalidated when they have expired, served stale when that fails."""

import copy
import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from stillroom_server.domain.errors import NotFound, Trouble, UpstreamFailed
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import (
    CachedPage,
    Freshness,
    UpstreamFile,
    Validators,
    freshness,
    remember,
)

from .caching import SingleFlight
from .ports import Clock, Database, NotModified, PageFetched, Unit, Upstream

log = logging.getLogger(__name__)

_Key = tuple[int, str, ProjectName | None]
"""Of what is remembered for a while: another upstream, or another index, is another key."""
_V = TypeVar("_V")

ABSENT_SECONDS = 60
"""For how long an upstream's "no such project" is believed."""

PAUSE_SECONDS = 30
"""For how long a page is served stale, without asking, after its upstream failed."""


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """What a mirror says of a project now, and for how many seconds more that holds.

    `stale` means that the upstream could not be asked: this is what it said before.
    """

    files: tuple[UpstreamFile, ...]
    exists: bool
    seconds: float
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    trouble: Trouble


class Mirrors:
    """Answers for projects of mirrors, from what is kept or from the upstream.

    One process asks an upstream for one page once, however many wait for it.
    """

    def __init__(self, database: Database, upstream: Upstream, clock: Clock) -> None:
        self._database = database
        self._upstream = upstream
        self._clock = clock
        self._refreshes: SingleFlight[_Key, MirrorPage] = SingleFlight()
        self._lists: SingleFlight[_Key, list[ProjectName]] = SingleFlight()
        self._lock = threading.Lock()
        self._absent: dict[_Key, float] = {}
        self._pauses: dict[_Key, _Pause] = {}

    def page(self, index: Index, project: ProjectName, *, refresh: bool = False) -> MirrorPage:
        """The mirror's files of a project; with `refresh` the upstream is asked in any case.

        Raises UpstreamFailed or UpstreamTimeout only where nothing is kept that could be served.
        """
        if not refresh:
            answer = self._known_answer(index, project, self._kept(index, project))
            if answer is not None:
                return answer
        key = _key(index, project)
        return self._refreshes.run(key, lambda: self._refresh(index, project, forced=refresh))

    def names(self, index: Index) -> list[ProjectName]:
        """The projects that the mirror lists: what is known here, or all that the upstream has."""
        if not index.lists_upstream_projects:
            with self._database.reading() as unit:
                return unit.mirror_pages.names([index])
        with self._database.reading() as unit:
            kept = unit.mirror_pages.get_names(index)
        expiry = timedelta(seconds=index.cache_expiry)
        if kept is not None and timedelta(0) <= self._clock() - kept[1] < expiry:
            return kept[0]
        names = kept and kept[0]
        return self._lists.run(_key(index, None), lambda: self._refresh_names(index, names))

    def _refresh_names(self, index: Index, kept: list[ProjectName] | None) -> list[ProjectName]:
        with self._lock:
            pause = self._pauses.get(_key(index, None))
        if pause is not None and time.monotonic() < pause.until:
            return _kept_names(kept, pause.trouble)
        try:
            names = self._upstream.project_names(_base_url(index))
        except Trouble as trouble:
            log.warning("%s: no list of projects from the upstream: %s", index.name, trouble)
            with self._lock:
                pause = _pause(trouble, is_kept=kept is not None)
                _put_bounded(self._pauses, _key(index, None), pause)
            return _kept_names(kept, trouble)
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            unit.mirror_pages.put_names(index, names, self._clock())
        return names

    def _kept(self, index: Index, project: ProjectName) -> CachedPage | None:
        with self._database.reading() as unit:
            return unit.mirror_pages.get(index, project)

    def _known_answer(
        self, index: Index, project: ProjectName, kept: CachedPage | None
    ) -> MirrorPage | None:
        """What can be said without asking the upstream, if anything."""
        now = self._clock()
        if kept is not None:
            expiry = timedelta(seconds=index.cache_expiry if kept.exists else ABSENT_SECONDS)
            if freshness(kept, expiry, now) is Freshness.FRESH:
                left = (kept.checked + expiry - now).total_seconds()
                return MirrorPage(kept.files, kept.exists, left)
        key = _key(index, project)
        with self._lock:
            absent_until = self._absent.get(key, 0.0)
            pause = self._pauses.get(key)
        tick = time.monotonic()
        if kept is None and tick < absent_until:
            return MirrorPage((), exists=False, seconds=absent_until - tick)
        if pause is not None and tick < pause.until:
            return self._stale(kept, pause)
        return None

    def _stale(self, kept: CachedPage | None, pause: _Pause) -> MirrorPage:
        if kept is None:
            # One of its own for each: an exception that many threads raise grows with each.
            raise copy.copy(pause.trouble)
        seconds = max(0.0, pause.until - time.monotonic())
        return MirrorPage(kept.files, kept.exists, seconds, stale=True)

    def _refresh(self, index: Index, project: ProjectName, *, forced: bool) -> MirrorPage:
        kept = self._kept(index, project)
        # Look again: whoever asked just before us may have stored the page by now.
        answered = None if forced else self._known_answer(index, project, kept)
        if answered is not None:
            return answered
        known = kept.validators if kept is not None and kept.exists else Validators()
        try:
            answer = self._upstream.project_page(_base_url(index), project, known)
        except Trouble as trouble:
            return self._failed(index, project, kept, trouble)
        with self._lock:
            self._pauses.pop(_key(index, project), None)
        if isinstance(answer, PageFetched):
            return self._store(index, project, kept, answer)
        if isinstance(answer, NotModified):
            assert kept is not None, "only what is kept can be confirmed"
            return self._confirm(index, kept)
        return self._gone(index, project, kept)

    def _failed(
        self, index: Index, project: ProjectName, kept: CachedPage | None, trouble: Trouble
    ) -> MirrorPage:
        log.warning("%s: no page of %s from the upstream: %s", index.name, project, trouble)
        pause = _pause(trouble, is_kept=kept is not None)
        with self._lock:
            _put_bounded(self._pauses, _key(index, project), pause)
        return self._stale(kept, pause)

    def _confirm(self, index: Index, kept: CachedPage) -> MirrorPage:
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            unit.mirror_pages.touch(index, kept.project, self._clock())
        return MirrorPage(kept.files, kept.exists, index.cache_expiry)

    def _gone(self, index: Index, project: ProjectName, kept: CachedPage | None) -> MirrorPage:
        """The upstream says that there is no such project; its files stay where they are kept."""
        if kept is not None:
            now = self._clock()
            page = CachedPage(
                project, (), exists=False, validators=Validators(), checked=now, seen=kept.seen
            )
            return self._keep(index, page, kept)
        with self._lock:
            _put_bounded(self._absent, _key(index, project), time.monotonic() + ABSENT_SECONDS)
        return MirrorPage((), exists=False, seconds=ABSENT_SECONDS)

    def _store(
        self, index: Index, project: ProjectName, kept: CachedPage | None, answer: PageFetched
    ) -> MirrorPage:
        now = self._clock()
        files = _pinned(index, kept, answer.files)
        seen = remember(files, kept.seen if kept else {}, now)
        page = CachedPage(project, files, True, answer.validators, now, seen)
        return self._keep(index, page, kept)

    def _keep(self, index: Index, page: CachedPage, before: CachedPage | None) -> MirrorPage:
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            unit.mirror_pages.put(index, page)
            if before is None or not page.says_the_same(before):
                unit.journal.record(
                    Event(EventKind.MIRROR_PAGE_CHANGED, index=index.name, project=page.project)
                )
        seconds = index.cache_expiry if page.exists else ABSENT_SECONDS
        return MirrorPage(page.files, page.exists, seconds)


def _pause(trouble: Trouble, *, is_kept: bool) -> _Pause:
    """Where there is nothing to serve meanwhile, the upstream is asked again almost at once."""
    return _Pause(time.monotonic() + (PAUSE_SECONDS if is_kept else 1), trouble)


def _kept_names(kept: list[ProjectName] | None, trouble: Trouble) -> list[ProjectName]:
    if kept is None:
        raise copy.copy(trouble)
    return kept


def _key(index: Index, project: ProjectName | None) -> _Key:
    return index.id, _base_url(index), project


def _base_url(index: Index) -> str:
    assert index.upstream_url is not None, "a mirror is never stored without its URL"
    return index.upstream_url


def require_same_upstream(unit: Unit, index: Index) -> None:
    """What one upstream says must not be kept as if another had said it."""
    now = unit.indexes.get(index.name)
    if now is None or now.id != index.id:
        raise NotFound(f"There is no index {index.name}.")
    if now.upstream_url != index.upstream_url:
        raise UpstreamFailed(f"{index.name} has just got another upstream; ask again.")


def _pinned(
    index: Index, kept: CachedPage | None, files: tuple[UpstreamFile, ...]
) -> tuple[UpstreamFile, ...]:
    """The files whose digest is the one first seen; for others, what was listed before."""
    if kept is None:
        return files
    before = {file.filename: file for file in kept.files}
    result = []
    for file in files:
        seen = kept.seen.get(file.filename)
        digest = file.hashes.get("sha256")
        if seen is None or seen.sha256 is None or digest == seen.sha256:
            result.append(file)
            continue
        if digest is None:
            # The upstream has stopped to say it; what comes must still be what it was.
            result.append(replace(file, hashes={**file.hashes, "sha256": seen.sha256}))
            continue
        log.error(
            "%s: the upstream changed %s: sha256 %s was first seen, %s is refused",
            index.name, file.filename, seen.sha256, digest,
        )  # fmt: skip
        if file.filename in before:
            result.append(before[file.filename])
    return tuple(result)


def _put_bounded(memory: dict[_Key, _V], key: _Key, value: _V) -> None:
    """These memories are short-lived: when a stranger fills them, forgetting all is harmless."""
    if len(memory) >= 10_000:
        memory.clear()
    memory[key] = value
