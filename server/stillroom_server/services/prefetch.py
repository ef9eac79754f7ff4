"""Fetching into a mirror what will be needed, before anybody asks for it."""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from stillroom_server.domain.distributions import version_in
from stillroom_server.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    Refusal,
    Trouble,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName, project_name
from stillroom_server.domain.upstream import UpstreamFile

from .files import FileService
from .mirrors import Mirrors, quarantined


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a project are wanted: of which versions, and of which kind.

    `latest` means only the highest version of those.
    """

    project: ProjectName
    versions: SpecifierSet
    only_wheels: bool = False
    latest: bool = False

    @classmethod
    def parse(cls, text: str, *, only_wheels: bool = False, latest: bool = False) -> "Selection":
        """Read a requirement (PEP 508); extras and markers are the installer's business.

        Raises InvalidRequest.
        """
        try:
            requirement = Requirement(text)
            name = project_name(requirement.name)
        except (InvalidRequirement, ValueError):
            rule = f"{text!r} is not a name with versions, such as six or django>=5,<6"
            raise InvalidRequest.one("requirement", rule) from None
        if requirement.url is not None:
            rule = f"{text!r} has a URL; only what the upstream lists can be fetched"
            raise InvalidRequest.one("requirement", rule)
        return cls(name, requirement.specifier, only_wheels, latest)

    def of(self, files: Iterable[UpstreamFile]) -> list[UpstreamFile]:
        """The wanted ones of a project's files.

        As installers do: yanked ones only if the version is pinned, pre-releases only if they
        are asked for or there is nothing else.
        """
        by_version: dict[Version, list[UpstreamFile]] = {}
        for file in files:
            version = version_in(file.filename, self.project)
            if version is None or not self._takes(file):
                continue
            by_version.setdefault(Version(version), []).append(file)
        chosen = sorted(self.versions.filter(by_version))
        if self.latest:
            chosen = chosen[-1:]
        return [file for version in chosen for file in by_version[version]]

    def _takes(self, file: UpstreamFile) -> bool:
        is_pinned = any(one.operator in {"==", "==="} for one in self.versions)
        return (file.is_wheel or not self.only_wheels) and (file.yanked is False or is_pinned)


class Outcome(enum.Enum):
    """What became of a file; MISSING is one that was not fetched because nobody wanted that."""

    FETCHED = "fetched"
    HERE = "here"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Prefetched:
    """One file, or with `filename` None a whole project of which there is nothing; `why` if so."""

    project: ProjectName
    filename: str | None
    size: int | None
    outcome: Outcome
    why: str | None = None


class Prefetch:
    """Fetches selections of files into mirrors, with what lies beside them."""

    def __init__(self, mirrors: Mirrors, files: FileService) -> None:
        self._mirrors = mirrors
        self._files = files

    def run(
        self, index: Index, selections: Iterable[Selection], *, dry_run: bool = False
    ) -> Iterator[Prefetched]:
        """Fetch, and tell of each file once it is done; with `dry_run` only pages are fetched.

        Nothing that fails ends the rest. Of a mirror that keeps no files, what lies beside them
        is fetched all the same.
        """
        for selection in selections:
            try:
                wanted = self._wanted(index, selection)
            except (Refusal, Trouble) as error:
                project = selection.project
                yield Prefetched(project, None, None, Outcome.FAILED, error.message)
                continue
            for file in wanted:
                yield self._one(index, selection.project, file, dry_run=dry_run)

    def _wanted(self, index: Index, selection: Selection) -> list[UpstreamFile]:
        project = selection.project
        if index.reserves(project):
            raise NotFound(f"{project} is reserved in {index.name}, which never asks for it.")
        page = self._mirrors.page(index, project, refresh=True)
        if not page.status.offers_files:
            raise Forbidden(quarantined(project, page.status))
        wanted = selection.of(page.files)
        if not wanted:
            what = f"{project}{selection.versions}"
            raise NotFound(f"There is nothing of {what} in {index.name} to fetch.")
        return wanted

    def _one(
        self, index: Index, project: ProjectName, file: UpstreamFile, *, dry_run: bool
    ) -> Prefetched:
        is_here = self._files.is_here(index, project, file.filename)
        outcome = Outcome.HERE if is_here else Outcome.MISSING
        if dry_run:
            return Prefetched(project, file.filename, file.size, outcome)
        size = file.size
        try:
            if index.keeps_files and not index.sends_clients_upstream:
                size = self._files.fetch(index, project, file.filename).size
                outcome = outcome if is_here else Outcome.FETCHED
            self._files.fetch_beside(index, project, file.filename)
        except (Refusal, Trouble) as error:
            return Prefetched(project, file.filename, size, Outcome.FAILED, error.message)
        return Prefetched(project, file.filename, size, outcome)
