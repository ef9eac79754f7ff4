"""How much work one archive may cause, and how faults in it are told."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from stillroom_server.domain.errors import Fault, InvalidRequest

MIB = 1024 * 1024
CHUNK = 256 * 1024
"""Bytes that are read or unpacked at once."""


class UnreadableArchive(Exception):
    """The bytes are no archive, or one that two readers would not read alike."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What one look into an archive may cost. Sizes are in bytes.

    `seconds`, and one more for every `bytes_per_second` of the file, bound the time. Reading all
    of a wheel of 2 GB takes about 15 seconds on the machine this was written on, so that one
    eight times slower will do. `members` is well above the 58,474 of the largest sdist that we
    met. `name_bytes` is the sum over all members. `text_bytes` bounds METADATA, PKG-INFO and
    entry_points.txt, which are parsed as a whole, and `headers` the fields of the first two;
    with both at their limits, parsing takes some two seconds. What unpacks to more than
    `bomb_bytes` must not grow by more than `ratio`; real archives of that size stay below 10.
    """

    seconds: float = 10.0
    bytes_per_second: int = 16 * MIB
    members: int = 100_000
    name_bytes: int = 16 * MIB
    text_bytes: int = 2 * MIB
    headers: int = 10_000
    record_bytes: int = 16 * MIB
    ratio: int = 50
    bomb_bytes: int = 64 * MIB

    def deadline(self, size: int) -> "Deadline":
        """The deadline for a file of this size; its time begins now."""
        return Deadline(self.seconds + size / self.bytes_per_second)

    def check_members(self, count: int) -> None:
        """Raise InvalidRequest if there are too many members."""
        if count > self.members:
            raise InvalidRequest.one("content", f"it holds more than {self.members:,} members")

    def check_names(self, total: int) -> None:
        """Raise InvalidRequest if the names of all members are too long together."""
        if total > self.name_bytes:
            limit = f"{self.name_bytes:,} bytes"
            raise InvalidRequest.one("content", f"the names of its members are over {limit}")

    def check_unpacked(self, unpacked: int, size: int) -> None:
        """Raise InvalidRequest if a file of this size unpacks to suspiciously many bytes."""
        if unpacked > self.bomb_bytes and unpacked > self.ratio * size:
            rule = f"it unpacks to more than {self.ratio} times its size"
            raise InvalidRequest.one("content", rule)


class Deadline:
    """A point in time, after which work on hostile bytes ends."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise InvalidRequest if the time is over."""
        if time.monotonic() > self._end:
            rule = f"checking it took longer than {self._seconds:.0f} seconds"
            raise InvalidRequest.one("content", rule)


def content_fault(rule: str) -> Fault:
    """A fault of the file itself."""
    return Fault("content", rule)


def shown(text: str) -> str:
    """Text from an archive as it may stand in a message: quoted, escaped, not too long."""
    return repr(text if len(text) <= 100 else text[:100] + "…")


def listed(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    first = ", ".join(shown(name) for name in names[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3:,} more"
