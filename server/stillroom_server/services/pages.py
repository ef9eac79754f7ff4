"""What installers read: a project through an index."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from stillroom_server.domain.errors import NotFound, Trouble, UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.files import File
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage, Origin, origin_of
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.pages import PageFile, ProjectPage, merge
from stillroom_server.domain.status import ACTIVE, ProjectStatus

from .mirrors import MirrorPage, Mirrors
from .ports import Database, Unit


@dataclass(frozen=True, slots=True)
class Found:
    """A project as the lineage offers it: the files of each stage, and each mirror's page.

    `status` is that of the first index that has the project. While it is quarantined there, no
    files are offered; one that is quarantined in a later index lacks the files of that.
    """

    origin: Origin
    stages: tuple[tuple[Index, tuple[File, ...]], ...]
    mirrors: tuple[tuple[Index, MirrorPage], ...]
    status: ProjectStatus = ACTIVE

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

    @property
    def age(self) -> float:
        """How many seconds ago the upstream confirmed the oldest part that is stale."""
        return max((page.age for _index, page in self.mirrors), default=0.0)


@dataclass(frozen=True, slots=True)
class PageView:
    """A page with what a cache must know: the serial at which it held, and for how long.

    `seconds` counts from now and is infinite where no mirror has a part in the page. A stale one
    was last confirmed `age` seconds ago.
    """

    page: ProjectPage
    serial: int
    seconds: float
    stale: bool
    age: float = 0.0


class Pages:
    """Resolves projects over a lineage. Permission has been checked before."""

    def __init__(self, database: Database, mirrors: Mirrors) -> None:
        self._database = database
        self._mirrors = mirrors

    def find(self, lineage: Lineage, project: ProjectName) -> Found:
        """What each index of the lineage offers of the project.

        Raises UpstreamFailed or UpstreamTimeout if a mirror that must be asked cannot be, and
        nothing is kept: a list that is shorter than the truth would mislead installers.
        """
        with self._database.reading() as unit:
            origin = _origin(unit, lineage, project)
            stages = tuple(_held(unit, stage, project) for stage in origin.stages)
        mirrors = tuple((mirror, self._mirrors.page(mirror, project)) for mirror in origin.mirrors)
        statuses = [stage.status for stage in stages]
        statuses += [page.status for _index, page in mirrors if page.exists]
        first = statuses[0] if statuses else ACTIVE
        if not first.offers_files:
            mirrors = tuple((mirror, replace(page, files=())) for mirror, page in mirrors)
        offered = (
            (stage.index, stage.files if stage.status.offers_files and first.offers_files else ())
            for stage in stages
        )
        return Found(origin, tuple(offered), mirrors, first)

    def project(self, lineage: Lineage, project: ProjectName) -> PageView:
        """The merged page; raises NotFound if nobody has the project and nobody claims it."""
        found = self.find(lineage, project)
        if not found.exists:
            raise NotFound(f"There is no project {project} in {lineage.name}.")
        page = replace(merge(project, _parts(found)), status=found.status)
        # Not the serial of now: whatever was committed since the lineage was read, a cache must
        # notice, be it a change of the files or of the lineage.
        return PageView(page, lineage.serial, found.seconds, found.stale, found.age)

    def refresh(self, lineage: Lineage, project: ProjectName) -> None:
        """Have all mirrors of the lineage that may be asked ask their upstreams now.

        Raises UpstreamFailed or UpstreamTimeout if there are such mirrors and none of them got an
        answer.
        """
        with self._database.reading() as unit:
            mirrors = _origin(unit, lineage, project).mirrors
        troubles = [
            trouble
            for mirror in mirrors
            if (trouble := self._refreshed(mirror, project)) is not None
        ]
        if mirrors and len(troubles) == len(mirrors):
            raise troubles[0]

    def changed_since(self, lineage: Lineage, project: ProjectName | None, serial: int) -> bool:
        """Whether anything that the page shows was changed after that serial."""
        names = [index.name for index in lineage]
        with self._database.reading() as unit:
            return unit.journal.last_change(names, project) > serial

    def close(self) -> None:
        """Let what mirrors do in the background end quietly."""
        self._mirrors.close()

    def _refreshed(self, mirror: Index, project: ProjectName) -> Trouble | None:
        """Why the mirror's upstream has given no answer, if it has not."""
        try:
            page = self._mirrors.page(mirror, project, refresh=True)
        except (UpstreamFailed, UpstreamTimeout) as trouble:
            return trouble
        if not page.stale:
            return None
        return UpstreamFailed(
            f"No upstream of {mirror.name} could be asked for {project}; what it said before is "
            "served.",
            retry_after=max(1, math.ceil(page.seconds)),
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """A project in a stage that holds it."""

    index: Index
    status: ProjectStatus
    files: tuple[File, ...]


def _origin(unit: Unit, lineage: Lineage, project: ProjectName) -> Origin:
    return origin_of(lineage, project, unit.projects.holders(lineage.stages, project))


def _held(unit: Unit, stage: Index, project: ProjectName) -> _Held:
    held = unit.projects.get(stage, project)
    assert held is not None, "a holder holds the project, in the same snapshot"
    return _Held(stage, held.status, tuple(unit.files.of_project(stage, project)))


def _parts(found: Found) -> Iterator[list[PageFile]]:
    """The files of each index, in resolution order."""
    for _index, files in found.stages:
        yield [PageFile.of_stage(file) for file in files]
    for index, page in found.mirrors:
        yield [PageFile.of_mirror(index.name, file) for file in page.files]
