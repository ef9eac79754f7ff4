"""Keeping mirrors within their size budget: files used least recently go first.

What goes can be had again. A file that the upstream no longer has stays, whatever the budget.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stillroom_server.domain.errors import UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import CachedPage, KeptFile, UpstreamFile

from .companions import SUFFIXES
from .file_uses import FileUses
from .mirrors import Mirrors, require_same_upstream
from .ports import BlobStore, Database

log = logging.getLogger(__name__)

FIRST_LOOK = 50
"""How many kept files are looked at first; four times as many each time that was too few."""

STUCK_SECONDS = 3600.0
"""For how long a mirror is left alone after nothing more of it could go."""

READ_SIZE = 1024 * 1024

Stopped = Callable[[], bool]
"""Whether there is no time to go on."""


def _never() -> bool:
    return False


_Place = tuple[ProjectName, str]
"""A file of a mirror, by project and name."""


@dataclass(frozen=True, slots=True)
class EvictionReport:
    """What was evicted, or would be; sizes in bytes.

    `kept_bytes` is what the mirror keeps after that, metadata and provenance included. `stays` is
    how many of the files that were looked at had to stay, because their upstream is not known to
    have them.
    """

    files: int
    bytes: int
    kept_bytes: int
    stays: int


class Eviction:
    """Forgets files of mirrors; the sweep deletes their content a day later."""

    def __init__(
        self, database: Database, store: BlobStore, mirrors: Mirrors, file_uses: FileUses
    ) -> None:
        self._database = database
        self._store = store
        self._mirrors = mirrors
        self._file_uses = file_uses
        self._lock = threading.Lock()
        self._stuck: dict[int, float] = {}

    def run(
        self, index: Index, *, dry_run: bool = False, stopped: Stopped = _never
    ) -> EvictionReport:
        """Bring a mirror below its budget, as far as that goes; with `dry_run` only report it.

        Pages that have expired are asked for anew before their files are judged: whoever cannot
        be asked counts as having nothing. No event is recorded, because an evicted file is listed
        as before. Raises StorageBusy.
        """
        self._file_uses.flush()
        with self._database.reading() as unit:
            left = unit.mirror_pages.kept_bytes(index)
        files, size, stays = 0, 0, 0
        for project, kept, row in self._judged(index) if index.size_budget else ():
            if left <= index.size_budget or stopped():
                break
            if row is None:
                stays += 1
            elif dry_run or self._evict(index, project, kept, row):
                files += 1
                size += kept.size
                left -= kept.size
        return EvictionReport(files, size, left, stays)

    def run_all(self, stopped: Stopped = _never) -> None:
        """Bring all mirrors below their budgets; the log says what that did. Raises as `run`."""
        with self._database.reading() as unit:
            mirrors = [index for index in unit.indexes.all() if index.size_budget]
        for mirror in mirrors:
            with self._lock:
                if time.monotonic() < self._stuck.get(mirror.id, 0.0):
                    continue
            report = self.run(mirror, stopped=stopped)
            if report.files:
                log.info("%s: evicted %d files, %d bytes", mirror.name, report.files, report.bytes)
            if stopped():
                return
            if report.kept_bytes > mirror.size_budget:
                with self._lock:
                    self._stuck[mirror.id] = time.monotonic() + STUCK_SECONDS
                log.warning(
                    "%s: %d bytes are kept, which is over its budget, and nothing more can go",
                    mirror.name, report.kept_bytes,
                )  # fmt: skip

    def _judged(self, index: Index) -> Iterator[tuple[ProjectName, KeptFile, UpstreamFile | None]]:
        """All kept files, those first that were used least recently, each with its verdict.

        That is the row of the upstream's page from which the file can be had again, or None.
        """
        known: set[_Place] = set()
        limit = FIRST_LOOK
        while True:
            with self._database.reading() as unit:
                found = unit.mirror_pages.least_used(index, limit)
            new = [(p, kept) for p, kept in found if (p, kept.filename) not in known]
            known.update((project, kept.filename) for project, kept in new)
            files = [(p, k) for p, k in new if not k.filename.endswith(SUFFIXES)]
            rows: dict[ProjectName, dict[str, UpstreamFile]] = {}
            for project, kept in files:
                if project not in rows:
                    same = {k.filename: k for p, k in files if p == project}
                    rows[project] = self._upstream_rows(index, project, same)
                yield project, kept, rows[project].get(kept.filename)
            if len(found) < limit:
                return
            limit *= 4

    def _upstream_rows(
        self, index: Index, project: ProjectName, kept: dict[str, KeptFile]
    ) -> dict[str, UpstreamFile]:
        """The rows of those of these files that the upstream surely has, as they are here."""
        try:
            page = self._mirrors.page(index, project)
            if page.stale:
                # What waits for nobody there is too short for a slow upstream.
                page = self._mirrors.page(index, project, refresh=True)
        except (UpstreamFailed, UpstreamTimeout):
            return {}
        if page.stale or not page.exists:
            return {}
        with self._database.reading() as unit:
            cached = unit.mirror_pages.get(index, project)
        rows = _offered(cached)
        return {
            name: rows[name]
            for name, file in kept.items()
            if name in rows and self._is_that(file, rows[name])
        }

    def _is_that(self, kept: KeptFile, row: UpstreamFile) -> bool:
        """Whether a page lists exactly this content; never for a row without a digest."""
        if row.refused is not None or not row.hashes:
            return False
        if "sha256" in row.hashes:
            return row.hashes["sha256"] == kept.sha256
        checks = {name: hashlib.new(name) for name in row.hashes}
        try:
            with self._store.open(kept.sha256) as content:
                while data := content.read(READ_SIZE):
                    for check in checks.values():
                        check.update(data)
        except FileNotFoundError:
            return False
        return all(checks[name].hexdigest() == row.hashes[name] for name in checks)

    def _evict(
        self, index: Index, project: ProjectName, kept: KeptFile, row: UpstreamFile
    ) -> bool:
        """Forget a file, unless something about it has changed since it was judged."""
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            rows = _offered(unit.mirror_pages.get(index, project))
            if rows.get(kept.filename) != row or kept not in unit.mirror_pages.kept(
                index, project
            ):
                return False
            return unit.mirror_pages.forget_kept(index, project, kept.filename)


def _offered(page: CachedPage | None) -> dict[str, UpstreamFile]:
    """What the upstream lists and hands out, by name."""
    if page is None or not page.exists or not page.status.offers_files:
        return {}
    return {file.filename: file for file in page.files}
