"""The content of a zip's members, checked while it is read."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from stillroom_server.domain.errors import InvalidRequest

from .bounds import CHUNK, Deadline, UnreadableArchive, shown
from .zip_framing import ZipMember


class ZipContent:
    """Unpacks members of a sound zip into memory, piece by piece."""

    def __init__(self, file: BinaryIO, deadline: Deadline) -> None:
        self._file = file
        self._deadline = deadline

    def read(self, member: ZipMember, limit: int) -> bytes:
        """A member's whole content; raises InvalidRequest if it is over that many bytes."""
        if member.size > limit:
            rule = f"{shown(member.name)} is over {limit:,} bytes"
            raise InvalidRequest.one("content", rule)
        return b"".join(self.chunks(member))

    def chunks(self, member: ZipMember) -> Iterator[bytes]:
        """A member's content; raises UnreadableArchive unless size and CRC are as declared."""
        self._file.seek(member.start)
        size = crc = 0
        for data in self._stored(member) if member.is_stored else self._inflated(member):
            self._deadline.check()
            size += len(data)
            if size > member.size:
                break
            crc = zlib.crc32(data, crc)
            yield data
        if (size, crc) != (member.size, member.crc):
            raise UnreadableArchive(f"{shown(member.name)} has another size or CRC than it says")

    def _stored(self, member: ZipMember) -> Iterator[bytes]:
        left = member.size
        while left:
            data = self._file.read(min(CHUNK, left))
            if not data:
                raise UnreadableArchive("it is cut off")
            left -= len(data)
            yield data

    def _inflated(self, member: ZipMember) -> Iterator[bytes]:
        decoder = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        left = member.compressed
        while not decoder.eof:
            packed = decoder.unconsumed_tail
            if not packed:
                packed = self._file.read(min(CHUNK, left))
                left -= len(packed)
            try:
                data = decoder.decompress(packed, CHUNK)
            except zlib.error:
                raise UnreadableArchive(f"the data of {shown(member.name)} is damaged") from None
            if not data and not packed:
                raise UnreadableArchive(f"the data of {shown(member.name)} is cut off")
            yield data
        if left or decoder.unused_data:
            raise UnreadableArchive(f"something follows the data of {shown(member.name)}")
