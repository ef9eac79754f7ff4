"""Zips and tars written byte by byte, to say what no honest tool would."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from stillroom_server.archives.bounds import ArchiveLimits
from stillroom_server.archives.inspector import ArchiveInspector
from stillroom_server.domain.distributions import parse_filename
from stillroom_server.domain.errors import InvalidRequest
from support.distributions import Distribution, gzipped

WHEEL = "example-1.0-py3-none-any.whl"
SDIST = "example-1.0.tar.gz"


def faults_in(content: bytes, filename: str, limits: ArchiveLimits | None = None) -> list[str]:
    """What the inspector says of a file; nothing if it accepts it."""
    inspector = ArchiveInspector(limits or ArchiveLimits())
    try:
        inspector.inspect(io.BytesIO(content), parse_filename(filename))
    except InvalidRequest as error:
        return [str(fault) for fault in error.faults]
    return []


# Zip

Value = int | bytes


@dataclass(frozen=True)
class Part:
    """A member of a zip.

    `header` and `entry` lie about it, in front of it and in the directory; both can be missing.
    """

    name: bytes
    data: bytes = b""
    header: Mapping[str, Value] = field(default_factory=dict)
    entry: Mapping[str, Value] = field(default_factory=dict)
    after: bytes = b""
    has_header: bool = True
    has_entry: bool = True

    def lying(self, **values: Value) -> "Part":
        """The same in both places, with other values."""
        return replace(self, header={**self.header, **values}, entry={**self.entry, **values})


def parts_of(wheel: Distribution) -> list[Part]:
    """The members of a wheel, to be written anew."""
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        return [Part(name.encode(), archive.read(name)) for name in archive.namelist()]


def zip_of(
    parts: Iterable[Part],
    *,
    prefix: bytes = b"",
    before_directory: bytes = b"",
    before_end: bytes = b"",
    end: Mapping[str, Value] | None = None,
    suffix: bytes = b"",
) -> bytes:
    """A zip of these members."""
    body, directory, count = bytearray(prefix), bytearray(), 0
    for part in parts:
        packed = _deflated(part.data)
        true: dict[str, Value] = {
            "signature": b"PK\x03\x04",
            "needed": 20,
            "flags": 0,
            "method": 8,
            "crc": zlib.crc32(part.data),
            "compressed": len(packed),
            "size": len(part.data),
            "name": part.name,
            "extra": b"",
            "comment": b"",
            "disk": 0,
            "mode": 0o100644,
            "offset": len(body),
            "packed": packed,
        }
        if part.has_header:
            body += _header(true | dict(part.header)) + part.after
        if part.has_entry:
            directory += _entry(true | {"signature": b"PK\x01\x02"} | dict(part.entry))
            count += 1
    body += before_directory
    values = {"disk": 0, "here": count, "count": count, "length": len(directory)}
    values |= {"start": len(body), "comment": b""} | dict(end or {})
    return bytes(body + directory + before_end + _end(values)) + suffix


def end_zip64(count: int, length: int, start: int, /, **lies: int) -> bytes:
    """The Zip64 end record and its locator, in front of the end record."""
    said = {"rest": 44, "count": count, "length": length, "start": start} | lies
    record = struct.pack(
        "<4sQ2H2L4Q",
        b"PK\x06\x06",
        said["rest"],
        45,
        45,
        0,
        0,
        said["count"],
        said["count"],
        said["length"],
        said["start"],
    )
    at = said.get("at", start + length)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)


def _deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def _header(values: Mapping[str, Value]) -> bytes:
    fixed = struct.pack(
        "<4s5H3L2H",
        values["signature"],
        20,
        values["flags"],
        values["method"],
        0,
        33,
        values["crc"],
        values["compressed"],
        values["size"],
        len(values["name"]),
        len(values["extra"]),
    )
    return fixed + values["name"] + values["extra"] + values["packed"]


def _entry(values: Mapping[str, Value]) -> bytes:
    fixed = struct.pack(
        "<4s6H3L5H2L",
        values["signature"],
        (3 << 8) | 20,
        values["needed"],
        values["flags"],
        values["method"],
        0,
        33,
        values["crc"],
        values["compressed"],
        values["size"],
        len(values["name"]),
        len(values["extra"]),
        len(values["comment"]),
        values["disk"],
        0,
        values["mode"] << 16,
        values["offset"],
    )
    return fixed + values["name"] + values["extra"] + values["comment"]


def _end(values: Mapping[str, Value]) -> bytes:
    fixed = struct.pack(
        "<4s4H2LH",
        b"PK\x05\x06",
        values["disk"],
        values["disk"],
        values["here"],
        values["count"],
        values["length"],
        values["start"],
        len(values["comment"]),
    )
    return fixed + values["comment"]


# Tar


def tar_member(
    name: bytes,
    data: bytes = b"",
    *,
    kind: bytes = b"0",
    target: bytes = b"",
    size: int | None = None,
    size_field: bytes | None = None,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: int | None = None,
) -> bytes:
    """A member of a tar with its content. `size` and `size_field` may lie about that."""
    told = len(data) if size is None else size
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = size_field or b"%011o\0" % told
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(target)] = target
    block[257:265] = magic
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block) + data + bytes(-len(data) % 512)


def pax_header(records: Mapping[str, str], kind: bytes = b"x") -> bytes:
    """An extended header, for the next member or (`g`) for all."""
    return tar_member(b"pax", b"".join(pax_record(*item) for item in records.items()), kind=kind)


def pax_record(key: str, value: str) -> bytes:
    """One record, with its own length in front."""
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def tar_gz(*blocks: bytes, end: bytes = bytes(1024)) -> bytes:
    """A gzipped tar of these blocks."""
    return gzipped(b"".join(blocks) + end)
