"""Mirrors' pages: kept, revalidated when they have expired, served stale when that fails."""

import copy
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillroom_server.domain.errors import (
    Forbidden,
    NotFound,
    StillroomError,
    Trouble,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.pinning import (
    PageSaid,
    completed,
    contradiction,
    learned,
    page_after,
    page_after_absence,
    shows_the_same,
)
from stillroom_server.domain.status import ACTIVE, ProjectStatus
from stillroom_server.domain.upstream import CachedPage, Freshness, UpstreamFile, freshness

from .breakers import Breakers
from .caching import SerialCache, SingleFlight
from .page_memory import ABSENT_SECONDS, PAUSE_SECONDS, PageId, PageMemory, Pause, page_id
from .page_requests import PageRequests
from .ports import Clock, Database, NotModified, PageAnswer, PageFetched, Unit, Upstream

log = logging.getLogger(__name__)

STALE_SECONDS = 2
"""For how long a stale page holds that is asked for anew in the background."""

PATIENCE = 2.0
"""Seconds for which requests wait for that, counted from its beginning."""


RECENT_PAGES = 8
"""How many pages are held ready for file URLs; some have thousands of files."""


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """What a mirror says of a project now, and for how many seconds more that holds.

    The files are completed with what was learned of them. `stale` means that no upstream has
    confirmed it in time: this is what one said `age` seconds ago.
    """

    files: tuple[UpstreamFile, ...]
    exists: bool
    seconds: float
    stale: bool = False
    status: ProjectStatus = ACTIVE
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a mirror: with all that is known of it, and as its upstream's page said it.

    `source` is the base URL of the upstream whose page that was.
    """

    file: UpstreamFile
    said: UpstreamFile
    source: str


@dataclass(frozen=True, slots=True)
class _Held:
    """What is here of a project: its page, and which of its delisted files are kept."""

    page: CachedPage | None
    kept: frozenset[str] = frozenset()


class Mirrors:
    """Answers for projects of mirrors, from what is kept or from the upstreams.

    One process asks for one page once, however many wait for it.
    """

    def __init__(
        self,
        database: Database,
        upstream: Upstream,
        clock: Clock,
        breakers: Breakers,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._requests = PageRequests(upstream, breakers)
        self._clock = clock
        self._patience = patience
        self._refreshes: SingleFlight[PageId, MirrorPage] = SingleFlight()
        self._probes: SingleFlight[PageId, _Held | None] = SingleFlight()
        self._memory = PageMemory()
        self._recent: SerialCache[PageId, _Held] = SerialCache(RECENT_PAGES)

    def page(self, index: Index, project: ProjectName, *, refresh: bool = False) -> MirrorPage:
        """The mirror's page of a project; with `refresh` the upstream is asked in any case.

        A page that has expired is asked for anew in the background; the request waits a little
        for that, else gets what is kept, marked stale. Raises UpstreamFailed or UpstreamTimeout
        only where nothing is kept that could be served.
        """
        key = page_id(index, project)
        if refresh:
            return self._refreshes.run(key, lambda: self._refresh(index, project, forced=True))
        held = self._held(index, project)
        known = self._known_answer(index, project, held)
        if known is not None:
            return known
        if held.page is None:
            return self._refreshes.run(key, lambda: self._refresh(index, project, forced=False))
        return self._revalidated(index, held, held.page)

    def listed(self, index: Index, project: ProjectName, filename: str) -> Listed | None:
        """A file that the mirror lists, or that it keeps although it is listed no more.

        A page that has expired will do if it lists the file. Raises Forbidden if the project is
        quarantined, and as `page` does.
        """
        held = self._recently_held(index, project)
        page = held.page
        if page is not None and page.exists and page.source in index.upstream_urls:
            listed = _listed(index, held, filename)
            if listed is not None:
                return listed
        self.page(index, project)
        held = self._held(index, project)
        if held.page is not None and not held.page.status.offers_files:
            raise Forbidden(quarantined(project, held.page.status))
        return _listed(index, held, filename)

    def elsewhere(self, index: Index, project: ProjectName, listed: Listed) -> Iterator[Listed]:
        """The same file where else it can be had, each place asked for when its turn has come.

        That is where its page lists it now, if that had expired, for URLs can expire with their
        pages; then at the other equivalent upstreams.
        """
        held = self._asked_anew(index, project)
        if held.page is not None and not held.page.status.offers_files:
            return
        tried = {(listed.source, listed.said.url)}
        now = _listed(index, held, listed.file.filename)
        if now is not None and _is_the_same(listed, now.file):
            place = (now.source, now.said.url)
            if place not in tried:
                tried.add(place)
                yield now
        for url, page in self._requests.others(index, project, listed.source):
            if not page.status.offers_files:
                continue
            for said in page.files:
                if _is_the_same(listed, said) and (url, said.url) not in tried:
                    hashes = {**said.hashes, **listed.file.hashes}
                    yield Listed(replace(listed.file, url=said.url, hashes=hashes), said, url)

    def close(self) -> None:
        """Let what goes on in the background end quietly."""
        self._refreshes.close()
        self._probes.close()

    def _asked_anew(self, index: Index, project: ProjectName) -> _Held:
        """What is here of a project, its page confirmed if it had expired and can be had."""
        held = self._held(index, project)
        if held.page is None:
            return held
        with suppress(NotFound, Trouble):
            self._refreshes.run(
                page_id(index, project), lambda: self._refresh(index, project, forced=False)
            )
        return self._held(index, project)

    # What is known here

    def _held(self, index: Index, project: ProjectName) -> _Held:
        with self._database.reading() as unit:
            return _held_in(unit, index, unit.mirror_pages.get(index, project))

    def _recently_held(self, index: Index, project: ProjectName) -> _Held:
        """The same, read once for many files of a page: reading a large one takes its time."""
        serial, page = self._database.serial(), page_id(index, project)
        held = self._recent.get(serial, page)
        if held is None:
            held = self._held(index, project)
            self._recent.put(serial, page, held)
        return held

    def _known_answer(self, index: Index, project: ProjectName, held: _Held) -> MirrorPage | None:
        """What can be said without asking an upstream, if anything."""
        page = held.page
        if page is not None:
            now, expiry = self._clock(), _expiry(index, page)
            if freshness(page, expiry, now) is Freshness.FRESH:
                return _shown(index, held, page, (page.checked + expiry - now).total_seconds())
        elif (absent := self._memory.absent_seconds(page_id(index, project))) > 0:
            return MirrorPage((), exists=False, seconds=absent)
        pause = self._memory.pause(page_id(index, project))
        if pause is not None:
            return self._paused(index, held, pause)
        left_alone = self._requests.left_alone(index)
        return None if left_alone is None else self._left_alone(index, held, left_alone)

    def _paused(self, index: Index, held: _Held, pause: Pause) -> MirrorPage:
        return self._stale(index, held, pause.trouble, max(0.0, pause.until - time.monotonic()))

    def _left_alone(self, index: Index, held: _Held, trouble: UpstreamLeftAlone) -> MirrorPage:
        return self._stale(index, held, trouble, min(trouble.retry_after, PAUSE_SECONDS))

    def _stale(self, index: Index, held: _Held, trouble: Trouble, seconds: float) -> MirrorPage:
        if held.page is None:
            # One of its own for each: an exception that many threads raise grows with each.
            raise copy.copy(trouble)
        return self._aged(index, held, held.page, seconds)

    def _aged(self, index: Index, held: _Held, page: CachedPage, seconds: float) -> MirrorPage:
        age = max(0.0, (self._clock() - page.checked).total_seconds())
        return replace(_shown(index, held, page, seconds), stale=True, age=age)

    # Asking

    def _revalidated(self, index: Index, held: _Held, page: CachedPage) -> MirrorPage:
        project = page.project
        flight = self._refreshes.behind(
            page_id(index, project), lambda: self._refresh(index, project, forced=False)
        )
        if flight is not None and flight.ended_within(self._patience):
            try:
                return flight.future.result()
            except Trouble as trouble:
                log.info("%s: the page of %s was not refreshed: %s", index.name, project, trouble)
        return self._aged(index, held, page, STALE_SECONDS)

    def _refresh(self, index: Index, project: ProjectName, *, forced: bool) -> MirrorPage:
        held = self._held(index, project)
        # Look again: whoever asked just before us may have stored the page by now.
        known = None if forced else self._known_answer(index, project, held)
        if known is not None:
            return known
        try:
            source, answer = self._requests.ask(index, project, held.page)
        except UpstreamLeftAlone as trouble:
            return self._left_alone(index, held, trouble)
        except (UpstreamFailed, UpstreamTimeout) as trouble:
            page = page_id(index, project)
            pause = self._memory.begin_pause(page, trouble, is_kept=held.page is not None)
            return self._paused(index, held, pause)
        self._memory.end_pause(page_id(index, project))
        after = self._probed(index, project, self._after(index, project, held, source, answer))
        if after.page is None:
            self._memory.note_absence(page_id(index, project))
            return MirrorPage((), exists=False, seconds=ABSENT_SECONDS)
        return _shown(index, after, after.page, _expiry(index, after.page).total_seconds())

    def _after(
        self, index: Index, project: ProjectName, held: _Held, source: str, answer: PageAnswer
    ) -> _Held:
        """What is here once an upstream has said this."""
        now = self._clock()
        if isinstance(answer, NotModified):
            assert held.page is not None, "only what is kept can be confirmed"
            return self._confirmed(index, held, held.page, now)
        if isinstance(answer, PageFetched):
            said = PageSaid(
                answer.files, answer.validators, answer.status, source, index.upstream_urls
            )
            return self._keep(index, project, lambda kept: page_after(kept, project, said, now))
        if held.page is None:
            return held
        return self._keep(index, project, lambda kept: kept and page_after_absence(kept, now))

    def _confirmed(self, index: Index, held: _Held, page: CachedPage, now: datetime) -> _Held:
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            unit.mirror_pages.touch(index, page.project, now)
        return replace(held, page=replace(page, checked=now))

    def _probed(self, index: Index, project: ProjectName, held: _Held) -> _Held:
        """The same, with whether its files can be read in parts, if that is soon found out.

        The page is stored already: a file host that stalls must not hold it up. What it tells
        later is kept then.
        """
        page, wheel = held.page, _untried_wheel(held.page)
        if page is None or wheel is None or self._memory.is_untold(page_id(index, project)):
            return held
        flight = self._probes.behind(
            page_id(index, project), lambda: self._probe(index, page, wheel)
        )
        if flight is None or not flight.ended_within(self._patience / 2):
            return held
        try:
            told = flight.future.result()
        except StillroomError as error:
            log.info("%s: what %s told is not kept: %s", index.name, wheel.url, error)
            return held
        return held if told is None else told

    def _probe(self, index: Index, page: CachedPage, wheel: UpstreamFile) -> _Held | None:
        """What is here once the file host has told; None where it does not, or nothing is."""
        source, project = page.source, page.project
        assert source is not None, "an upstream has just said the page"
        ranges = self._requests.takes_ranges(source, wheel)
        if ranges is None:
            self._memory.note_untold(page_id(index, project))
            return None
        held = self._keep(
            index,
            project,
            lambda kept: replace(kept, ranges=ranges) if kept and kept.source == source else kept,
        )
        return held if held.page is not None else None

    def _keep(
        self,
        index: Index,
        project: ProjectName,
        after: Callable[[CachedPage | None], CachedPage | None],
    ) -> _Held:
        """Put the page in the place of the kept one; `after` makes it from that.

        In one unit: what others have stored or learned since the upstream was asked, above all
        digests that were seen first, must not be lost.
        """
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            before = unit.mirror_pages.get(index, project)
            page = after(before)
            if page is None:
                return _Held(None)
            unit.mirror_pages.put(index, page)
            if before is None or not shows_the_same(page, before):
                event = Event(EventKind.MIRROR_PAGE_CHANGED, index=index.name, project=project)
                unit.journal.record(event)
            refused = _newly_refused(page, before)
            for file in refused:
                unit.journal.record(_refusal(index, page, file))
            held = _held_in(unit, index, page)
        for file in refused:
            log.error(
                "%s: the upstream changed %s: %s is refused, it stays what it was first",
                index.name, file.filename, file.refused,
            )  # fmt: skip
        return held


def note_learned(
    unit: Unit,
    index: Index,
    project: ProjectName,
    filename: str,
    *,
    now: datetime,
    sha256: str | None = None,
    size: int | None = None,
    modified: datetime | None = None,
    metadata_sha256: str | None = None,
) -> None:
    """Keep what fetching a file told of it, in the writing unit of the caller.

    What the upstream's page says itself is not learned, so most files cost no write.
    """
    page = unit.mirror_pages.get(index, project)
    said = None if page is None else _row((*page.files, *page.delisted), filename)
    if page is None or said is None:
        return
    after = learned(
        page,
        filename,
        now=now,
        sha256=None if "sha256" in said.hashes else sha256,
        size=None if said.size is not None else size,
        modified=None if said.uploaded is not None else modified,
        metadata_sha256=None if said.core_metadata is not None else metadata_sha256,
    )
    if after.seen[filename] == page.seen.get(filename):
        return
    unit.mirror_pages.put(index, after)
    if completed(said, after) != completed(said, page):
        unit.journal.record(
            Event(EventKind.MIRROR_PAGE_CHANGED, index=index.name, project=project)
        )


def require_same_upstream(unit: Unit, index: Index) -> None:
    """What one upstream says must not be kept as if another had said it."""
    now = unit.indexes.get(index.name)
    if now is None or now.id != index.id:
        raise NotFound(f"There is no index {index.name}.")
    if now.upstream_urls != index.upstream_urls:
        raise UpstreamFailed(f"{index.name} has just got another upstream; ask again.")


def quarantined(project: ProjectName, status: ProjectStatus) -> str:
    """Why no file of the project is handed out, in a sentence."""
    reason = f": {status.reason}" if status.reason else ""
    return f"Not allowed: {project} is quarantined, so its files are not handed out{reason}."


def _held_in(unit: Unit, index: Index, page: CachedPage | None) -> _Held:
    if page is None or not page.delisted:
        return _Held(page)
    names = {file.filename for file in unit.mirror_pages.kept(index, page.project)}
    return _Held(page, frozenset(names))


def _expiry(index: Index, page: CachedPage) -> timedelta:
    return timedelta(seconds=index.cache_expiry if page.exists else ABSENT_SECONDS)


def _shown(index: Index, held: _Held, page: CachedPage, seconds: float) -> MirrorPage:
    files: tuple[UpstreamFile, ...] = ()
    if page.status.offers_files:
        kept = held.kept if index.keeps_delisted else frozenset()
        rows = (*page.files, *(file for file in page.delisted if file.filename in kept))
        files = tuple(completed(file, page) for file in rows)
    return MirrorPage(files, page.exists or bool(files), seconds, status=page.status)


def _untried_wheel(page: CachedPage | None) -> UpstreamFile | None:
    """A wheel to try whether files can be read in parts, where that matters and is not known."""
    if page is None or page.ranges is not None:
        return None
    wheels = [file for file in page.files if file.is_wheel and file.core_metadata is None]
    return wheels[-1] if wheels else None


def _row(files: Sequence[UpstreamFile], filename: str) -> UpstreamFile | None:
    return next((file for file in files if file.filename == filename), None)


def _listed(index: Index, held: _Held, filename: str) -> Listed | None:
    """The file, if the page that is here says enough."""
    page = held.page
    if page is None or not page.status.offers_files:
        return None
    said = _row(page.files, filename)
    if said is None and filename in held.kept:
        said = _row(page.delisted, filename)
    if said is None:
        return None
    return Listed(completed(said, page), said, page.source or index.upstream_urls[0])


def _is_the_same(listed: Listed, other: UpstreamFile) -> bool:
    """Whether a file that is listed elsewhere has the same name, and no digest against it."""
    file = listed.file
    return file.filename == other.filename and contradiction(file.hashes, other.hashes) is None


def _newly_refused(page: CachedPage, before: CachedPage | None) -> list[UpstreamFile]:
    refused = [file for file in page.files if file.refused is not None]
    if not refused or before is None:
        return refused
    known = {(file.filename, file.refused) for file in (*before.files, *before.delisted)}
    return [file for file in refused if (file.filename, file.refused) not in known]


def _refusal(index: Index, page: CachedPage, file: UpstreamFile) -> Event:
    hashes = page.seen[file.filename].hashes
    algorithm = (file.refused or "").partition("=")[0]
    return Event(
        EventKind.MIRROR_FILE_REFUSED,
        index=index.name,
        project=page.project,
        details={
            "filename": file.filename,
            "first": f"{algorithm}={hashes[algorithm]}",
            "refused": file.refused,
        },
    )
