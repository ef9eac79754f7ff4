"""What an sdist must be (PEP 625 and the Source distribution format specification)."""

from dataclasses import dataclass, field
from typing import BinaryIO

from stillroom_server.domain.distributions import Filename
from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.metadata import CoreMetadata

from .agreement import license_faults, promised_licenses, read_metadata, stem_agrees
from .bounds import ArchiveLimits, Deadline, content_fault, listed
from .gzip_stream import GzipStream
from .members import link_stays_inside, name_faults
from .tar_framing import TarKind, TarMember, TarReader


@dataclass(slots=True)
class _Contents:
    """What one pass over an sdist found."""

    names: list[str] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    devices: list[str] = field(default_factory=list)
    stray_links: list[str] = field(default_factory=list)
    pkg_info: bytes | None = None

    def tops(self) -> set[str]:
        return {name.partition("/")[0] for name in self.names}


def inspect_sdist(
    file: BinaryIO, size: int, filename: Filename, limits: ArchiveLimits, deadline: Deadline
) -> CoreMetadata:
    """Check an sdist of that many bytes; its metadata. It may lack a `pyproject.toml`.

    Raises InvalidRequest with every fault found, UnreadableArchive if it is no sound tar.gz.
    """
    contents = _read(TarReader(GzipStream(file, size, limits, deadline), limits), limits)
    faults = _member_faults(contents) + _top_faults(contents, filename)
    metadata = None
    if contents.pkg_info is not None:
        metadata, metadata_faults = read_metadata(contents.pkg_info, filename, limits)
        faults += metadata_faults
    if metadata is not None:
        faults += _license_faults(contents, metadata)
    if faults or metadata is None:
        raise InvalidRequest(faults)
    return metadata


def _read(reader: TarReader, limits: ArchiveLimits) -> _Contents:
    contents = _Contents()
    for member in reader:
        contents.names.append(member.name)
        if member.kind is TarKind.DEVICE:
            contents.devices.append(member.name)
        elif member.kind is not TarKind.DIRECTORY:
            if not _target_is_safe(member, contents.files):
                contents.stray_links.append(member.name)
            contents.files.add(member.name)
        if contents.pkg_info is None and _is_pkg_info(member):
            if member.size > limits.text_bytes:
                rule = f"PKG-INFO is over {limits.text_bytes:,} bytes"
                raise InvalidRequest.one("content", rule)
            contents.pkg_info = reader.content(member)
    return contents


def _is_pkg_info(member: TarMember) -> bool:
    top, _, rest = member.name.partition("/")
    return bool(top) and rest == "PKG-INFO" and member.kind is TarKind.FILE


def _target_is_safe(member: TarMember, files_before: set[str]) -> bool:
    if member.kind is TarKind.HARD_LINK:
        return member.target in files_before
    return member.kind is TarKind.FILE or link_stays_inside(member.name, member.target)


def _member_faults(contents: _Contents) -> list[Fault]:
    faults = name_faults(contents.names)
    if contents.devices:
        rule = f"no member may be a device or pipe: {listed(contents.devices)}"
        faults.append(content_fault(rule))
    if contents.stray_links:
        rule = f"links must point into the sdist: {listed(contents.stray_links)}"
        faults.append(content_fault(rule))
    return faults


def _top_faults(contents: _Contents, filename: Filename) -> list[Fault]:
    tops = sorted(contents.tops())
    if len(tops) != 1:
        which = f": {listed(tops)}" if tops else ""
        rule = f"an sdist must hold one top-level directory, this one holds {len(tops)}{which}"
        return [content_fault(rule)]
    faults = []
    if not stem_agrees(tops[0], filename):
        rule = f"its {listed(tops)} must be named like the project and version"
        faults.append(content_fault(rule))
    if contents.pkg_info is None:
        faults.append(content_fault("its top-level directory must hold a PKG-INFO file"))
    return faults


def _license_faults(contents: _Contents, metadata: CoreMetadata) -> list[Fault]:
    below_top = {name.partition("/")[2] for name in contents.files}
    return license_faults([path for path in promised_licenses(metadata) if path not in below_top])
