"""What a wheel must be (PEP 427 and the Binary distribution format specification)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from stillroom_server.domain.distributions import Filename
from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.metadata import CoreMetadata

from .agreement import license_faults, promised_licenses, read_metadata, stem_agrees
from .bounds import ArchiveLimits, Deadline, content_fault, listed
from .entry_points import entry_point_faults
from .members import name_faults
from .record import content_faults, parse_record, record_faults
from .zip_content import ZipContent
from .zip_framing import ZipMember, kind_faults, read_members

_DIST_INFO = ".dist-info"
_NEEDED = ("METADATA", "WHEEL", "RECORD")


@dataclass(frozen=True, slots=True)
class _Wheel:
    """A wheel whose framing is sound and that has one `.dist-info` directory."""

    filename: Filename
    files: Mapping[str, ZipMember]
    dist_info: str
    content: ZipContent
    limits: ArchiveLimits

    def path(self, name: str) -> str:
        return f"{self.dist_info}/{name}"

    def text(self, name: str, limit: int) -> bytes | None:
        member = self.files.get(self.path(name))
        return None if member is None else self.content.read(member, limit)


def inspect_wheel(
    file: BinaryIO, size: int, filename: Filename, limits: ArchiveLimits, deadline: Deadline
) -> CoreMetadata:
    """Check a wheel of that many bytes; its metadata.

    Raises InvalidRequest with every fault found, UnreadableArchive if it is no sound zip.
    """
    members = read_members(file, size, limits, deadline)
    faults = name_faults(member.name for member in members) + kind_faults(members)
    if faults:
        raise InvalidRequest(faults)
    dist_info = _dist_info(members)
    files = {member.name: member for member in members if not member.is_directory}
    wheel = _Wheel(filename, files, dist_info, ZipContent(file, deadline), limits)
    faults = _structure_faults(wheel)
    metadata, metadata_faults = _metadata(wheel)
    faults += metadata_faults + _entry_point_faults(wheel) + _record_faults(wheel)
    if faults or metadata is None:
        raise InvalidRequest(faults)
    return metadata


def _dist_info(members: list[ZipMember]) -> str:
    # `importlib.metadata` finds them in any case.
    tops = {member.name.partition("/")[0] for member in members}
    found = sorted(top for top in tops if top.lower().endswith(_DIST_INFO))
    if len(found) != 1:
        which = f": {listed(found)}" if found else ""
        rule = f"a wheel must hold one .dist-info directory, this one holds {len(found)}{which}"
        raise InvalidRequest.one("content", rule)
    return found[0]


def _structure_faults(wheel: _Wheel) -> list[Fault]:
    faults = []
    if not stem_agrees(wheel.dist_info.removesuffix(_DIST_INFO), wheel.filename):
        rule = f"its {listed([wheel.dist_info])} must be named like the project and version"
        faults.append(content_fault(rule))
    missing = [wheel.path(name) for name in _NEEDED if wheel.path(name) not in wheel.files]
    if missing:
        faults.append(content_fault(f"these files are missing: {listed(missing)}"))
    return faults


def _metadata(wheel: _Wheel) -> tuple[CoreMetadata | None, list[Fault]]:
    raw = wheel.text("METADATA", wheel.limits.text_bytes)
    if raw is None:
        return None, []
    metadata, faults = read_metadata(raw, wheel.filename, wheel.limits)
    if metadata is not None:
        promised = promised_licenses(metadata)
        faults += license_faults(
            [path for path in promised if wheel.path(f"licenses/{path}") not in wheel.files]
        )
    return metadata, faults


def _entry_point_faults(wheel: _Wheel) -> list[Fault]:
    raw = wheel.text("entry_points.txt", wheel.limits.text_bytes)
    return [] if raw is None else entry_point_faults(raw)


def _record_faults(wheel: _Wheel) -> list[Fault]:
    raw = wheel.text("RECORD", wheel.limits.record_bytes)
    if raw is None:
        return content_faults({}, wheel.files, wheel.content)
    exempt = frozenset(wheel.path(name) for name in ("RECORD", "RECORD.jws", "RECORD.p7s"))
    try:
        rows = parse_record(raw, wheel.limits)
    except ValueError as error:
        return [content_fault(str(error)), *content_faults({}, wheel.files, wheel.content)]
    return record_faults(rows, wheel.files, exempt) + content_faults(
        rows, wheel.files, wheel.content
    )
