"""Files of mirrors on their way here: fetched once, followed by all who ask, kept when whole."""

import copy
import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stillroom_server.domain.errors import Overloaded, StillroomError, UpstreamFailed
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.upstream import KeptFile

from .mirrors import require_same_upstream
from .ports import BlobStore, BlobWriter, Clock, Database, Upstream

log = logging.getLogger(__name__)

WITHHELD = 64 * 1024
"""Bytes at the end of a file that nobody gets before its digest is verified."""

READ_SIZE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch: from where, what it must be, and under which name to keep it.

    `hashes` are the digests (hex, by algorithm) that the content must have.
    """

    index: Index
    project: ProjectName
    filename: str
    url: str
    hashes: tuple[tuple[str, str], ...]
    size: int | None


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

    def size(self) -> int:
        """The size in bytes; waits until it is known, at the latest when all is here."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or self._size is not None)
            if self._size is None:
                raise self._failure()
            return self._size

    def wait(self) -> str:
        """Wait until the file is kept; its SHA-256. Raises what went wrong."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or self._sha256)
            if self._sha256 is None:
                raise self._failure()
            return self._sha256

    def begun(self) -> None:
        """Wait until the first byte may be given out; raises if the fetch fails before that."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or self._sha256 or self._written > WITHHELD)
            if self._error is not None:
                raise self._failure()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, as they arrive.

        Raises in the middle when the fetch fails, so that the transfer breaks off visibly.
        """
        position = start
        while position < stop:
            data = self._next(position, min(READ_SIZE, stop - position))
            position += len(data)
            yield data

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

    # The side of the fetching thread.

    def started(self, writer: BlobWriter, size: int | None) -> None:
        """The upstream has begun to answer."""
        with self._changed:
            self._writer = writer
            self._size = self._size if self._size is not None else size
            self._changed.notify_all()

    def received(self, size: int) -> None:
        """So many bytes more have been written."""
        with self._changed:
            self._written += size
            self._changed.notify_all()

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
    ) -> None:
        self._database = database
        self._store = store
        self._upstream = upstream
        self._clock = clock
        self._slots = threading.BoundedSemaphore(parallel)
        self._lock = threading.Lock()
        self._running: dict[tuple[IndexName, str, str], Download] = {}

    def start(self, wanted: Wanted) -> Download:
        """Begin to fetch, or join the fetch that is under way."""
        key = (wanted.index.name, wanted.filename, wanted.url)
        with self._lock:
            download = self._running.get(key)
            if download is not None:
                return download
            download = Download(self._store, wanted.size)
            self._running[key] = download
        # Not the thread of whoever asked: that client may hang up, the file is wanted still.
        thread = threading.Thread(
            target=self._run, args=(key, wanted, download), name=f"fetch {wanted.filename}"
        )
        thread.daemon = True
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                del self._running[key]
            raise Overloaded("Too many files are being fetched; try again in a moment.") from None
        return download

    def _run(self, key: tuple[IndexName, str, str], wanted: Wanted, download: Download) -> None:
        try:
            with (
                self._slots,
                _telling(wanted, download),
                self._store.receive() as writer,
                # Followers must know of a failure before the writer that they read is closed.
                _telling(wanted, download),
            ):
                kept = self._kept(wanted)
                if kept is not None:
                    download.finished(kept.sha256, kept.size)
                else:
                    self._fetch(wanted, download, writer)
        finally:
            with self._lock:
                del self._running[key]

    def _fetch(self, wanted: Wanted, download: Download, writer: BlobWriter) -> None:
        checks = {name: hashlib.new(name) for name, _digest in wanted.hashes}
        size = 0
        with self._upstream.fetch(wanted.url) as transfer:
            expected = wanted.size if wanted.size is not None else transfer.size
            _check_size(wanted, transfer.size, expected)
            download.started(writer, transfer.size)
            for chunk in transfer.chunks():
                writer.write(chunk)
                for check in checks.values():
                    check.update(chunk)
                size += len(chunk)
                if expected is not None and size > expected:
                    break
                download.received(len(chunk))
        _check_size(wanted, size, expected)
        for name, digest in wanted.hashes:
            if checks[name].hexdigest() != digest.lower():
                raise UpstreamFailed(
                    f"The upstream sent {wanted.filename} with another {name} than it lists; "
                    "it was not kept."
                )
        sha256 = writer.keep()
        kept = KeptFile(wanted.filename, sha256, size, self._clock())
        with self._database.writing() as unit:
            require_same_upstream(unit, wanted.index)
            unit.mirror_pages.keep(wanted.index, wanted.project, kept)
        download.finished(sha256, size)

    def _kept(self, wanted: Wanted) -> KeptFile | None:
        """The file, if a fetch ended after somebody found that it was not here."""
        digest = dict(wanted.hashes).get("sha256", "").lower()
        with self._database.reading() as unit:
            kept = unit.mirror_pages.kept(wanted.index, wanted.project)
        for file in kept:
            if file.filename == wanted.filename and digest in {"", file.sha256}:
                return file
        return None


@contextmanager
def _telling(wanted: Wanted, download: Download) -> Iterator[None]:
    """Tell a failure to all who follow: nobody else would wake them."""
    try:
        yield
    except StillroomError as error:
        log.warning("%s: %s was not fetched: %s", wanted.index.name, wanted.filename, error)
        download.failed(error)
    except BaseException:
        download.failed(UpstreamFailed(f"Fetching {wanted.filename} failed."))
        raise


def _check_size(wanted: Wanted, size: int | None, expected: int | None) -> None:
    if size is not None and expected is not None and size != expected:
        raise UpstreamFailed(
            f"The upstream sent {size} bytes for {wanted.filename} in place of {expected}; "
            "it was not kept."
        )
