"""Putting a file whose blobs are kept into a stage: the one place that decides about names."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stillroom_server.domain.distributions import release_key
from stillroom_server.domain.errors import Conflict, Forbidden
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.files import File, NewFile
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.names import IndexName, ProjectName, UserName

from .access import lineage_in
from .ports import Unit


class Outcome(enum.Enum):
    """What it changed."""

    ADDED = "added"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Addition:
    """A file to be put into a stage, with the metadata of its release."""

    project: ProjectName
    display_name: str
    file: NewFile
    metadata: Mapping[str, MetadataValue]


def link_file(
    unit: Unit, actor: UserName | None, name: IndexName, addition: Addition, kind: EventKind
) -> Outcome:
    """Add a file to a stage, in the writing unit of the caller.

    The same bytes under the same name change nothing. Other bytes replace the file on a
    volatile index and raise Conflict elsewhere, as does the name of a file that was deleted.
    """
    new = addition.file
    index, held = check_name(unit, name, new)
    if held is not None and held.sha256 == new.sha256:
        return Outcome.UNCHANGED
    if held is not None:
        unit.files.delete(held, new.uploaded)
    _add(unit, index, addition, replaces=held is not None)
    details = {"filename": new.filename, "version": new.version, "sha256": new.sha256}
    unit.journal.record(
        Event(
            EventKind.FILE_REPLACED if held is not None else kind,
            actor,
            index=name,
            project=addition.project,
            details=details,
        )
    )
    return Outcome.ADDED if held is None else Outcome.REPLACED


def check_name(unit: Unit, name: IndexName, new: NewFile) -> tuple[Index, File | None]:
    """The stage, and the file that it holds under the name of the new one.

    Raises NotFound or Forbidden where there is no such stage, and Conflict on one that is not
    volatile if other bytes have the name, or if any had it that were deleted.
    """
    index = lineage_in(unit, name).asked
    if index.has_upstream:
        raise Forbidden(f"Not allowed: {name} is a mirror and takes no uploads; use a stage.")
    held = unit.files.by_key(index, new.key)
    if index.volatile or (held is not None and held.sha256 == new.sha256):
        return index, held
    if held is not None:
        raise Conflict(
            f"File already exists ('{held.filename}', with sha256 '{held.sha256}') in the "
            f"non-volatile index {index.name}; upload a new version instead."
        )
    if unit.files.was_deleted(index, new.key):
        raise Conflict(
            f"File already existed ('{new.filename}') in the non-volatile index {index.name} and "
            "was deleted; its name is not used again, upload a new version instead."
        )
    return index, None


def _add(unit: Unit, index: Index, addition: Addition, *, replaces: bool) -> None:
    new = addition.file
    unit.blobs.link(new.sha256, new.size)
    if new.metadata_sha256 is not None and new.metadata_size is not None:
        unit.blobs.link(new.metadata_sha256, new.metadata_size)
    project = unit.projects.ensure(index, addition.project, addition.display_name, new.uploaded)
    releases = {
        release_key(held.version): held.version for held in unit.projects.releases(project)
    }
    version = releases.get(release_key(new.version))
    if replaces or version is None:
        unit.projects.set_release(project, version or new.version, addition.metadata)
    # `1.0.0` joins the release that came as `1.0`; the spelling that came first stays.
    unit.files.add(project, replace(new, version=version or new.version))
