"""The directory at the end of a zip (PKWARE's APPNOTE.TXT, 4.3.12 to 4.3.16).

Read by hand, not by `zipfile`, which forgives what other readers do not: a prefix, a comment, an
end record that contradicts its Zip64 form, and any number of members.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from stillroom_server.domain.errors import InvalidRequest

from .bounds import ArchiveLimits, UnreadableArchive, content_fault, listed

STORED = 0
DEFLATED = 8
WIDE = 0xFFFFFFFF
"""Stands where a Zip64 field has the value."""
ZIP64_FIELD = 0x0001

_UNICODE_PATH_FIELD = 0x7075
_UTF8_NAME = 1 << 11
_ENCRYPTED = (1 << 0) | (1 << 6) | (1 << 13)
_DATA_DESCRIPTOR = 1 << 3
_DEFLATE_LEVEL = (1 << 1) | (1 << 2)

# The newest version of the specification that `zipfile`, and therefore pip, reads, times ten.
_NEWEST = 63

_ENTRY = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_ZIP64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
END_SIGNATURE = b"PK\x05\x06"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the directory says of one member. `mode` is the Unix mode, 0 where there is none.

    `needed` is the version of the specification that a reader must know, times ten.
    """

    raw_name: bytes
    name: str
    needed: int
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    mode: int


@dataclass(frozen=True, slots=True)
class Directory:
    """All entries, and where in the file their list begins."""

    entries: list[Entry]
    start: int


def read_directory(file: BinaryIO, size: int, limits: ArchiveLimits) -> Directory:
    """Read the directory of a zip of that many bytes.

    Raises UnreadableArchive if it is not sound, InvalidRequest if it is over a limit or a
    member uses a feature that wheels must not.
    """
    count, length, start = _end(file, size)
    limits.check_members(count)
    limits.check_names(length)
    entries = list(_entries(read_at(file, start, length), count))
    _refuse_features(entries)
    return Directory(entries, start)


def read_at(file: BinaryIO, position: int, length: int) -> bytes:
    """Exactly these bytes; raises UnreadableArchive where the file ends before them."""
    file.seek(position)
    data = file.read(length)
    if len(data) != length:
        raise UnreadableArchive("it is cut off")
    return data


def extra_fields(extra: bytes) -> dict[int, bytes]:
    """The extra fields of a header, by their id. Raises UnreadableArchive if they are broken."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            raise UnreadableArchive("the extra fields of a member are broken")
        field, length = struct.unpack_from("<2H", extra, at)
        if field in fields or at + 4 + length > len(extra):
            raise UnreadableArchive("the extra fields of a member are broken")
        fields[field] = extra[at + 4 : at + 4 + length]
        at += 4 + length
    if _UNICODE_PATH_FIELD in fields:
        raise UnreadableArchive("a member has a second name among its extra fields")
    return fields


def _end(file: BinaryIO, size: int) -> tuple[int, int, int]:
    # How many members, and length and start of their directory. All records must touch.
    if size < _END.size:
        raise UnreadableArchive("it is too short")
    position = size - _END.size
    signature, *narrow, comment = _END.unpack(read_at(file, position, _END.size))
    if signature != END_SIGNATURE or comment:
        raise UnreadableArchive("it is no zip, or has a comment or other data after its end")
    values = list(narrow)
    wide = _end_zip64(file, position)
    if wide is not None:
        position, values = wide
        too_small = [0xFFFF] * 4 + [WIDE] * 2
        for low, value, mark in zip(narrow, values, too_small, strict=True):
            if low not in {value, mark}:
                raise UnreadableArchive("its two end records contradict each other")
    disk, first_disk, here, count, length, start = values
    if disk or first_disk or here != count:
        raise UnreadableArchive("it is split into parts, or its end record is broken")
    if start + length != position or length < count * _ENTRY.size:
        raise UnreadableArchive("its directory is not where its end record says")
    return count, length, start


def _end_zip64(file: BinaryIO, end: int) -> tuple[int, list[int]] | None:
    position = end - _LOCATOR.size - _END_ZIP64.size
    if position < 0:
        return None
    locator = _LOCATOR.unpack(read_at(file, end - _LOCATOR.size, _LOCATOR.size))
    if locator[0] != b"PK\x06\x07":
        return None
    # 44 is the size of the record's rest without the extension that no known tool writes.
    record = _END_ZIP64.unpack(read_at(file, position, _END_ZIP64.size))
    if locator[1:] != (0, position, 1) or record[:2] != (b"PK\x06\x06", 44):
        raise UnreadableArchive("its Zip64 end record is broken")
    return position, list(record[4:])


def _entries(data: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(data):
            raise UnreadableArchive("its directory is broken")
        fields = _ENTRY.unpack_from(data, at)
        name_length, extra_length, comment_length = fields[10:13]
        name_at = at + _ENTRY.size
        extra_at = name_at + name_length
        at = extra_at + extra_length
        if fields[0] != b"PK\x01\x02" or at > len(data) or comment_length or fields[13]:
            raise UnreadableArchive("its directory is broken")
        yield _entry(fields, data[name_at:extra_at], data[extra_at:at])
    if at != len(data):
        raise UnreadableArchive("its directory holds more than its members")


def _entry(fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> Entry:
    flags = fields[3]
    size, compressed, offset = _widened((fields[9], fields[8], fields[16]), extra_fields(extra))
    return Entry(
        raw_name=raw_name,
        name=_name(raw_name, flags),
        needed=fields[2] & 0xFF,
        flags=flags,
        method=fields[4],
        crc=fields[7],
        compressed=compressed,
        size=size,
        offset=offset,
        mode=fields[15] >> 16,
    )


def _widened(values: tuple[int, int, int], extra: dict[int, bytes]) -> list[int]:
    # The Zip64 field holds the values that do not fit, in this order, and nothing else.
    wide = extra.get(ZIP64_FIELD, b"")
    if len(wide) != 8 * values.count(WIDE):
        raise UnreadableArchive("the Zip64 field of a member does not fit its header")
    numbers = iter(struct.unpack(f"<{len(wide) // 8}Q", wide))
    return [next(numbers) if value == WIDE else value for value in values]


def _name(raw: bytes, flags: int) -> str:
    # Without the flag, the encoding is anybody's guess.
    try:
        return raw.decode("utf-8" if flags & _UTF8_NAME else "ascii")
    except UnicodeDecodeError:
        raise UnreadableArchive("a member's name is not ASCII, or UTF-8 and marked so") from None


def _refuse_features(entries: list[Entry]) -> None:
    broken: dict[str, list[str]] = {}
    for entry in entries:
        rule = _broken_rule(entry)
        if rule:
            broken.setdefault(rule, []).append(entry.name)
    if broken:
        raise InvalidRequest(
            [content_fault(f"{rule}: {listed(names)}") for rule, names in broken.items()]
        )


def _broken_rule(entry: Entry) -> str | None:
    if entry.flags & _ENCRYPTED:
        return "no member may be encrypted"
    if entry.flags & _DATA_DESCRIPTOR:
        # Its sizes stand after the data, so readers disagree about where that ends. No build
        # tool that we know of writes any, and the public index refuses them too.
        return "no member may have a data descriptor; write the wheel to a seekable file"
    if entry.flags & ~(_UTF8_NAME | _DEFLATE_LEVEL) or entry.needed > _NEWEST:
        return "no member may use special features of zip"
    if entry.method not in {STORED, DEFLATED}:
        return "members must be stored or deflated"
    return None
