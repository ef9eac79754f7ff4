"""Projects, releases and files of a stage, and blobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .distributions import FileType
from .metadata import MetadataValue
from .names import IndexName, ProjectName, UserName
from .status import ACTIVE, ProjectStatus

Yanked = bool | str
"""False, True, or the reason: never the empty string (PEP 592)."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project that lives in a stage, until it is deleted itself, files or not."""

    id: int
    index: IndexName
    name: ProjectName
    display_name: str
    created: datetime
    status: ProjectStatus = ACTIVE


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a project in a stage.

    `metadata` is that of the file that came first, or of the last that replaced another.
    """

    project: ProjectName
    version: str
    metadata: Mapping[str, MetadataValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A distribution that is to be added to a stage.

    `sha256` is hex and names the blob; `metadata_sha256` that of its `.metadata`, or None where
    there is none to serve. `key` is unique in an index (see `distributions.Filename`).
    """

    version: str
    filename: str
    key: str
    filetype: FileType
    python_tag: str
    sha256: str
    size: int
    requires_python: str | None
    metadata_sha256: str | None
    metadata_size: int | None
    uploaded: datetime
    uploader: UserName | None
    yanked: Yanked = False
    pushed_from: IndexName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File(NewFile):
    """A distribution that a stage holds. It lives in exactly one index; its blob may be shared."""

    id: int
    index: IndexName
    project: ProjectName


@dataclass(frozen=True, slots=True)
class Blob:
    """Content, known by its SHA-256 (hex), shared by any number of files."""

    sha256: str
    size: int
    doomed: datetime | None = None
