"""Whether the headers of a zip's members agree with its directory, byte for byte.

Some readers go by the directory, some by the headers as they come. A zip is sound if both find
the same: the members fill the file from its first byte to the directory, without gap or overlap.
"""

import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from stillroom_server.domain.errors import Fault

from .bounds import ArchiveLimits, Deadline, UnreadableArchive, content_fault, listed, shown
from .zip_directory import (
    STORED,
    WIDE,
    ZIP64_FIELD,
    Entry,
    extra_fields,
    read_at,
    read_directory,
)

_HEADER = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a sound zip. `start` is where its data begins; sizes are in bytes."""

    name: str
    is_stored: bool
    crc: int
    compressed: int
    size: int
    start: int
    mode: int

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, by its name."""
        return self.name.endswith("/")


def read_members(
    file: BinaryIO, size: int, limits: ArchiveLimits, deadline: Deadline
) -> list[ZipMember]:
    """The members of a zip of that many bytes, in the order of their data.

    Raises UnreadableArchive if two readers could read it differently, InvalidRequest if it is
    over a limit or uses features that wheels must not.
    """
    directory = read_directory(file, size, limits)
    limits.check_unpacked(sum(entry.size for entry in directory.entries), size)
    members = []
    position = 0
    for entry in sorted(directory.entries, key=lambda entry: entry.offset):
        deadline.check()
        _check_touching(entry.offset, position)
        member = _located(file, entry)
        members.append(member)
        position = member.start + member.compressed
        if position > directory.start:
            raise UnreadableArchive("its members overlap the directory")
    _check_touching(directory.start, position)
    return members


def _check_touching(start: int, end_before: int) -> None:
    if start > end_before:
        raise UnreadableArchive("it holds data that its directory does not name")
    if start < end_before:
        raise UnreadableArchive("its members overlap")


def _located(file: BinaryIO, entry: Entry) -> ZipMember:
    length = _HEADER.size + len(entry.raw_name)
    head = read_at(file, entry.offset, length)
    signature, _, flags, method, _, _, crc, *sizes, name_length, extra_length = _HEADER.unpack(
        head[: _HEADER.size]
    )
    extra = extra_fields(read_at(file, entry.offset + length, extra_length))
    agrees = (
        signature == b"PK\x03\x04"
        and name_length == len(entry.raw_name)
        and head[_HEADER.size :] == entry.raw_name
        and (flags, method, crc) == (entry.flags, entry.method, entry.crc)
        and _sizes_agree(sizes, [entry.compressed, entry.size], extra.get(ZIP64_FIELD))
        and (method != STORED or entry.compressed == entry.size)
    )
    if not agrees:
        raise UnreadableArchive(f"the header of {shown(entry.name)} contradicts the directory")
    return ZipMember(
        name=entry.name,
        is_stored=method == STORED,
        crc=crc,
        compressed=entry.compressed,
        size=entry.size,
        start=entry.offset + length + extra_length,
        mode=entry.mode,
    )


def _sizes_agree(narrow: list[int], true: list[int], wide: bytes | None) -> bool:
    if wide is None:
        return narrow == true
    # In a member's own header a Zip64 field has both sizes, the unpacked one first. Tools that
    # do not know the size beforehand write it for small members too (`force_zip64`).
    return wide == struct.pack("<2Q", *reversed(true)) and all(
        low in {value, WIDE} for low, value in zip(narrow, true, strict=True)
    )


def kind_faults(members: list[ZipMember]) -> list[Fault]:
    """Members that are neither files nor directories, or directories with content."""
    special = [
        member.name
        for member in members
        if stat.S_IFMT(member.mode) not in {0, stat.S_IFREG, stat.S_IFDIR}
        or (stat.S_ISDIR(member.mode) and not member.is_directory)
        or (member.is_directory and member.size)
    ]
    if not special:
        return []
    return [content_fault(f"members must be files or empty directories: {listed(special)}")]
