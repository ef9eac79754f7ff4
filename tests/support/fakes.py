"""The database and the blob store in memory: for tests of services, behind the same ports.

They pass the contract suites that the real ones pass.
"""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from stillroom_server.storage.database import one_unit
from support.fake_fetches import FakeFetches
from support.fake_groups import FakeGroups
from support.fake_guesses import FakePasswordGuesses
from support.fake_journal import FakeJournal
from support.fake_owners import FakeProjectOwners
from support.fake_publishers import FakePublishers
from support.fake_repositories import (
    FakeBlobs,
    FakeFiles,
    FakeIndexes,
    FakeMirrorNames,
    FakeMirrorPages,
    FakeProjects,
    FakeTokens,
    FakeUsers,
    Tables,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


class FakeUnit:
    def __init__(self, tables: Tables, clock: Callable[[], datetime], *, writable: bool) -> None:
        self.users = FakeUsers(tables, writable=writable)
        self.groups = FakeGroups(tables, writable=writable)
        self.guesses = FakePasswordGuesses(tables, writable=writable)
        self.tokens = FakeTokens(tables, writable=writable)
        self.indexes = FakeIndexes(tables, writable=writable)
        self.projects = FakeProjects(tables, writable=writable)
        self.owners = FakeProjectOwners(tables, writable=writable)
        self.files = FakeFiles(tables, writable=writable)
        self.blobs = FakeBlobs(tables, writable=writable)
        self.mirror_pages = FakeMirrorPages(tables, writable=writable)
        self.mirror_names = FakeMirrorNames(tables, clock, writable=writable)
        self.publishers = FakePublishers(tables, writable=writable)
        self.fetches = FakeFetches(tables, writable=writable)
        self.journal = FakeJournal(tables, writable=writable)


class FakeDatabase:
    """The port `Database`: a writer works on a copy, which replaces the whole at its commit."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._committed = Tables()
        self._writer_turn = threading.Lock()
        self.writes = 0

    @contextmanager
    def reading(self) -> Iterator[FakeUnit]:
        with one_unit("reading"):
            yield FakeUnit(self._committed, self._clock, writable=False)

    @contextmanager
    def writing(self) -> Iterator[FakeUnit]:
        with one_unit("writing"), self._writer_turn:
            self.writes += 1
            tables = self._committed.snapshot()
            unit = FakeUnit(tables, self._clock, writable=True)
            yield unit
            unit.journal.take_serial(self._clock())
            self._committed = tables

    def serial(self) -> int:
        return self._committed.serial

    def instance(self) -> str:
        return "fake"

    def close(self) -> None:
        """Nothing to close."""


class MemoryBlobStore:
    """The port `BlobStore`. `clock` says when a blob was kept."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._blobs: dict[str, tuple[bytes, datetime]] = {}

    @contextmanager
    def receive(self) -> Iterator["_MemoryWriter"]:
        writer = _MemoryWriter(self)
        try:
            yield writer
        finally:
            writer.is_open = False

    def open(self, sha256: str) -> io.BytesIO:
        if sha256 not in self._blobs:
            raise FileNotFoundError(sha256)
        return io.BytesIO(self._blobs[sha256][0])

    def clean_incoming(self, older_than: datetime) -> int:
        return 0

    def walk(self) -> Iterator[tuple[str, int]]:
        return ((sha256, len(content)) for sha256, (content, _) in self._blobs.items())

    def delete(self, sha256: str, untouched_since: datetime) -> bool:
        if sha256 in self._blobs and self._blobs[sha256][1] >= untouched_since:
            return False
        self._blobs.pop(sha256, None)
        return True

    def put(self, content: bytes) -> str:
        """Keep content at once; its digest."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._blobs[sha256] = (content, self._clock())
        return sha256


class _MemoryWriter:
    def __init__(self, store: MemoryBlobStore) -> None:
        self._store = store
        self._content = bytearray()
        self.is_open = True

    def write(self, data: bytes) -> None:
        self._content += data

    def file(self) -> io.BytesIO:
        return io.BytesIO(bytes(self._content))

    def read_at(self, offset: int, size: int) -> bytes:
        if not self.is_open:
            raise ValueError("this blob is no longer being received")
        return bytes(self._content[offset : offset + size])

    def keep(self) -> str:
        return self._store.put(bytes(self._content))
