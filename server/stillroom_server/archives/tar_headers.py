"""The blocks of a tar that are no content: its headers, and the records in a pax header."""

import re
from dataclasses import dataclass

from .bounds import UnreadableArchive

BLOCK = 512

_SIZE = slice(124, 136)
_CHECKSUM = slice(148, 156)
# Mode, owner, group, time and the two device numbers: of no use here, but where one is broken
# `tarfile` takes the archive to end, without a word.
_UNUSED_NUMBERS = (
    slice(100, 108),
    slice(108, 116),
    slice(116, 124),
    slice(136, 148),
    slice(329, 337),
    slice(337, 345),
)
_NUMBER = re.compile(rb" *([0-7]*)[ \0]*")
# GNU tar's binary form, for what does not fit into octal digits.
_BINARY, _NEGATIVE_BINARY = 0x80, 0xFF
_RECORD_LENGTH = re.compile(rb"([1-9][0-9]{0,6}) ")
_POSIX = b"ustar\x0000"
_GNU = b"ustar  \0"
_ANCIENT = bytes(8)


@dataclass(frozen=True, slots=True)
class Header:
    """One header block, as far as it matters here. `size` is that of what follows, in bytes."""

    name: bytes
    kind: bytes
    size: int
    target: bytes


def is_header(block: bytes) -> bool:
    """Whether these bytes have the checksum of a header."""
    if len(block) != BLOCK:
        return False
    found = _NUMBER.fullmatch(block[_CHECKSUM])
    blank = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    return found is not None and found[1] != b"" and int(found[1], 8) == blank


def parse_header(block: bytes) -> Header:
    """Read a header block; raises UnreadableArchive if it is none, or cut off."""
    if len(block) != BLOCK:
        raise UnreadableArchive("it is cut off")
    if not is_header(block):
        raise UnreadableArchive("the header of a member is broken")
    name, prefix = _until_nul(block[:100]), _until_nul(block[345:500])
    magic = block[257:265]
    if magic not in {_POSIX, _GNU, _ANCIENT}:
        raise UnreadableArchive("the header of a member is of no known kind")
    if prefix and magic != _POSIX:
        # GNU tar keeps other things there, and some readers would take them for a name.
        raise UnreadableArchive("the header of a member is of no known kind")
    for field in (block[place] for place in _UNUSED_NUMBERS):
        if field[0] != _NEGATIVE_BINARY:
            _number(field)
    return Header(
        name=prefix + b"/" + name if prefix else name,
        kind=block[156:157],
        size=_number(block[_SIZE]),
        target=_until_nul(block[157:257]),
    )


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] == _BINARY:
        return int.from_bytes(field[1:], "big")
    found = _NUMBER.fullmatch(field)
    if found is None:
        raise UnreadableArchive("the header of a member holds a number that is none")
    return int(found[1] or b"0", 8)


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """The records of a pax header; raises UnreadableArchive if they are broken or repeat a key."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        length = _RECORD_LENGTH.match(data, at)
        end = at + int(length[1]) if length else 0
        record = data[length.end() : end] if length else b""
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if end > len(data) or not record.endswith(b"\n") or not equals or key in records:
            raise UnreadableArchive("an extended header is broken")
        records[key] = value
        at = end
    return records
