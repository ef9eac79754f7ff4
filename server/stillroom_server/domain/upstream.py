"""What a mirror knows of its upstream: pages as they were said, and how fresh they are."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .files import Yanked
from .names import ProjectName
from .status import ACTIVE, ProjectStatus


class TimeSource(enum.StrEnum):
    """Where the upload time of a mirrored file is from."""

    UPSTREAM = "upstream"
    LAST_MODIFIED = "last-modified"
    FIRST_SEEN = "first-seen"


@dataclass(frozen=True, slots=True)
class UpstreamFile:
    """A file as the upstream's page describes it. `url` is absolute, without a fragment.

    `core_metadata` are the digests of its `.metadata`, empty where that is there without a known
    digest, None where there is none. `provenance` is the URL of its attestations (PEP 740).
    `refused` is a digest, `algorithm=hex`, that the upstream lists now although it listed another
    one first; the file goes on being what it was.
    """

    filename: str
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    uploaded: datetime | None = None
    requires_python: str | None = None
    yanked: Yanked = False
    core_metadata: Mapping[str, str] | None = None
    provenance: str | None = None
    refused: str | None = None
    time_source: TimeSource = TimeSource.UPSTREAM

    @property
    def is_wheel(self) -> bool:
        """Whether its metadata can be read from it."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True)
class Validators:
    """What to send for a conditional request (RFC 9110): ETag and Last-Modified, as received."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What we learned of a file name, beside what the upstream's page says now.

    `hashes` are the first digests that were seen, by algorithm, and that of the content once it
    was fetched. `size` (bytes), `modified` (its Last-Modified) and `metadata_sha256` are known
    once the file was fetched.
    """

    first_seen: datetime
    hashes: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    modified: datetime | None = None
    metadata_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class CachedPage:
    """What an upstream last said of one project, and every file name that it ever listed.

    `files` is empty and `exists` False once the upstream says that there is no such project.
    `checked` is when it was last asked with success. `delisted` are the files that it listed once
    and does not list now. `source` is the URL of that one of several equivalent upstreams that
    said all this. `ranges` tells whether its files can be read in parts, None where that was not
    tried.
    """

    project: ProjectName
    files: tuple[UpstreamFile, ...]
    exists: bool
    validators: Validators
    checked: datetime
    seen: Mapping[str, Seen] = field(default_factory=dict)
    status: ProjectStatus = ACTIVE
    delisted: tuple[UpstreamFile, ...] = ()
    source: str | None = None
    ranges: bool | None = None


class Freshness(enum.Enum):
    """What we think of a cached page."""

    FRESH = "fresh"
    EXPIRED = "expired"


def freshness(page: CachedPage, expiry: timedelta, now: datetime) -> Freshness:
    """Fresh while younger than the expiry; a page from the future (clock set back) is expired."""
    age = now - page.checked
    return Freshness.FRESH if timedelta(0) <= age < expiry else Freshness.EXPIRED


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A mirrored file whose content is here: which blob, how large, and when it was last used."""

    filename: str
    sha256: str
    size: int
    fetched: datetime
    used: datetime


@dataclass(frozen=True, slots=True)
class NameList:
    """An upstream's list of all its projects, as it was last read to its end.

    `fetched` is when it was last read or confirmed, `count` how many names it has.
    """

    id: int
    fetched: datetime
    count: int
    validators: Validators = Validators()
