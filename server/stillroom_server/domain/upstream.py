"""What a mirror knows of its upstream: pages as they were said, and how fresh they are."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .files import Yanked
from .names import ProjectName


@dataclass(frozen=True, slots=True)
class UpstreamFile:
    """A file as the upstream's page describes it. `url` is absolute, without a fragment."""

    filename: str
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    uploaded: datetime | None = None
    requires_python: str | None = None
    yanked: Yanked = False
    core_metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Validators:
    """What to send for a conditional request (RFC 9110): ETag and Last-Modified, as received."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The first digest and the first time that a file name was seen on an upstream's page."""

    sha256: str | None
    first_seen: datetime


@dataclass(frozen=True, slots=True)
class CachedPage:
    """What an upstream last said of one project, and every file name that it ever listed.

    `files` is empty and `exists` False once the upstream says that there is no such project.
    `checked` is when it was last asked with success.
    """

    project: ProjectName
    files: tuple[UpstreamFile, ...]
    exists: bool
    validators: Validators
    checked: datetime
    seen: Mapping[str, Seen] = field(default_factory=dict)

    def says_the_same(self, other: "CachedPage") -> bool:
        """Whether an installer would see no difference."""
        return self.exists == other.exists and self.files == other.files


class Freshness(enum.Enum):
    """What we think of a cached page."""

    FRESH = "fresh"
    EXPIRED = "expired"


def freshness(page: CachedPage, expiry: timedelta, now: datetime) -> Freshness:
    """Fresh while younger than the expiry; a page from the future (clock set back) is expired."""
    age = now - page.checked
    return Freshness.FRESH if timedelta(0) <= age < expiry else Freshness.EXPIRED


def remember(
    files: tuple[UpstreamFile, ...], seen: Mapping[str, Seen], now: datetime
) -> dict[str, Seen]:
    """Add the names that were not seen before; what was seen first stays as it was."""
    result = dict(seen)
    for file in files:
        known = result.get(file.filename)
        digest = file.hashes.get("sha256")
        if known is None:
            result[file.filename] = Seen(sha256=digest, first_seen=now)
        elif known.sha256 is None and digest is not None:
            result[file.filename] = replace(known, sha256=digest)
    return result


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A mirrored file whose content is here: which blob, and how large."""

    filename: str
    sha256: str
    size: int
    fetched: datetime
