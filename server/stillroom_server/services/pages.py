"""What installers read: a project through an index, and an index's list of projects."""

import math
from dataclasses import dataclass

from stillroom_server.domain.errors import NotFound
from stillroom_server.domain.files import File
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage, Origin, origin_of
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.pages import PageFile, ProjectList, ProjectPage, merge
from stillroom_server.domain.upstream import UpstreamFile

from .mirrors import MirrorPage, Mirrors
from .ports import Database, Unit


@dataclass(frozen=True, slots=True)
class Found:
    """A project as the lineage has it: the files of each stage, and each mirror's page."""

    origin: Origin
    stages: tuple[tuple[Index, tuple[File, ...]], ...]
    mirrors: tuple[tuple[Index, MirrorPage], ...]

    @property
    def exists(self) -> bool:
        """Whether anybody has the project, or its name is taken."""
        return self.origin.claimed or any(page.exists for _index, page in self.mirrors)

    @property
    def seconds(self) -> float:
        """For how long the mirrors' part holds; infinite without mirrors."""
        return min((page.seconds for _index, page in self.mirrors), default=math.inf)

    @property
    def stale(self) -> bool:
        """Whether an upstream could not be asked."""
        return any(page.stale for _index, page in self.mirrors)


@dataclass(frozen=True, slots=True)
class PageView:
    """A page with what a cache must know: the serial at which it held, and for how long.

    `seconds` counts from now and is infinite where no mirror has a part in the page.
    """

    page: ProjectPage
    serial: int
    seconds: float
    stale: bool


@dataclass(frozen=True, slots=True)
class ListView:
    """An index's list of projects, and the serial at which it held."""

    projects: ProjectList
    serial: int


class Pages:
    """Resolves projects over a lineage. Permission has been checked before."""

    def __init__(self, database: Database, mirrors: Mirrors) -> None:
        self._database = database
        self._mirrors = mirrors

    def find(self, lineage: Lineage, project: ProjectName, *, refresh: bool = False) -> Found:
        """What each index of the lineage has of the project.

        Raises UpstreamFailed or UpstreamTimeout if a mirror that must be asked cannot be, and
        nothing is kept: a list that is shorter than the truth would mislead installers.
        """
        with self._database.reading() as unit:
            holders = unit.projects.holders(lineage.stages, project)
            origin = origin_of(lineage, project, holders)
            stages = tuple((stage, _files(unit, stage, project)) for stage in origin.stages)
        mirrors = tuple(
            (mirror, self._mirrors.page(mirror, project, refresh=refresh))
            for mirror in origin.mirrors
        )
        return Found(origin, stages, mirrors)

    def project(self, lineage: Lineage, project: ProjectName) -> PageView:
        """The merged page; raises NotFound if nobody has the project and nobody claims it."""
        found = self.find(lineage, project)
        if not found.exists:
            raise NotFound(f"There is no project {project} in {lineage.name}.")
        stages = ([PageFile.of_stage(file) for file in files] for _index, files in found.stages)
        mirrored = ([of_mirror(index, f) for f in page.files] for index, page in found.mirrors)
        page = merge(project, [*stages, *mirrored])
        # Not the serial of now: whatever was committed since the lineage was read, a cache must
        # notice, be it a change of the files or of the lineage.
        return PageView(page, lineage.serial, found.seconds, found.stale)

    def projects(self, lineage: Lineage) -> ListView:
        """The names that the lineage shows: held in its stages, or known to its mirrors."""
        with self._database.reading() as unit:
            names = set(unit.projects.names(lineage.stages))
        for mirror in lineage.mirrors:
            names.update(self._mirrors.names(mirror))
        return ListView(ProjectList(tuple(sorted(names))), lineage.serial)

    def own_projects(self, index: Index) -> list[ProjectName]:
        """The projects of this index alone, sorted; of a mirror those that its list shows."""
        if index.has_upstream:
            return self._mirrors.names(index)
        with self._database.reading() as unit:
            return unit.projects.names([index])

    def changed_since(self, lineage: Lineage, project: ProjectName | None, serial: int) -> bool:
        """Whether anything that the page shows was changed after that serial."""
        names = [index.name for index in lineage]
        with self._database.reading() as unit:
            return unit.journal.last_change(names, project) > serial


def _files(unit: Unit, stage: Index, project: ProjectName) -> tuple[File, ...]:
    return tuple(unit.files.of_project(stage, project))


def of_mirror(index: Index, file: UpstreamFile) -> PageFile:
    """How a mirrored file stands on a page."""
    return PageFile(
        filename=file.filename,
        index=index.name,
        hashes=file.hashes,
        size=file.size,
        uploaded=file.uploaded,
        requires_python=file.requires_python,
        yanked=file.yanked,
        core_metadata=file.core_metadata,
    )
