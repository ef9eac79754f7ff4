"""Files of mirrors on their way here: fetched once, followed by all who ask, kept when whole."""

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stillroom_server.domain.errors import (
    NotFound,
    Overloaded,
    StillroomError,
    UpstreamFailed,
    UpstreamFileUnusable,
    UpstreamTimeout,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.pinning import completed, contradiction
from stillroom_server.domain.upstream import KeptFile, UpstreamFile

from .mirrors import note_learned, require_same_upstream
from .ports import BlobStore, BlobWriter, Clock, Database, Unit, Upstream
from .slots import Slots
from .transfers import Fetch, Place, Received, Sleep, Wanted, changed

log = logging.getLogger(__name__)

WITHHELD = 64 * 1024
"""Bytes at the end of a file that nobody gets before its digest is verified."""

READ_SIZE = 256 * 1024

SLOW_SECONDS, SLOW_BYTES = 60.0, 64 * 1024
"""After so many seconds with fewer bytes a second, a fetch that nobody follows is given up."""

COOLDOWN_SECONDS = 5.0
"""For how long a file that came wrong is not asked for again."""

MAX_FILE_SIZE = 20 * 1024**3
"""How many bytes a file may have, unless said."""

_Key = tuple[int, ProjectName, str, Place, frozenset[tuple[str, str]]]
Then = Callable[[KeptFile], None]
"""What is to be done once a file is here."""


class Download:
    """One file on its way. Any number of readers follow; the last bytes wait for the digest."""

    def __init__(self, store: BlobStore, size: int | None) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._writer: BlobWriter | None = None
        self._size = size
        self._written = 0
        self._sha256: str | None = None
        self._error: StillroomError | None = None
        self._followers = 0
        self._judged = (0.0, 0)

    def size(self) -> int:
        """The size in bytes; waits until it is known, at the latest when all is here."""
        with self._following():
            self._changed.wait_for(lambda: self._error or self._size is not None)
            if self._size is None:
                raise self._failure()
            return self._size

    def wait(self) -> str:
        """Wait until the file is kept; its SHA-256. Raises what went wrong."""
        with self._following():
            self._changed.wait_for(lambda: self._error or self._sha256)
            if self._sha256 is None:
                raise self._failure()
            return self._sha256

    def begun(self) -> None:
        """Wait until the first byte may be given out; raises if the fetch fails before that."""
        with self._following():
            self._changed.wait_for(lambda: self._error or self._sha256 or self._written > WITHHELD)
            if self._error is not None:
                raise self._failure()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, as they arrive.

        Raises in the middle when the fetch fails, so that the transfer breaks off visibly.
        """
        self._join()
        try:
            position = start
            while position < stop:
                data = self._next(position, min(READ_SIZE, stop - position))
                position += len(data)
                yield data
        finally:
            self._leave()

    def _next(self, position: int, size: int) -> bytes:
        with self._changed:
            self._changed.wait_for(
                lambda: self._error or self._sha256 or self._written - WITHHELD > position
            )
            if self._sha256 is None:
                if self._error is not None:
                    raise self._failure()
                assert self._writer is not None
                return self._writer.read_at(
                    position, min(size, self._written - WITHHELD - position)
                )
            sha256 = self._sha256
        with self._store.open(sha256) as content:
            content.seek(position)
            return content.read(size)

    def _failure(self) -> StillroomError:
        # Each reader raises its own: one exception raised in many threads tangles tracebacks.
        assert self._error is not None
        error = copy.copy(self._error)
        error.__cause__ = self._error
        return error

    @contextmanager
    def _following(self) -> Iterator[None]:
        """Hold the lock, as somebody who waits for the file."""
        with self._changed:
            self._join()
            try:
                yield
            finally:
                self._leave()

    def _join(self) -> None:
        with self._changed:
            self._followers += 1

    def _leave(self) -> None:
        with self._changed:
            self._followers -= 1
            self._judged = (time.monotonic(), self._written)

    # The side of the fetching thread.

    def started(self, writer: BlobWriter, size: int | None) -> None:
        """The upstream has begun to answer."""
        with self._changed:
            if self._writer is None:
                self._judged = (time.monotonic(), 0)
            self._writer = writer
            self._size = self._size if self._size is not None else size
            self._changed.notify_all()

    def received(self, size: int) -> None:
        """So many bytes more have been written.

        Raises Overloaded if they come too slowly for a file that nobody follows any more.
        """
        with self._changed:
            self._written += size
            self._changed.notify_all()
            if self._followers == 0:
                self._judge()

    def _judge(self) -> None:
        since, written = self._judged
        seconds = time.monotonic() - since
        if seconds < SLOW_SECONDS:
            return
        if self._written - written < SLOW_BYTES * seconds:
            # Not a failure of the upstream's: no other place must be tried for it.
            raise Overloaded(
                "The fetch was given up: it was slow, and nobody waited for it any more."
            )
        self._judged = (since + seconds, self._written)

    def finished(self, sha256: str, size: int) -> None:
        """The content is verified and kept."""
        with self._changed:
            self._size = self._written = size
            self._sha256 = sha256
            self._changed.notify_all()

    def failed(self, error: StillroomError) -> None:
        """The content is not here and will not come."""
        with self._changed:
            self._error = error
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class _Cooldown:
    until: float
    error: StillroomError


class Downloads:
    """Fetches files from upstreams, each once, however many ask for it."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        upstream: Upstream,
        clock: Clock,
        *,
        parallel: int = 32,
        per_upstream: int = 8,
        max_size: int = MAX_FILE_SIZE,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._database = database
        self._store = store
        self._upstream = upstream
        self._clock = clock
        self._slots = Slots(parallel, per_upstream)
        self._max_size = max_size
        self._sleep = sleep
        self._lock = threading.Lock()
        self._running: dict[_Key, Download] = {}
        self._cooling: dict[_Key, _Cooldown] = {}
        self._threads: set[threading.Thread] = set()
        self._fetched = 0

    @property
    def fetched(self) -> int:
        """How many files this process has fetched so far."""
        return self._fetched

    def start(self, wanted: Wanted, then: Then | None = None) -> Download:
        """Begin to fetch, or join the fetch that is under way.

        `then` is called after the file is kept and told, by the thread that fetched it; whoever
        follows does not wait for it.
        """
        key = _key(wanted)
        with self._lock:
            download = self._running.get(key) or self._cooled(key, wanted)
            if download is not None:
                return download
            download = self._running[key] = Download(self._store, wanted.size)
            # Not that of whoever asked: such a client may hang up, the file is wanted still.
            thread = threading.Thread(
                target=self._run,
                args=(key, wanted, download, then),
                name=f"fetch {wanted.filename}",
                daemon=True,
            )
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                del self._running[key]
                self._threads.remove(thread)
            raise Overloaded("Too many files are being fetched; try again in a moment.") from None
        return download

    def size(self, wanted: Wanted) -> int | None:
        """The size of a file whose content nobody wants now, None if its upstream says none.

        Raises what the first place says if none answers: NotFound, UpstreamFailed or
        UpstreamTimeout.
        """
        if wanted.size is not None:
            return wanted.size
        failure: Exception | None = None
        for place in wanted.places():
            try:
                with self._upstream.fetch(place.base_url, place.url) as transfer:
                    return transfer.size
            except (NotFound, UpstreamFailed, UpstreamTimeout) as error:
                failure = failure or error
        assert failure is not None, "there is one place at least"
        raise failure

    def wait(self) -> None:
        """Wait until nothing is being fetched any more, nor what is done after that."""
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _cooled(self, key: _Key, wanted: Wanted) -> Download | None:
        """A download that has failed already, if the same one failed for good just now."""
        cooling = self._cooling.get(key)
        if cooling is None or time.monotonic() >= cooling.until:
            return None
        download = Download(self._store, wanted.size)
        download.failed(cooling.error)
        return download

    def _run(self, key: _Key, wanted: Wanted, download: Download, then: Then | None) -> None:
        try:
            fetched = self._fetch_once(key, wanted, download)
            if fetched is not None and then is not None:
                # Not in one of the slots, for it may fetch more.
                then(fetched)
        finally:
            with self._lock:
                self._threads.remove(threading.current_thread())

    def _fetch_once(self, key: _Key, wanted: Wanted, download: Download) -> KeptFile | None:
        """Fetch for all who follow; None if that failed or the file is here already."""
        try:
            with (
                self._telling(wanted, download),
                self._slots.one(wanted.place.base_url),
                self._store.receive() as writer,
                # Followers must know of a failure before the writer that they read is closed.
                self._telling(wanted, download),
            ):
                kept = self._kept(wanted)
                if kept is None:
                    return self._fetch(wanted, download, writer)
                download.finished(kept.sha256, kept.size)
            return None
        finally:
            with self._lock:
                del self._running[key]

    def _fetch(self, wanted: Wanted, download: Download, writer: BlobWriter) -> KeptFile:
        fetch = Fetch(
            self._upstream, wanted, writer, download, max_size=self._max_size, sleep=self._sleep
        )
        received = fetch.run()
        now = self._clock()
        kept = KeptFile(wanted.filename, writer.keep(), received.size, fetched=now, used=now)
        self._note(wanted, kept, received)
        with self._lock:
            self._fetched += 1
        download.finished(kept.sha256, kept.size)
        return kept

    def _note(self, wanted: Wanted, kept: KeptFile, received: Received) -> None:
        """Note that a file is here, unless it was forgotten while it was fetched.

        Raises UpstreamFileUnusable if what is known by now says that it is another one.
        """
        with self._database.writing() as unit:
            require_same_upstream(unit, wanted.index)
            listed = _listed_now(unit, wanted)
            if listed is None:
                return
            hashes = {**dict(wanted.hashes), "sha256": kept.sha256}
            if contradiction(hashes, listed.hashes) is not None:
                raise changed(wanted)
            if wanted.keep:
                unit.mirror_pages.keep(wanted.index, wanted.project, kept)
            note_learned(
                unit,
                wanted.index,
                wanted.project,
                wanted.filename,
                now=kept.fetched,
                sha256=kept.sha256,
                size=kept.size,
                modified=received.modified,
            )

    def _kept(self, wanted: Wanted) -> KeptFile | None:
        """The file, if a fetch ended after somebody found that it was not here."""
        digest = dict(wanted.hashes).get("sha256")
        with self._database.reading() as unit:
            return kept_file(unit, wanted.index, wanted.project, wanted.filename, digest)

    @contextmanager
    def _telling(self, wanted: Wanted, download: Download) -> Iterator[None]:
        """Tell a failure to all who follow: nobody else would wake them."""
        try:
            yield
        except StillroomError as error:
            log.warning("%s: %s was not fetched: %s", wanted.index.name, wanted.filename, error)
            if isinstance(error, UpstreamFileUnusable):
                self._cool_down(_key(wanted), error)
            download.failed(error)
        except BaseException:
            download.failed(UpstreamFailed(f"Fetching {wanted.filename} failed."))
            raise

    def _cool_down(self, key: _Key, error: StillroomError) -> None:
        now = time.monotonic()
        with self._lock:
            self._cooling = {k: one for k, one in self._cooling.items() if now < one.until}
            self._cooling[key] = _Cooldown(now + COOLDOWN_SECONDS, error)


def kept_file(
    unit: Unit, index: Index, project: ProjectName, filename: str, sha256: str | None
) -> KeptFile | None:
    """A mirrored file whose content is here; one that has another digest than this is not it."""
    for file in unit.mirror_pages.kept(index, project):
        if file.filename == filename and sha256 in {None, file.sha256}:
            return file
    return None


def _listed_now(unit: Unit, wanted: Wanted) -> UpstreamFile | None:
    """What is known of the file now; None if it was forgotten."""
    page = unit.mirror_pages.get(wanted.index, wanted.project)
    if page is None:
        return None
    for file in (*page.files, *page.delisted):
        if file.filename == wanted.filename:
            return completed(file, page)
    return None


def _key(wanted: Wanted) -> _Key:
    """What two fetches have in common that may be one."""
    hashes = frozenset(wanted.hashes)
    return wanted.index.id, wanted.project, wanted.filename, wanted.place, hashes
