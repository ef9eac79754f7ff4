"""How a file gets here from its upstreams, over as many connections as that takes.

What breaks off goes on where it stopped. Whether the parts make the right file is for the
digest to say, once they are together.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.errors import (
    NotFound,
    UpstreamFailed,
    UpstreamFileUnusable,
    UpstreamTimeout,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName

from .ports import BlobWriter, FileTransfer, Upstream

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a place is tried without progress."""

PAUSES = (0.1, 0.5)
"""Seconds between such attempts."""

PROGRESS = 64 * 1024
"""Fewer bytes than this are no progress: a byte for each connection would go on for years."""

PATIENCE_SECONDS = 30.0
"""After so long without progress, a place is not tried again: who asked has long gone."""

Sleep = Callable[[float], None]
"""Waits for so many seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is: its URL, and the base URL of the upstream whose page lists it."""

    base_url: str
    url: str


def _nowhere() -> Iterator[Place]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch: from where, what it must be, and under which name to keep it.

    `hashes` are the digests (hex, by algorithm) that the content must have. `elsewhere` gives
    equivalent places, each only when the one before has failed. With `keep` False, nobody notes
    that the content is here.
    """

    index: Index
    project: ProjectName
    filename: str
    place: Place
    hashes: tuple[tuple[str, str], ...]
    size: int | None
    elsewhere: Callable[[], Iterator[Place]] = field(default=_nowhere, compare=False)
    keep: bool = True

    def places(self) -> Iterator[Place]:
        """Wherever it can be had, in the order in which to ask."""
        yield self.place
        yield from self.elsewhere()


class Progress(Protocol):
    """Who wants to know how a fetch gets on."""

    def started(self, writer: BlobWriter, size: int | None) -> None:
        """An upstream has begun to answer; the size of the whole file, if it says that."""

    def received(self, size: int) -> None:
        """So many bytes more have been written. What this raises ends the fetch."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file whose bytes are all here and have the right digests; `modified` if it is known."""

    size: int
    modified: datetime | None


class Fetch:
    """One file on its way into a writer."""

    def __init__(
        self,
        upstream: Upstream,
        wanted: Wanted,
        writer: BlobWriter,
        progress: Progress,
        *,
        max_size: int,
        sleep: Sleep,
    ) -> None:
        self._upstream = upstream
        self._wanted = wanted
        self._writer = writer
        self._progress = progress
        self._max_size = max_size
        self._sleep = sleep
        self._checks = {name: hashlib.new(name) for name, _digest in wanted.hashes}
        self._expected = wanted.size
        self._received = 0
        self._etags: dict[Place, str] = {}
        self._modified: datetime | None = None

    def run(self) -> Received:
        """Fetch it, wherever it can be had.

        Raises UpstreamFileUnusable where it is not what it must be, else what the first place
        said: NotFound, UpstreamFailed or UpstreamTimeout.
        """
        failure: Exception | None = None
        for place in self._wanted.places():
            try:
                self._fetch_from(place)
            except (NotFound, UpstreamFailed, UpstreamTimeout) as error:
                if isinstance(error, UpstreamFileUnusable) and self._received:
                    # Others have read it already, and it cannot be taken back.
                    raise
                failure = failure or error
            else:
                self._verify()
                return Received(self._received, self._modified)
        assert failure is not None, "there is one place at least"
        raise failure

    def _fetch_from(self, place: Place) -> None:
        fruitless = 0
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            before = self._received
            try:
                self._transfer(place)
            except UpstreamFileUnusable:
                raise
            except (UpstreamFailed, UpstreamTimeout) as trouble:
                if self._received - before >= PROGRESS:
                    fruitless = 0
                    patience = time.monotonic() + PATIENCE_SECONDS
                fruitless += 1
                if fruitless >= ATTEMPTS or time.monotonic() > patience or trouble.wait:
                    raise
                log.info(
                    "%s: %s stopped at byte %d: %s; trying again",
                    self._wanted.index.name, self._wanted.filename, self._received, trouble,
                )  # fmt: skip
                self._sleep(PAUSES[fruitless - 1])
            else:
                return

    def _transfer(self, place: Place) -> None:
        """One connection: all that is still missing, or what comes before it breaks off."""
        etag = self._etags.get(place)
        # With neither a digest nor a validator, the rest of another file could not be told.
        start = self._received if self._wanted.hashes or etag is not None else 0
        with self._upstream.fetch(place.base_url, place.url, start=start, etag=etag) as transfer:
            self._begin(place, transfer, start)
            for chunk in self._new_bytes(transfer):
                self._take(chunk)
        self._check_size(self._received)

    def _begin(self, place: Place, transfer: FileTransfer, start: int) -> None:
        if transfer.start not in {0, start}:
            raise UpstreamFailed(
                f"The upstream sent another part of {self._wanted.filename} than it was asked for."
            )
        self._check_size(transfer.size)
        if self._expected is None:
            self._expected = transfer.size
        self._check_bound(self._expected or 0)
        known = self._etags.get(place)
        if known not in {None, transfer.etag} and not self._wanted.hashes:
            raise self._changed()
        if transfer.etag is not None:
            self._etags[place] = transfer.etag
        self._modified = self._modified or transfer.modified
        self._progress.started(self._writer, self._expected)

    def _new_bytes(self, transfer: FileTransfer) -> Iterator[bytes]:
        """What comes after the bytes that are here; those that come again must be the same."""
        position = transfer.start
        for chunk in transfer.chunks():
            again = min(len(chunk), max(0, self._received - position))
            if again and self._writer.read_at(position, again) != chunk[:again]:
                raise self._changed()
            position += len(chunk)
            if again < len(chunk):
                yield chunk[again:]

    def _take(self, chunk: bytes) -> None:
        self._check_bound(self._received + len(chunk))
        self._writer.write(chunk)
        for check in self._checks.values():
            check.update(chunk)
        self._received += len(chunk)
        if self._expected is not None and self._received > self._expected:
            self._check_size(self._received)
        self._progress.received(len(chunk))

    def _verify(self) -> None:
        for name, digest in self._wanted.hashes:
            if self._checks[name].hexdigest() != digest.lower():
                raise UpstreamFileUnusable(
                    f"The upstream sent {self._wanted.filename} with another {name} than it "
                    "lists; it was not kept."
                )

    def _check_size(self, size: int | None) -> None:
        if size is not None and self._expected is not None and size != self._expected:
            raise UpstreamFileUnusable(
                f"The upstream sent {size} bytes for {self._wanted.filename} in place of "
                f"{self._expected}; it was not kept."
            )

    def _check_bound(self, size: int) -> None:
        if size > self._max_size:
            raise UpstreamFileUnusable(
                f"The upstream's {self._wanted.filename} is over {self._max_size:,} bytes; it was "
                "not kept. The setting max_mirrored_file_size allows more."
            )

    def _changed(self) -> UpstreamFileUnusable:
        return changed(self._wanted)


def changed(wanted: Wanted) -> UpstreamFileUnusable:
    """What to raise where the upstream offers another file now than when the fetch began."""
    return UpstreamFileUnusable(
        f"The upstream changed {wanted.filename} while it was fetched; it was not kept."
    )
