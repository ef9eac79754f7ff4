"""Putting a file whose blobs are kept into a stage: the one place that decides about names."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stillroom_server.domain.access import Permission, limits_verdict, read_verdict
from stillroom_server.domain.distributions import release_key
from stillroom_server.domain.errors import Conflict, Forbidden
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.files import File, NewFile
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage, origin_of
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.ownership import Holding

from .access import lineage_in
from .owners import check_standing, own_after_upload
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
    unit: Unit, identity: Identity, name: IndexName, addition: Addition, kind: EventKind
) -> Outcome:
    """Add a file to a stage, in the writing unit of the caller.

    The same bytes under the same name change nothing. Other bytes replace the file on a
    volatile index and raise Conflict elsewhere, as does the name of a file that was deleted.
    Raises what `check_addition` does.
    """
    new = addition.file
    place = check_addition(unit, identity, name, addition.project, new)
    index, held = place.index, place.held
    if held is not None and held.sha256 == new.sha256:
        return Outcome.UNCHANGED
    if held is not None:
        unit.files.delete(held, new.uploaded)
    _add(unit, index, addition, replaces=held is not None)
    own_after_upload(unit, identity, index, addition.project, place.holding)
    details = {"filename": new.filename, "version": new.version, "sha256": new.sha256}
    unit.journal.record(
        Event.by(
            identity,
            EventKind.FILE_REPLACED if held is not None else kind,
            index=name,
            project=addition.project,
            details=details,
        )
    )
    return Outcome.ADDED if held is None else Outcome.REPLACED


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes: the stage, what it knows of the project, and the file of that name."""

    index: Index
    holding: Holding
    held: File | None


def check_addition(
    unit: Unit, identity: Identity, name: IndexName, project: ProjectName, new: NewFile
) -> Place:
    """Where the new file goes; raises Conflict where it may not have its name.

    Raises also what `check_project` does.
    """
    lineage, holding = check_project(unit, identity, name, project)
    index = lineage.asked
    is_reader = bool(read_verdict(identity, lineage, project))
    return Place(index, holding, _check_name(unit, index, new, is_reader=is_reader))


def check_project(
    unit: Unit, identity: Identity, name: IndexName, project: ProjectName
) -> tuple[Lineage, Holding]:
    """The stage with what it inherits, and what it knows of a project to which somebody adds.

    That they may upload to the stage has been checked before; who may not read it is told no
    more of what is there than that it is. Raises NotFound where there is no
    such index; Forbidden (or NotAuthenticated) where it is a mirror, the token is for other
    projects, the project is others' or its status takes no uploads; NeedsApproval where it is
    new and they may ask for it; Conflict where it may not have its name.
    """
    lineage = lineage_in(unit, name)
    index = lineage.asked
    if index.has_upstream:
        raise Forbidden(f"Not allowed: {name} is a mirror and takes no uploads; use a stage.")
    limited = limits_verdict(identity.limits, Permission.UPLOAD, index, project)
    if not limited:
        raise Forbidden(f"Not allowed: {limited.reason}.")
    held = unit.projects.get(index, project)
    lives_here = held is not None
    holding = check_standing(unit, identity, index, project, lives_here=lives_here)
    if held is None:
        _check_shadowing(unit, lineage, project)
    elif not held.status.takes_uploads:
        told = held.status.reason if read_verdict(identity, lineage, project) else ""
        why = f" ({told})" if told else ""
        raise Forbidden(
            f"Not allowed: {project} is {held.status.status} in {name}{why} and takes no uploads; "
            "its status must be active again first."
        )
    return lineage, holding


def _check_shadowing(unit: Unit, lineage: Lineage, project: ProjectName) -> None:
    """Where that is not wanted, a project that comes into a stage hides none of a mirror."""
    index = lineage.asked
    if index.shadows_mirrors or index.allows_mirrors(project):
        return
    origin = origin_of(lineage, project, unit.projects.holders(lineage.stages, project))
    for mirror in origin.mirrors:
        if _is_known(unit, mirror, project):
            raise Conflict(
                f"name: {mirror.name} has a project {project}, which would be hidden, and "
                f"{index.name} has shadow_mirrors off; use another name, or let who administers "
                f"{index.name} set shadow_mirrors or add the name to reserved."
            )


def _is_known(unit: Unit, mirror: Index, project: ProjectName) -> bool:
    """Whether a mirror has a project, by what its upstream said so far."""
    page = unit.mirror_pages.get(mirror, project)
    if page is not None:
        return page.exists
    names = unit.mirror_names.current(mirror)
    return names is not None and project in unit.mirror_names.with_prefix(names.id, project, 1)


def _check_name(unit: Unit, index: Index, new: NewFile, *, is_reader: bool) -> File | None:
    """The file that has the name of the new one; Conflict where it may not be replaced.

    Readers of the index are told its digest, by which they see what it is.
    """
    held = unit.files.by_key(index, new.key)
    if index.volatile or (held is not None and held.sha256 == new.sha256):
        return held
    if held is not None:
        digest = f", with sha256 '{held.sha256}'" if is_reader else ""
        raise Conflict(
            f"File already exists ('{held.filename}'{digest}) in the "
            f"non-volatile index {index.name}; upload a new version instead."
        )
    if unit.files.was_deleted(index, new.key):
        raise Conflict(
            f"File already existed ('{new.filename}') in the non-volatile index {index.name} and "
            "was deleted; its name is not used again, upload a new version instead."
        )
    return None


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
