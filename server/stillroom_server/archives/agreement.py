"""Whether the metadata in an archive is sound and agrees with the file's name."""

import re

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stillroom_server.domain.distributions import Filename
from stillroom_server.domain.errors import Fault
from stillroom_server.domain.metadata import CoreMetadata, parse_metadata

from .bounds import ArchiveLimits, content_fault, listed, shown
from .metadata_shape import shape_faults

_FIELD = re.compile(r"[A-Za-z][A-Za-z_-]*")


def read_metadata(
    raw: bytes, filename: Filename, limits: ArchiveLimits
) -> tuple[CoreMetadata | None, list[Fault]]:
    """Parse a METADATA or PKG-INFO file; None and all faults where it cannot be read."""
    faults = shape_faults(raw, limits)
    if faults:
        return None, faults
    try:
        metadata = parse_metadata(raw)
    except ExceptionGroup as group:
        return None, [_fault(error) for error in group.exceptions]
    except RecursionError:
        return None, [content_fault("its metadata is nested too deeply")]
    return metadata, _disagreements(metadata, filename)


def _fault(error: Exception) -> Fault:
    field, separator, rule = str(error).partition(": ")
    if separator and _FIELD.fullmatch(field):
        return Fault(field, _cut(rule))
    return content_fault(f"its metadata cannot be read: {_cut(str(error))}")


def _cut(rule: str) -> str:
    return rule if len(rule) <= 300 else rule[:300] + "…"


def _disagreements(metadata: CoreMetadata, filename: Filename) -> list[Fault]:
    faults = []
    if metadata.project != filename.project:
        rule = f"the metadata says {shown(metadata.name)}, the file name '{filename.project}'"
        faults.append(Fault("Name", rule))
    if metadata.version != filename.version:
        rule = f"the metadata says '{metadata.version}', the file name '{filename.version}'"
        faults.append(Fault("Version", rule))
    if metadata.fields["license"] and metadata.fields["license_expression"]:
        faults.append(Fault("License-Expression", "it replaces License; leave one of them out"))
    return faults


def promised_licenses(metadata: CoreMetadata) -> list[str]:
    """The License-File paths that must be in the archive: those of Metadata-Version 2.4 and up.

    Earlier the field was a custom of one build tool, and its base was not defined (PEP 639).
    """
    version = str(metadata.fields["metadata_version"])
    files = metadata.fields["license_file"]
    return list(files) if isinstance(files, list) and _at_least_2_4(version) else []


def _at_least_2_4(metadata_version: str) -> bool:
    major, _, minor = metadata_version.partition(".")
    return (int(major), int(minor)) >= (2, 4)


def license_faults(missing: list[str]) -> list[Fault]:
    """The fault of licence files that the metadata names and the archive lacks."""
    if not missing:
        return []
    return [Fault("License-File", f"these files are not in the archive: {listed(missing)}")]


def stem_agrees(stem: str, filename: Filename) -> bool:
    """Whether `name-version`, as directories in archives are named, means the same as a file.

    Older tools wrote the name as they were given it, with dashes and dots.
    """
    for dash in re.finditer("-", stem[:255]):
        try:
            same_version = Version(stem[dash.end() :]) == filename.version
        except InvalidVersion:
            continue
        if same_version and canonicalize_name(stem[: dash.start()]) == filename.project:
            return True
    return False
