"""The METADATA of a wheel that is not ours to judge: found in its directory, read, nothing else.

By `zipfile`, as installers do: what they can read, they shall get.
"""

import io
import struct
import zipfile
import zlib
from typing import BinaryIO

from stillroom_server.domain.errors import InvalidRequest

from .bounds import MIB, UnreadableArchive, listed
from .zip_directory import DEFLATED, STORED

METADATA_BYTES = 10 * MIB
"""How long METADATA may be; the longest that we met has half a megabyte."""

DIRECTORY_BYTES = 8 * MIB
"""How much is read to find it. A directory of that size names some 80,000 members."""

_ENDING = ".dist-info/METADATA"

# What `zipfile` raises for bytes that make no sense to it, beside BadZipFile. RuntimeError is
# for members that are encrypted, ValueError for offsets before the start.
_NONSENSE = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)


def read_wheel_metadata(file: BinaryIO) -> bytes:
    """The METADATA of a wheel, byte for byte; `file` must be seekable.

    Raises InvalidRequest where there is not exactly one in a top-level `.dist-info` directory,
    where it is over METADATA_BYTES, or where the zip cannot be read up to there. Errors of the
    file itself pass through.
    """
    bounded = _Bounded(file, DIRECTORY_BYTES)
    try:
        with zipfile.ZipFile(bounded) as archive:
            member = _member(archive.infolist())
            bounded.allow(member.compress_size + MIB)
            with archive.open(member) as content:
                return content.read(METADATA_BYTES)
    except UnreadableArchive as error:
        rule = f"no METADATA can be read from it: {error}"
        raise InvalidRequest.one("content", rule) from None
    except _NONSENSE:
        rule = "no METADATA can be read from it: it is no zip, or damaged"
        raise InvalidRequest.one("content", rule) from None


def _member(members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    found = [
        member
        for member in members
        if member.filename.endswith(_ENDING) and member.filename.count("/") == 1
    ]
    if len(found) != 1:
        which = f": {listed([member.filename for member in found])}" if found else ""
        raise UnreadableArchive(f"it holds {len(found)} of them{which}")
    [member] = found
    if member.file_size > METADATA_BYTES:
        raise UnreadableArchive(f"it is over {METADATA_BYTES:,} bytes")
    if member.compress_type not in {STORED, DEFLATED}:
        raise UnreadableArchive("it is neither stored nor deflated")
    return member


class _Bounded(io.RawIOBase):
    """A file of which only so many bytes are read, whatever its directory claims."""

    def __init__(self, file: BinaryIO, allowed: int) -> None:
        self._file = file
        self._left = allowed

    def allow(self, size: int) -> None:
        """Let so many bytes more be read."""
        self._left += size

    def read(self, size: int = -1, /) -> bytes:
        """Read; UnreadableArchive if that is more than is allowed."""
        data = self._file.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableArchive("its directory is too long")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._file.tell()

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True
