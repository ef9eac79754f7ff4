"""Upstreams: what is asked of them, and what they may answer."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.status import ACTIVE, ProjectStatus
from stillroom_server.domain.upstream import UpstreamFile, Validators


@dataclass(frozen=True, slots=True)
class PageFetched:
    """The upstream's page of a project: only files that can be served by name, each once."""

    files: tuple[UpstreamFile, ...]
    validators: Validators
    status: ProjectStatus = ACTIVE


@dataclass(frozen=True, slots=True)
class NotModified:
    """The upstream confirmed what we have (304)."""


@dataclass(frozen=True, slots=True)
class NoSuchProject:
    """The upstream itself said 404 or 410."""


PageAnswer = PageFetched | NotModified | NoSuchProject


@dataclass(frozen=True, slots=True)
class NamesFetched:
    """The upstream's list of all projects, on its way: valid names, in its order.

    The iterator raises UpstreamFailed or UpstreamTimeout where the list breaks off or turns out
    to be none. Names may repeat.
    """

    names: Iterator[ProjectName]
    validators: Validators


class FileTransfer(Protocol):
    """The content of a file on its way, from byte `start` on.

    `size` is that of the whole file in bytes, None where the upstream does not say it; `etag` is
    a strong one or None; `modified` is its Last-Modified.
    """

    @property
    def start(self) -> int: ...
    @property
    def size(self) -> int | None: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def modified(self) -> datetime | None: ...

    def chunks(self) -> Iterator[bytes]:
        """The content; raises UpstreamFailed or UpstreamTimeout when it breaks off."""


class Upstream(Protocol):
    """Asks Simple APIs, over the network. Never called while a unit of work is open.

    `base_url` is always that of the upstream whose page the matter is; it decides which
    credentials may be sent. All methods raise UpstreamFailed or UpstreamTimeout; only an answer
    that says so means that something does not exist.
    """

    def project_page(self, base_url: str, project: ProjectName, known: Validators) -> PageAnswer:
        """The page of a project, unless it is still what `known` stands for."""

    def project_names(
        self, base_url: str, known: Validators
    ) -> AbstractContextManager[NamesFetched | NotModified]:
        """Begin to read the list of all projects, unless it is still what `known` stands for."""

    def fetch(
        self, base_url: str, url: str, *, start: int = 0, etag: str | None = None
    ) -> AbstractContextManager[FileTransfer]:
        """Begin to fetch a file. Raises NotFound where the upstream says 404 or 410.

        With `start` it is asked for the rest only, if it is still the one that had that `etag`;
        the upstream may begin anew all the same, which `FileTransfer.start` tells.
        """

    def takes_ranges(self, base_url: str, url: str) -> bool:
        """Whether the file can be read in parts (RFC 9110 §14); a small request tries it."""

    def remote_file(self, base_url: str, url: str) -> AbstractContextManager[BinaryIO]:
        """A file to be read in parts, within bounds; readable and seekable.

        Reading raises UpstreamFailed, UpstreamTimeout and NotFound.
        """

    def document(self, base_url: str, url: str) -> bytes:
        """A small document beside a file, such as its provenance. Raises NotFound."""

    def close(self) -> None:
        """Let go of all connections."""
