"""Projects with their releases and metadata, as devpi's JSON views show them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stillroom_server.domain.distributions import release_key, version_in
from stillroom_server.domain.errors import NotFound
from stillroom_server.domain.files import File
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.pages import PageFile
from stillroom_server.domain.upstream import UpstreamFile

from .pages import Found, Pages
from .ports import Database


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file of a release; `held` is its row where a stage holds it."""

    file: PageFile
    held: File | None = None


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """One version of a project in one index, and what it shadows in later ones."""

    index: IndexName
    version: str
    metadata: Mapping[str, MetadataValue]
    files: tuple[ReleaseFile, ...]
    shadows: tuple["ReleaseView", ...] = ()


class Catalog:
    """Releases over a lineage. Permission has been checked before."""

    def __init__(self, database: Database, pages: Pages) -> None:
        self._database = database
        self._pages = pages

    def project(
        self, lineage: Lineage, project: ProjectName, *, ignore_bases: bool = False
    ) -> list[ReleaseView]:
        """All releases of a project; the first index of the lineage that has one shows it.

        With `ignore_bases` only what the index itself has. Raises NotFound.
        """
        asked = lineage.asked
        if ignore_bases:
            lineage = replace(lineage, indexes=(asked,))
        found = self._pages.find(lineage, project)
        if not found.exists:
            raise NotFound(f"There is no project {project} in {lineage.name}.")
        return _merged(self._releases(found, project))

    def release(self, lineage: Lineage, project: ProjectName, version: str) -> ReleaseView:
        """One release of a project; raises NotFound."""
        wanted = release_key(version)
        for view in self.project(lineage, project):
            if release_key(view.version) == wanted:
                return view
        raise NotFound(f"There is no release {project} {version} in {lineage.name}.")

    def _releases(self, found: Found, project: ProjectName) -> list[ReleaseView]:
        views: list[ReleaseView] = []
        for index, files in found.stages:
            views.extend(self._of_stage(index, project, files))
        for index, page in found.mirrors:
            views.extend(_of_mirror(index, project, page.files))
        return views

    def _of_stage(
        self, index: Index, project: ProjectName, files: tuple[File, ...]
    ) -> list[ReleaseView]:
        with self._database.reading() as unit:
            held = unit.projects.get(index, project)
            releases = unit.projects.releases(held) if held is not None else []
        views = []
        for release in releases:
            own = tuple(
                ReleaseFile(PageFile.of_stage(file), file)
                for file in files
                if file.version == release.version
            )
            views.append(ReleaseView(index.name, release.version, release.metadata, own))
        return views


def _of_mirror(
    index: Index, project: ProjectName, files: tuple[UpstreamFile, ...]
) -> list[ReleaseView]:
    releases: dict[str, tuple[str, list[UpstreamFile]]] = {}
    for file in files:
        said = version_in(file.filename, project)
        if said is not None:
            releases.setdefault(release_key(said), (said, []))[1].append(file)
    views = []
    for version, listed in releases.values():
        metadata: dict[str, MetadataValue] = {"name": project, "version": version}
        requires = [file.requires_python for file in listed if file.requires_python]
        if requires:
            metadata["requires_python"] = requires[-1]
        own = tuple(ReleaseFile(PageFile.of_mirror(index.name, file)) for file in listed)
        views.append(ReleaseView(index.name, version, metadata, own))
    return views


def _merged(views: list[ReleaseView]) -> list[ReleaseView]:
    """The first view of a version shows it; later ones stand under it."""
    by_version: dict[str, list[ReleaseView]] = {}
    for view in views:
        by_version.setdefault(release_key(view.version), []).append(view)
    merged = []
    for first, *others in by_version.values():
        merged.append(
            ReleaseView(first.index, first.version, first.metadata, first.files, tuple(others))
        )
    return merged
