"""Upstreams' lists of all their projects: read when somebody asks for one, and kept.

A list may have a million names. It is streamed into the database in batches, each a unit of work
of its own, and holds once it is complete and plausible.
"""

import copy
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from stillroom_server.domain.errors import (
    Trouble,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import NameList, Validators

from .breakers import Breakers
from .caching import SingleFlight
from .mirrors import PATIENCE, require_same_upstream
from .page_memory import PAUSE_SECONDS
from .ports import Clock, Database, NamesFetched, NotModified, Upstream

log = logging.getLogger(__name__)

BATCH = 10_000
"""Names that are written or deleted in one unit of work: others who write wait for one only."""

PLAUSIBLE = 0.8
"""A new list with a smaller part of the old one's names is refused until somebody confirms it."""

IMPLAUSIBLE_SECONDS = 3600
"""For how long an upstream is not asked again after its list was refused."""

LONGEST_IMPORT = 1800.0
"""Seconds within which a list is to be read. It stays below `KEPT_FOR`, or else a list could
lose its first names while it still grows."""

KEPT_FOR = timedelta(hours=1)
"""How long a list is kept after it held, for those who are still reading it."""

_Key = tuple[int, tuple[str, ...]]
"""Of what is remembered for a while: other upstreams, or another index, make another key."""


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list to show, and for how many seconds more its upstream is not to be asked."""

    names: NameList
    seconds: float


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    trouble: Trouble


@dataclass(frozen=True, slots=True)
class _Grown:
    """A list that was read to its end, and does not hold yet."""

    id: int
    validators: Validators


class NameLists:
    """The lists of mirrors that show their upstream's whole list.

    One process reads one list once, however many wait for it.
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
        self._upstream = upstream
        self._clock = clock
        self._breakers = breakers
        self._patience = patience
        self._imports: SingleFlight[_Key, NameList] = SingleFlight()
        self._lock = threading.Lock()
        self._pauses: dict[_Key, _Pause] = {}

    def to_show(self, index: Index) -> ShownList:
        """The list that a mirror shows now, read from its upstream if there is none yet.

        One that has expired is read anew in the background; the request waits a little for that,
        else gets the one that is kept. Raises a Trouble only where none is kept.
        """
        names = self._to_show(index)
        left = timedelta(seconds=index.cache_expiry) - self._age(names)
        return ShownList(names, max(0.0, left.total_seconds()))

    def _to_show(self, index: Index) -> NameList:
        kept = self._kept(index)
        if kept is not None and self._is_fresh(index, kept):
            return kept
        pause = self._pause(index)
        if kept is None:
            if pause is not None:
                # One of its own for each: an exception that many threads raise grows with each.
                raise copy.copy(pause.trouble)
            return self._imports.run(_key(index), lambda: self._import_if_expired(index))
        if pause is not None:
            return kept
        return self._reread(index, kept)

    def _reread(self, index: Index, kept: NameList) -> NameList:
        flight = self._imports.behind(_key(index), lambda: self._import_if_expired(index))
        if flight is None or not flight.ended_within(self._patience):
            return kept
        try:
            return flight.future.result()
        except Trouble:
            return kept

    def refresh(self, index: Index, *, accept_shrunk: bool = False) -> NameList:
        """Ask for the list now, however fresh the kept one is.

        With `accept_shrunk` it holds even if it lost more names than is plausible. Raises
        UpstreamFailed, UpstreamTimeout or StorageBusy; what was kept then stays.
        """
        return self._import(index, self._kept(index), accept_shrunk=accept_shrunk)

    def drop_old(self) -> int:
        """Delete the names of lists that nobody reads any more, in steps; how many."""
        before = self._clock() - KEPT_FOR
        dropped = 0
        while True:
            with self._database.writing() as unit:
                step = unit.mirror_names.drop(before, BATCH)
            dropped += step
            if step < BATCH:
                return dropped

    def close(self) -> None:
        """Let what goes on in the background end quietly."""
        self._imports.close()

    def _kept(self, index: Index) -> NameList | None:
        with self._database.reading() as unit:
            return unit.mirror_names.current(index)

    def _age(self, names: NameList) -> timedelta:
        return self._clock() - names.fetched

    def _is_fresh(self, index: Index, kept: NameList) -> bool:
        """Whether it is younger than the expiry; one from the future is not."""
        return timedelta(0) <= self._age(kept) < timedelta(seconds=index.cache_expiry)

    def _pause(self, index: Index) -> _Pause | None:
        with self._lock:
            pause = self._pauses.get(_key(index))
        return pause if pause is not None and time.monotonic() < pause.until else None

    def _import_if_expired(self, index: Index) -> NameList:
        kept = self._kept(index)
        # Look again: whoever asked just before us may have stored the list by now.
        if kept is not None and self._is_fresh(index, kept):
            return kept
        try:
            return self._import(index, kept)
        except Trouble as trouble:
            # Where there is nothing to show meanwhile, it is tried again almost at once.
            seconds = max(PAUSE_SECONDS, trouble.wait) if kept is not None else 1
            with self._lock:
                self._pauses[_key(index)] = _Pause(time.monotonic() + seconds, trouble)
            log.warning("%s: no list of projects from the upstream: %s", index.name, trouble)
            raise

    def _import(
        self, index: Index, kept: NameList | None, *, accept_shrunk: bool = False
    ) -> NameList:
        """The list of the first of the equivalent upstreams that has a good one."""
        troubles: list[Trouble] = []
        for url in index.upstream_urls:
            try:
                return self._import_from(index, url, kept, accept_shrunk=accept_shrunk)
            except (UpstreamFailed, UpstreamTimeout) as trouble:
                troubles.append(trouble)
        asked = [one for one in troubles if not isinstance(one, UpstreamLeftAlone)]
        raise (asked or troubles)[0]

    def _import_from(
        self, index: Index, url: str, kept: NameList | None, *, accept_shrunk: bool
    ) -> NameList:
        # Validators are of the first upstream alone: to another one they mean something else.
        is_first = url == index.upstream_url
        known = kept.validators if kept is not None and is_first else Validators()
        with (
            self._breakers.asking(url, "the list of all names") as answered,
            self._upstream.project_names(url, known) as answer,
        ):
            answered()
            grown = None if isinstance(answer, NotModified) else self._grown(index, answer)
        if grown is None:
            assert kept is not None, "only what is kept can be confirmed"
            return self._confirmed(index, kept)
        try:
            validators = grown.validators if is_first else Validators()
            return self._flipped(index, grown.id, validators, accept_shrunk=accept_shrunk)
        except BaseException:
            self._discard(grown.id)
            raise

    def _grown(self, index: Index, answer: NamesFetched) -> _Grown:
        """Write a list down as it arrives."""
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            list_id = unit.mirror_names.begin(index, self._clock())
        try:
            for batch in _batches(answer.names):
                with self._database.writing() as unit:
                    require_same_upstream(unit, index)
                    unit.mirror_names.add(list_id, batch)
        except BaseException:
            self._discard(list_id)
            raise
        return _Grown(list_id, answer.validators)

    def _flipped(
        self, index: Index, list_id: int, validators: Validators, *, accept_shrunk: bool
    ) -> NameList:
        with self._database.reading() as unit:
            count = unit.mirror_names.count(list_id)
            kept = unit.mirror_names.current(index)
        if not accept_shrunk:
            _require_plausible(index, kept, count)
        names = NameList(list_id, self._clock(), count, validators)
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            unit.mirror_names.complete(index, names)
        log.info("%s: the upstream's list has %d projects", index.name, count)
        return names

    def _confirmed(self, index: Index, kept: NameList) -> NameList:
        confirmed = replace(kept, fetched=self._clock())
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            unit.mirror_names.touch(kept, confirmed.fetched)
        return confirmed

    def _discard(self, list_id: int) -> None:
        """Delete a list that came to nothing; if that cannot be now, `drop_old` does it."""
        try:
            step = BATCH
            while step == BATCH:
                with self._database.writing() as unit:
                    step = unit.mirror_names.discard(list_id, BATCH)
        except Trouble as trouble:
            log.warning("a broken list of projects is deleted later: %s", trouble)


def _batches(names: Iterator[ProjectName]) -> Iterator[list[ProjectName]]:
    """Names in lists of `BATCH`. Raises UpstreamTimeout when they take too long to come."""
    end = time.monotonic() + LONGEST_IMPORT
    while batch := list(islice(names, BATCH)):
        if time.monotonic() > end:
            raise UpstreamTimeout("the upstream takes too long to send its list of projects")
        yield batch


def _require_plausible(index: Index, kept: NameList | None, count: int) -> None:
    if count == 0:
        raise UpstreamFailed(f"the upstream of {index.name} lists no projects at all")
    if kept is not None and count < PLAUSIBLE * kept.count:
        raise UpstreamFailed(
            f"the upstream of {index.name} lists {count} projects and listed {kept.count} before; "
            f"if that is right, run `stillroom-server mirror refresh {index.name} --names "
            "--accept-shrunk`",
            retry_after=IMPLAUSIBLE_SECONDS,
        )


def _key(index: Index) -> _Key:
    return index.id, index.upstream_urls
