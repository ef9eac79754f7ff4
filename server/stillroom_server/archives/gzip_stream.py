"""Unpacks a gzip file piece by piece, within bounds."""

import zlib
from typing import BinaryIO

from .bounds import CHUNK, ArchiveLimits, Deadline, UnreadableArchive

_GZIP = zlib.MAX_WBITS | 16


class GzipStream:
    """What a file unpacks to that is one gzip member and nothing else (RFC 1952).

    zlib itself checks the header, the CRC and the length. `gzip` and `tarfile` would go on with
    a second member or ignore what follows, and each does it in its own way.
    """

    def __init__(
        self, file: BinaryIO, size: int, limits: ArchiveLimits, deadline: Deadline
    ) -> None:
        file.seek(0)
        self._file = file
        self._size = size
        self._limits = limits
        self._deadline = deadline
        self._decoder = zlib.decompressobj(wbits=_GZIP)
        self._chunk = b""
        self._used = 0
        self._total = 0

    def read(self, size: int) -> bytes:
        """The next bytes; fewer than `size` only at the end."""
        data = self._chunk[self._used : self._used + size]
        self._used += len(data)
        if len(data) == size:
            return data
        parts = [data]
        left = size - len(data)
        while left and (chunk := self._unpack()):
            parts.append(chunk[:left])
            self._chunk, self._used = chunk, len(parts[-1])
            left -= len(parts[-1])
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over so many bytes; raises UnreadableArchive if there are fewer."""
        left = size - min(size, len(self._chunk) - self._used)
        self._used += size - left
        while left:
            chunk = self._unpack()
            if not chunk:
                raise UnreadableArchive("it is cut off")
            self._chunk, self._used = chunk, min(left, len(chunk))
            left -= self._used

    def _unpack(self) -> bytes:
        decoder = self._decoder
        while not decoder.eof:
            self._deadline.check()
            packed = decoder.unconsumed_tail or self._file.read(CHUNK)
            try:
                data = decoder.decompress(packed, CHUNK)
            except zlib.error:
                raise UnreadableArchive("it is not compressed by gzip, or damaged") from None
            self._total += len(data)
            self._limits.check_unpacked(self._total, self._size)
            if data:
                return data
            if not packed:
                raise UnreadableArchive("its gzip stream is cut off")
        if decoder.unused_data or self._file.read(1):
            raise UnreadableArchive("something follows its gzip stream")
        return b""
