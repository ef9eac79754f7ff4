"""A project in the words of the legacy JSON API: its releases, and the metadata of one of them."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.version import Version

from stillroom_server.domain.distributions import release_key, version_in
from stillroom_server.domain.errors import Forbidden, NotFound, Trouble
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.metadata import MetadataValue, parse_metadata
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.pages import PageFile, ProjectPage

from .companions import METADATA
from .files import Address, Content, FileService
from .mirrors import quarantined
from .pages import Pages, PageView
from .ports import Database

log = logging.getLogger(__name__)

MAX_METADATA = 2 * 1024 * 1024
"""Bytes of a mirrored `.metadata` that are read for this; a longer one is left alone."""


@dataclass(frozen=True, slots=True)
class ProjectSummary:
    """The releases of a project by version, the lowest first, and the metadata of `version`.

    The files are those of the project's page. `serial` is that of the last change to it. `age` is
    for how many seconds no upstream has confirmed it, None where all have.
    """

    project: ProjectName
    version: str
    metadata: Mapping[str, MetadataValue]
    releases: Mapping[str, tuple[PageFile, ...]]
    serial: int
    age: float | None

    @property
    def files(self) -> tuple[PageFile, ...]:
        """The files of `version`."""
        return self.releases[self.version]


class Summaries:
    """Makes summaries over a lineage. Permission has been checked before."""

    def __init__(self, database: Database, pages: Pages, files: FileService) -> None:
        self._database = database
        self._pages = pages
        self._files = files

    def latest(self, lineage: Lineage, project: ProjectName) -> ProjectSummary:
        """A project with its latest release.

        That is the highest version that is neither yanked nor a pre-release, else the highest
        that is not yanked, else the highest. Raises NotFound, Forbidden if it is quarantined, and
        what `Pages.project` does; and a Trouble where an upstream should say the metadata and
        does not, unless the page is stale, which is then said.
        """
        view = self._view(lineage, project)
        releases = _by_version(view.page)
        if not releases:
            raise NotFound(f"There is no release of {project} in {lineage.name}.")
        version = max(releases, key=lambda version: _rank(version, releases[version]))
        return self._summary(lineage, view, version, releases)

    def release(self, lineage: Lineage, project: ProjectName, version: str) -> ProjectSummary:
        """A project with one of its releases; raises as `latest` does."""
        view = self._view(lineage, project)
        releases = _by_version(view.page)
        wanted = release_key(version)
        found = next((held for held in releases if release_key(held) == wanted), None)
        if found is None:
            raise NotFound(f"There is no release {project} {version} in {lineage.name}.")
        return self._summary(lineage, view, found, releases)

    def _view(self, lineage: Lineage, project: ProjectName) -> PageView:
        view = self._pages.project(lineage, project)
        if not view.page.status.offers_files:
            raise Forbidden(quarantined(project, view.page.status))
        return view

    def _summary(
        self,
        lineage: Lineage,
        view: PageView,
        version: str,
        releases: Mapping[str, tuple[PageFile, ...]],
    ) -> ProjectSummary:
        project = view.page.name
        try:
            metadata = self._metadata(lineage, project, version, releases[version])
        except Trouble as trouble:
            if not view.stale:
                raise
            log.info("no metadata of %s %s: %s", project, version, trouble)
            metadata = _minimal(project, version, releases[version])
        names = [index.name for index in lineage]
        with self._database.reading() as unit:
            serial = unit.journal.last_change(names, project)
        age = view.age if view.stale else None
        return ProjectSummary(project, version, metadata, releases, serial, age)

    def _metadata(
        self,
        lineage: Lineage,
        project: ProjectName,
        version: str,
        files: tuple[PageFile, ...],
    ) -> Mapping[str, MetadataValue]:
        """What the first index of the lineage that has the release says of it."""
        owner = next(index for index in lineage if index.name == files[0].index)
        if owner.has_upstream:
            return self._mirrored(lineage, project, version, files)
        with self._database.reading() as unit:
            held = unit.projects.get(owner, project)
            releases = unit.projects.releases(held) if held is not None else []
        wanted = release_key(version)
        said = (release.metadata for release in releases if release_key(release.version) == wanted)
        return next(said, _minimal(project, version, files))

    def _mirrored(
        self,
        lineage: Lineage,
        project: ProjectName,
        version: str,
        files: tuple[PageFile, ...],
    ) -> Mapping[str, MetadataValue]:
        """What the `.metadata` of a mirrored file says; little where there is none.

        One that has a digest is preferred: for others the upstream may have to be asked long.
        """
        offering = [file for file in files if file.core_metadata is not None]
        for file in sorted(offering, key=lambda file: not file.core_metadata)[:1]:
            try:
                return parse_metadata(self._read(lineage, project, file)).fields
            except (NotFound, ValueError, ExceptionGroup) as error:
                log.info("no metadata of %s: %s", file.filename, error)
        return _minimal(project, version, files)

    def _read(self, lineage: Lineage, project: ProjectName, file: PageFile) -> bytes:
        address = Address(project, file.url_digest, file.filename, METADATA)
        content = self._files.content(lineage, address)
        blob = content.open() if isinstance(content, Content) else None
        if blob is None:
            raise ValueError("it is not kept here")
        with blob:
            read = blob.read(MAX_METADATA + 1)
        if len(read) > MAX_METADATA:
            raise ValueError(f"it is longer than {MAX_METADATA:,} bytes")
        return read


def _by_version(page: ProjectPage) -> dict[str, tuple[PageFile, ...]]:
    spelling = {release_key(version): version for version in page.versions}
    found: dict[str, list[PageFile]] = {}
    for file in page.files:
        version = version_in(file.filename, page.name)
        if version is not None:
            found.setdefault(spelling[release_key(version)], []).append(file)
    return {version: tuple(found[version]) for version in sorted(found, key=Version)}


def _rank(version: str, files: Iterable[PageFile]) -> tuple[bool, bool, Version]:
    parsed = Version(version)
    offered = any(file.yanked is False for file in files)
    return offered, not parsed.is_prerelease, parsed


def _minimal(
    project: ProjectName, version: str, files: Iterable[PageFile]
) -> Mapping[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {"name": project, "version": version}
    requires = next((file.requires_python for file in files if file.requires_python), None)
    return metadata if requires is None else {**metadata, "requires_python": requires}
