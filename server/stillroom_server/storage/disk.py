"""Blobs on disk, each in a file whose name is the SHA-256 of its content."""

import errno
import fcntl
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from stillroom_server.domain.errors import StillroomError, StorageBusy, StorageFull
from stillroom_server.services.ports import BlobWriter

_MARKER = "stillroom-store"
_BLOBS = "blobs"
_INCOMING = "incoming"
_LOCK = "lock"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnusableStore(StillroomError):
    """The folder is not a blob store that can be used."""


class DiskBlobStore:
    """The port `BlobStore` on a folder: `blobs/ab/cd/<sha256>`, and `incoming/` for what arrives.

    Raises UnusableStore if the folder has no marker: a file system that is not mounted must not
    look like a store without blobs. A blob's modification time is when it was last kept.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._blobs = root / _BLOBS
        self._incoming = root / _INCOMING
        if not self._has_marker():
            raise UnusableStore(
                f"{root} is not a blob store: {_MARKER} is missing in it; check that its file "
                "system is mounted, or create a new store"
            )
        if self._blobs.stat().st_dev != self._incoming.stat().st_dev:
            raise UnusableStore(
                f"{_BLOBS} and {_INCOMING} in {root} must be on one file system: blobs are "
                "renamed from one to the other"
            )

    @classmethod
    def create(cls, root: Path) -> "DiskBlobStore":
        """Make a store in a folder, or finish what an interrupted `create` began; open it."""
        with _store_trouble():
            for folder in (root, root / _BLOBS, root / _INCOMING):
                _make_folder(folder)
            for name in (_LOCK, _MARKER):
                _make_file(root / name)
            for folder in (root, root.parent):
                _sync_folder(folder)
        return cls(root)

    @contextmanager
    def receive(self) -> Iterator[BlobWriter]:
        """Begin to receive; without `keep`, what was written is gone at the end of the block."""
        with _store_trouble():
            descriptor, path = tempfile.mkstemp(dir=self._incoming)
        writer = _DiskWriter(self, descriptor, Path(path))
        try:
            yield writer
        finally:
            writer.end()

    def open(self, sha256: str) -> BinaryIO:
        """The content. FileNotFoundError if it is not here, StorageBusy if the store is not."""
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError:
            if self._has_marker():
                raise
            raise StorageBusy("the blob store is not there; is its file system mounted?") from None
        except OSError as error:
            raise StorageBusy("the blob store cannot be read at the moment") from error

    def walk(self) -> Iterator[tuple[str, int]]:
        """The digest and size of everything that it holds."""
        with _store_trouble():
            for first in _entries(self._blobs):
                for second in _entries(first):
                    yield from _blobs_in(second)

    def delete(self, sha256: str, untouched_since: datetime) -> bool:
        """Delete unless it was kept anew after that time; whether it is gone."""
        path = self._path(sha256)
        with _store_trouble(), self._locked():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime >= untouched_since.timestamp():
                    return False
                path.unlink()
            return True

    def clean_incoming(self, older_than: datetime) -> int:
        """Remove what servers that were killed left half received; how much it was."""
        removed = 0
        with _store_trouble():
            for path in self._incoming.iterdir():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < older_than.timestamp():
                        path.unlink()
                        removed += 1
        return removed

    def adopt(self, incoming: Path, sha256: str, size: int) -> None:
        """Give a complete, synchronised file its final name; what is there already is kept alive.

        Content of another size under that name is damaged, and is replaced.
        """
        final = self._path(sha256)
        for folder in (final.parent.parent, final.parent):
            _make_folder(folder)
        with self._locked():
            if _size_of(final) == size:
                os.utime(final)
            else:
                incoming.rename(final)
        # All of them, whoever made them: another process may have died before it came to this.
        for folder in (final.parent, final.parent.parent, self._blobs):
            _sync_folder(folder)

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise FileNotFoundError(errno.ENOENT, "not a SHA-256 in lower-case hex", sha256)
        return self._blobs / sha256[:2] / sha256[2:4] / sha256

    def _has_marker(self) -> bool:
        return (self._root / _MARKER).exists()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # For the moment in which a blob is renamed, touched or deleted, across processes.
        descriptor = os.open(self._root / _LOCK, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class _DiskWriter:
    """The port `BlobWriter`. Writes without a buffer, so that no error waits for a later call."""

    def __init__(self, store: DiskBlobStore, descriptor: int, path: Path) -> None:
        self._store = store
        self._descriptor = descriptor
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0
        self._readers: list[BinaryIO] = []
        self._is_open = True
        self._closing = threading.Lock()

    def write(self, data: bytes) -> None:
        """Append. StorageFull when there is no room, StorageBusy when the disk fails."""
        rest = memoryview(data)
        with _store_trouble():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        self._hash.update(data)
        self._size += len(data)

    def file(self) -> BinaryIO:
        """What was written so far, readable and seekable, from its start. Closed by the store."""
        with _store_trouble():
            reader = self._path.open("rb")
        self._readers.append(reader)
        return reader

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes of what was written so far, for other threads that follow along.

        Raises ValueError once the block of `receive` has ended, as closed files do.
        """
        with self._closing:
            # Without this, the number of the descriptor could mean another file by now.
            if not self._is_open:
                raise ValueError("this blob is no longer being received")
            with _store_trouble():
                return os.pread(self._descriptor, size, offset)

    def keep(self) -> str:
        """Make it durable under its SHA-256, and return that.

        A sync that fails is not tried again: the kernel may have dropped what was not written.
        """
        sha256 = self._hash.hexdigest()
        with _store_trouble():
            if os.fstat(self._descriptor).st_size != self._size:
                raise StorageBusy("a write to the blob store failed; send the content anew")
            os.fchmod(self._descriptor, 0o600)
            os.utime(self._descriptor)
            os.fsync(self._descriptor)
            self._store.adopt(self._path, sha256, self._size)
        return sha256

    def end(self) -> None:
        """Close everything; remove the file if it was not given its final name."""
        for reader in self._readers:
            reader.close()
        with self._closing:
            self._is_open = False
            os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


@contextmanager
def _store_trouble() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("the blob store has no room left; free some on its disk") from error
        raise StorageBusy("the blob store cannot be used at the moment; try again") from error


def _make_folder(path: Path) -> None:
    # mkdir alone would apply the umask.
    with suppress(FileExistsError):
        path.mkdir(0o700)
        path.chmod(0o700)


def _make_file(path: Path) -> None:
    path.touch(0o600)
    path.chmod(0o600)


def _entries(folder: Path) -> Iterator[Path]:
    # Not `glob`, which takes a folder that cannot be read for an empty one.
    with os.scandir(folder) as entries:
        for entry in entries:
            yield Path(entry.path)


def _blobs_in(folder: Path) -> Iterator[tuple[str, int]]:
    for path in _entries(folder):
        size = _size_of(path) if _SHA256.fullmatch(path.name) else None
        # None also for what the sweep of another process deleted just now.
        if size is not None:
            yield path.name, size


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
