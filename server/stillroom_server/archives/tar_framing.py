"""The members of a tar, read once and in order (POSIX.1-2001 `pax`, and GNU tar's long names).

Read by hand, not by `tarfile`, which hides where two headers contradict each other, and reads a
pax header of any size into memory.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from .bounds import MIB, ArchiveLimits, UnreadableArchive
from .gzip_stream import GzipStream
from .tar_headers import BLOCK, Header, parse_header, parse_pax

_ZEROS = bytes(BLOCK)
_MAX_EXTENSION = MIB
# The pax keys that change what a member is. The others are its times, owners and attributes.
_SIGNIFICANT = frozenset({b"path", b"linkpath", b"size"})


class TarKind(enum.Enum):
    """What a member is."""

    FILE = enum.auto()
    DIRECTORY = enum.auto()
    SYMBOLIC_LINK = enum.auto()
    HARD_LINK = enum.auto()
    DEVICE = enum.auto()


_KINDS = {
    b"0": TarKind.FILE,
    b"\0": TarKind.FILE,
    b"1": TarKind.HARD_LINK,
    b"2": TarKind.SYMBOLIC_LINK,
    b"3": TarKind.DEVICE,
    b"4": TarKind.DEVICE,
    b"5": TarKind.DIRECTORY,
    b"6": TarKind.DEVICE,
}


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of a tar; the name of a directory ends in a slash. `target` is where it links."""

    name: str
    kind: TarKind
    size: int
    target: str


class TarReader:
    """Iterates over the members of a tar; the content of the current one can be read.

    Raises UnreadableArchive if two readers could read it differently, InvalidRequest if it is
    over a limit.
    """

    def __init__(self, stream: GzipStream, limits: ArchiveLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._left = 0

    def __iter__(self) -> Iterator[TarMember]:
        count = name_bytes = 0
        said: dict[bytes, bytes] = {}
        while (block := self._stream.read(BLOCK)) != _ZEROS:
            header = parse_header(block)
            if header.kind in {b"x", b"g", b"L", b"K"}:
                self._extend(said, header)
                continue
            member = _member(header, said)
            said = {}
            count += 1
            name_bytes += len(member.name)
            self._limits.check_members(count)
            self._limits.check_names(name_bytes)
            self._left = _padded(member.size)
            yield member
            self._stream.skip(self._left)
        if said:
            raise UnreadableArchive("its last header belongs to no member")
        self._check_end()

    def content(self, member: TarMember) -> bytes:
        """The whole content of the current member."""
        data = self._stream.read(member.size)
        if len(data) != member.size:
            raise UnreadableArchive("it is cut off")
        self._left -= member.size
        return data

    def _extend(self, said: dict[bytes, bytes], header: Header) -> None:
        new = self._extension(header)
        if header.kind == b"g" and new:
            raise UnreadableArchive("a global header must not name or size members")
        if new.keys() & said.keys():
            raise UnreadableArchive("two headers name or size the same member")
        said |= new

    def _extension(self, header: Header) -> dict[bytes, bytes]:
        if header.size > _MAX_EXTENSION:
            raise UnreadableArchive(f"an extended header is over {_MAX_EXTENSION:,} bytes")
        data = self._stream.read(_padded(header.size))[: header.size]
        if header.kind == b"L":
            return {b"path": data.partition(b"\0")[0]}
        if header.kind == b"K":
            return {b"linkpath": data.partition(b"\0")[0]}
        records = parse_pax(data)
        if any(key.startswith(b"GNU.sparse.") for key in records):
            raise UnreadableArchive("no member may be sparse")
        if b"hdrcharset" in records:
            raise UnreadableArchive("names of members must be UTF-8")
        return {key: value for key, value in records.items() if key in _SIGNIFICANT}

    def _check_end(self) -> None:
        # Some readers stop at one block of zeros, some at two, some at the end of the file.
        total = 0
        while chunk := self._stream.read(MIB):
            total += len(chunk)
            if chunk.strip(b"\0"):
                raise UnreadableArchive("something follows its last member")
        if total < BLOCK:
            raise UnreadableArchive("it must end with two blocks of zeros")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _member(header: Header, said: dict[bytes, bytes]) -> TarMember:
    kind = _KINDS.get(header.kind)
    if kind is None:
        raise UnreadableArchive("members must be files, directories or links, and not sparse")
    name = _text(said.get(b"path", header.name))
    if header.kind == b"\0" and name.endswith("/"):
        kind = TarKind.DIRECTORY  # as tar did before it had a type for them
    if kind is TarKind.DIRECTORY:
        name = name.removesuffix("/") + "/"
    elif name.endswith("/"):
        raise UnreadableArchive("only the name of a directory may end in a slash")
    if said.get(b"size", b"%d" % header.size) != b"%d" % header.size:
        raise UnreadableArchive("two headers give one member different sizes")
    if header.size and kind is not TarKind.FILE:
        raise UnreadableArchive("only a file may have content")
    return TarMember(name, kind, header.size, _text(said.get(b"linkpath", header.target)))


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableArchive("names of members must be UTF-8") from None
