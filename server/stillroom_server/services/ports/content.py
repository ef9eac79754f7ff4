"""Content: the store of blobs, and who looks into archives."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from stillroom_server.domain.distributions import Filename
from stillroom_server.domain.metadata import CoreMetadata


class BlobWriter(Protocol):
    """Receives content into a temporary file in the store's own file system."""

    def write(self, data: bytes) -> None:
        """Append. Raises StorageFull when there is no room."""

    def file(self) -> BinaryIO:
        """What was written so far, readable and seekable, from its start. Closed by the store."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes of what was written so far, for those who follow along."""

    def keep(self) -> str:
        """Make it durable under the name that is its SHA-256 (hex), and return that.

        The content may be there already: then it is kept alive, and nothing is written twice.
        """


class BlobStore(Protocol):
    """Holds content under its SHA-256."""

    def receive(self) -> AbstractContextManager[BlobWriter]:
        """Begin to receive; without `keep`, what was written is gone at the end of the block."""

    def open(self, sha256: str) -> BinaryIO:
        """The content, readable and seekable. Raises FileNotFoundError."""

    def clean_incoming(self, older_than: datetime) -> int:
        """Delete what servers that were killed left half received; how many."""

    def walk(self) -> Iterator[tuple[str, int]]:
        """The digest and size of everything that it holds."""

    def delete(self, sha256: str, untouched_since: datetime) -> bool:
        """Delete unless it was kept anew after that time; whether it is gone."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a look into an archive found."""

    metadata: CoreMetadata


class Inspector(Protocol):
    """Looks into wheels and sdists without unpacking them to disk."""

    def inspect(self, file: BinaryIO, filename: Filename) -> Inspected:
        """Check the archive and read its metadata.

        Raises InvalidRequest with every fault that was found, within bounds of time, members
        and bytes; the field of a fault is `content`, or the metadata field at fault.
        """

    def wheel_metadata(self, file: BinaryIO) -> bytes:
        """The METADATA of a wheel, byte for byte; reads no more of it than that needs.

        Mirrored wheels are what they are, so nothing else of it is judged. Raises InvalidRequest
        where there is none, or not exactly one, or an unreasonable one.
        """
