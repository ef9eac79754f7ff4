"""What is done with releases that are there: yank, remove, push."""

from dataclasses import dataclass, replace

from stillroom_server.domain.access import Permission, index_verdict
from stillroom_server.domain.distributions import parse_filename, release_key, version_in
from stillroom_server.domain.errors import Forbidden, InvalidRequest, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.files import File, NewFile, Project, Yanked
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.upstream import UpstreamFile

from .access import Access, lineage_in
from .changes import changing
from .companions import SUFFIXES
from .files import FileService
from .linking import Addition, Outcome, check_project, link_file
from .mirrors import Mirrors, quarantined
from .owners import asking, disown
from .ports import BlobStore, Clock, Database, Inspector, Unit
from .uploads import keep_metadata, new_file


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one file of a push; `skipped` is why it cannot live in a stage."""

    filename: str
    sha256: str | None
    outcome: Outcome | None
    skipped: str | None = None


class Releases:
    """Yanks, removes and pushes. The permission on the index has been checked before."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        inspector: Inspector,
        access: Access,
        mirrors: Mirrors,
        files: FileService,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._inspector = inspector
        self._access = access
        self._mirrors = mirrors
        self._files = files
        self._clock = clock

    # Yank

    def yank(
        self,
        identity: Identity,
        name: IndexName,
        project: ProjectName,
        version: str,
        *,
        yanked: Yanked,
        filename: str | None,
    ) -> list[str]:
        """Yank (a reason, or True) or unyank (False) a release, or one file of it (PEP 592).

        Returns the names of the files that changed. Raises NotFound.
        """
        with changing(self._database, identity) as unit:
            _held, files = _release(unit, name, project, version)
            if filename is not None:
                files = [file for file in files if file.filename == filename]
                if not files:
                    raise NotFound(f"There is no file {filename} in {project} {version}.")
            others = [file for file in files if file.yanked != yanked]
            unit.files.set_yanked(others, yanked)
            kind = EventKind.FILE_UNYANKED if yanked is False else EventKind.FILE_YANKED
            for file in others:
                _record(unit, kind, identity, file, reason=yanked if yanked else None)
        return [file.filename for file in others]

    # Remove

    def remove_file(
        self,
        identity: Identity,
        name: IndexName,
        project: ProjectName,
        digest: str,
        filename: str,
        *,
        force: bool,
    ) -> None:
        """Delete one file; its release goes with the last one, the project stays.

        On a mirror, what is kept here is forgotten. Raises NotFound, or Forbidden on a
        non-volatile index without `force`.
        """
        with changing(self._database, identity) as unit:
            index = _removable(unit, name, force=force)
            if index.has_upstream:
                if not unit.mirror_pages.forget_kept(index, project, filename):
                    raise NotFound(f"File {filename} is not kept in {name}.")
                for suffix in SUFFIXES:
                    unit.mirror_pages.forget_kept(index, project, filename + suffix)
                details = {"filename": filename}
                kind = EventKind.FILE_REMOVED
                unit.journal.record(
                    Event.by(identity, kind, index=name, project=project, details=details)
                )
                return
            file = unit.files.get(index, filename)
            if file is None or file.project != project or file.sha256 != digest:
                raise NotFound(f"There is no file {filename} with this digest in {name}.")
            unit.files.delete(file, self._clock())
            _record(unit, EventKind.FILE_REMOVED, identity, file)
            held = _project(unit, index, project)
            others = unit.files.of_project(index, project)
            if not any(other.version == file.version for other in others):
                unit.projects.delete_release(held, file.version)

    def remove_release(
        self,
        identity: Identity,
        name: IndexName,
        project: ProjectName,
        version: str,
        *,
        force: bool,
    ) -> None:
        """Delete a release with its files; the project stays, and goes on hiding mirrors.

        On a mirror, what is kept of it is forgotten. Raises as `remove_file` does.
        """
        with changing(self._database, identity) as unit:
            index = _removable(unit, name, force=force)
            if index.has_upstream:
                _forget_release(unit, index, project, version)
                removed = version
            else:
                held, files = _release(unit, name, project, version)
                removed = files[0].version
                for file in files:
                    unit.files.delete(file, self._clock())
                    _record(unit, EventKind.FILE_REMOVED, identity, file)
                unit.projects.delete_release(held, removed)
            details = {"version": removed}
            kind = EventKind.RELEASE_REMOVED
            unit.journal.record(
                Event.by(identity, kind, index=name, project=project, details=details)
            )

    def remove_project(
        self, identity: Identity, name: IndexName, project: ProjectName, *, force: bool
    ) -> None:
        """Delete a project with all that it has; only then may mirrors show its name again.

        One that takes no uploads is for those who administer the index: the next upload of its
        name would undo their decision. So is one without owners, where projects have owners.
        Raises NotFound and Forbidden.
        """
        with changing(self._database, identity) as unit:
            index = _removable(unit, name, force=force)
            if index.has_upstream:
                if not unit.mirror_pages.delete(index, project):
                    raise NotFound(f"There is no project {project} in {name}.")
            else:
                held = _project(unit, index, project)
                if not held.status.takes_uploads:
                    verdict = index_verdict(identity, Permission.INDEX_MODIFY, index)
                    if not verdict:
                        raise Forbidden(
                            f"Not allowed: {project} is {held.status.status}, and "
                            f"{verdict.reason}."
                        )
                disown(unit, identity, index, project)
                for file in unit.files.of_project(index, project):
                    unit.files.delete(file, self._clock())
                unit.projects.delete(held)
            unit.journal.record(
                Event.by(identity, EventKind.PROJECT_REMOVED, index=name, project=project)
            )

    # Push

    def push(
        self,
        identity: Identity,
        source: IndexName,
        project: ProjectName,
        version: str,
        target: IndexName,
    ) -> list[Pushed]:
        """Put a release that the source index itself has into another stage; no byte is copied.

        All of its files, or none. From a mirror, they are fetched first. Raises Forbidden if the
        target takes no upload of the project from this identity or the project is quarantined,
        NotFound, or Conflict and NeedsApproval as an upload does.
        """
        self._access.check_index(identity, Permission.UPLOAD, target.user, target.index, project)
        with asking(self._database, self._clock, identity, target, project):
            return self._push(identity, source, project, version, target)

    def _push(
        self,
        identity: Identity,
        source: IndexName,
        project: ProjectName,
        version: str,
        target: IndexName,
    ) -> list[Pushed]:
        with self._database.reading() as unit:
            index = lineage_in(unit, source).asked
            # Asked again when its files are linked; here, before anything is fetched for it.
            check_project(unit, identity, target, project)
        if index.has_upstream:
            additions, skipped = self._from_mirror(identity, index, project, version)
        else:
            additions, skipped = self._from_stage(identity, source, project, version), []
        if not additions:
            raise NotFound(f"There is nothing of {project} {version} in {source} to push.")
        with self._database.writing() as unit:
            kind = EventKind.FILE_PUSHED
            done = [
                Pushed(
                    addition.file.filename,
                    addition.file.sha256,
                    link_file(unit, identity, target, addition, kind),
                )
                for addition in additions
            ]
        return [*done, *skipped]

    def _from_stage(
        self, identity: Identity, source: IndexName, project: ProjectName, version: str
    ) -> list[Addition]:
        with self._database.reading() as unit:
            held, files = _release(unit, source, project, version)
            releases = {release.version: release for release in unit.projects.releases(held)}
        if not held.status.offers_files:
            raise Forbidden(quarantined(project, held.status))
        metadata = releases[files[0].version].metadata
        return [
            Addition(project, held.display_name, self._copied(file, identity), metadata)
            for file in files
        ]

    def _copied(self, file: File, identity: Identity) -> NewFile:
        return NewFile(
            version=file.version,
            filename=file.filename,
            key=file.key,
            filetype=file.filetype,
            python_tag=file.python_tag,
            sha256=file.sha256,
            size=file.size,
            requires_python=file.requires_python,
            metadata_sha256=file.metadata_sha256,
            metadata_size=file.metadata_size,
            uploaded=self._clock(),
            uploader=identity.user,
            yanked=file.yanked,
            pushed_from=file.index,
        )

    def _from_mirror(
        self, identity: Identity, index: Index, project: ProjectName, version: str
    ) -> tuple[list[Addition], list[Pushed]]:
        if index.reserves(project):
            raise NotFound(f"{project} is reserved in {index.name}, which never asks for it.")
        page = self._mirrors.page(index, project)
        if not page.status.offers_files:
            raise Forbidden(quarantined(project, page.status))
        additions: list[Addition] = []
        skipped: list[Pushed] = []
        for file in page.files:
            if not _is_of(version, file.filename, project):
                continue
            try:
                additions.append(self._fetched(identity, index, project, file))
            except InvalidRequest as invalid:
                skipped.append(Pushed(file.filename, None, None, skipped=invalid.message))
        return additions, skipped

    def _fetched(
        self, identity: Identity, index: Index, project: ProjectName, file: UpstreamFile
    ) -> Addition:
        """Fetch and inspect a mirrored file; InvalidRequest if a stage could not hold it."""
        try:
            filename = parse_filename(file.filename)
        except ValueError as error:
            raise InvalidRequest.one("filename", str(error)) from None
        kept = self._files.fetch(index, project, file.filename)
        with self._store.open(kept.sha256) as content:
            metadata = self._inspector.inspect(content, filename).metadata
        new = new_file(
            filename,
            metadata,
            sha256=kept.sha256,
            size=kept.size,
            uploaded=self._clock(),
            uploader=identity.user,
        )
        if new.metadata_sha256 is not None:
            keep_metadata(self._store, metadata)
        new = replace(new, yanked=file.yanked, pushed_from=index.name)
        return Addition(project, metadata.name, new, metadata.fields)


def _project(unit: Unit, index: Index, project: ProjectName) -> Project:
    held = unit.projects.get(index, project)
    if held is None:
        raise NotFound(f"There is no project {project} in {index.name}.")
    return held


def _release(
    unit: Unit, name: IndexName, project: ProjectName, version: str
) -> tuple[Project, list[File]]:
    index = lineage_in(unit, name).asked
    held = _project(unit, index, project)
    wanted = release_key(version)
    files = [
        file
        for file in unit.files.of_project(index, project)
        if release_key(file.version) == wanted
    ]
    if not files:
        raise NotFound(f"There is no release {project} {version} in {name}.")
    return held, files


def _is_of(version: str, filename: str, project: ProjectName) -> bool:
    """Whether a mirrored file belongs to that release, by its name."""
    said = version_in(filename, project)
    return said is not None and release_key(said) == release_key(version)


def _removable(unit: Unit, name: IndexName, *, force: bool) -> Index:
    index = lineage_in(unit, name).asked
    if not (index.volatile or force or index.has_upstream):
        raise Forbidden(f"Index {name} is non-volatile; remove with force if you must.")
    return index


def _forget_release(unit: Unit, index: Index, project: ProjectName, version: str) -> None:
    names = [
        kept.filename
        for kept in unit.mirror_pages.kept(index, project)
        if _is_of(version, _without_suffix(kept.filename), project)
    ]
    if not names:
        raise NotFound(f"Nothing of {project} {version} is kept in {index.name}.")
    for filename in names:
        unit.mirror_pages.forget_kept(index, project, filename)


def _without_suffix(filename: str) -> str:
    """The name of a kept file, also if this is what lies beside it."""
    for suffix in SUFFIXES:
        filename = filename.removesuffix(suffix)
    return filename


def _record(
    unit: Unit, kind: EventKind, identity: Identity, file: File, *, reason: object = None
) -> None:
    details: dict[str, object] = {"filename": file.filename, "version": file.version}
    if reason is not None:
        details["reason"] = reason
    unit.journal.record(
        Event.by(identity, kind, index=file.index, project=file.project, details=details)
    )
