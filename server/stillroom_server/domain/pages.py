"""What installers read: the page of a project, merged over a lineage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .distributions import release_key, version_in
from .files import File, Yanked
from .names import IndexName, ProjectName
from .status import ACTIVE, ProjectStatus
from .upstream import TimeSource, UpstreamFile


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file on a project's page.

    `hashes` maps algorithm to hex digest; `core_metadata` the same for its `.metadata`, empty
    where that is served without a known digest, None where there is none. `time_source` says
    where `uploaded` is from. `refused` is a second digest, `algorithm=hex`, that an upstream
    lists for it. `has_provenance` tells whether its attestations are served.
    """

    filename: str
    index: IndexName
    hashes: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    uploaded: datetime | None = None
    requires_python: str | None = None
    yanked: Yanked = False
    core_metadata: Mapping[str, str] | None = None
    time_source: TimeSource = TimeSource.UPSTREAM
    refused: str | None = None
    has_provenance: bool = False

    @property
    def url_digest(self) -> str:
        """The SHA-256 in the file's URL, or `-` where the upstream gives none."""
        return self.hashes.get("sha256", "-")

    @classmethod
    def of_stage(cls, file: File) -> "PageFile":
        """How a file that a stage holds stands on a page."""
        return cls(
            filename=file.filename,
            index=file.index,
            hashes={"sha256": file.sha256},
            size=file.size,
            uploaded=file.uploaded,
            requires_python=file.requires_python,
            yanked=file.yanked,
            core_metadata={"sha256": file.metadata_sha256} if file.metadata_sha256 else None,
        )

    @classmethod
    def of_mirror(cls, index: IndexName, file: UpstreamFile) -> "PageFile":
        """How a mirrored file stands on a page."""
        return cls(
            filename=file.filename,
            index=index,
            hashes=file.hashes,
            size=file.size,
            uploaded=file.uploaded,
            requires_python=file.requires_python,
            yanked=file.yanked,
            core_metadata=file.core_metadata,
            time_source=file.time_source,
            refused=file.refused,
            has_provenance=file.provenance is not None,
        )


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """A project as an installer sees it through one index. `versions` are canonical, unique."""

    name: ProjectName
    files: tuple[PageFile, ...]
    versions: tuple[str, ...]
    status: ProjectStatus = ACTIVE


def merge(name: ProjectName, parts: Iterable[Sequence[PageFile]]) -> ProjectPage:
    """Put the files of a lineage together: in resolution order, the first of a name wins."""
    files: dict[str, PageFile] = {}
    for part in parts:
        for file in part:
            files.setdefault(file.filename, file)
    versions: dict[str, str] = {}
    for filename in files:
        version = version_in(filename, name)
        if version is not None:
            versions.setdefault(release_key(version), version)
    return ProjectPage(name=name, files=tuple(files.values()), versions=tuple(versions.values()))
