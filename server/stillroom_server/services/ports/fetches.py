"""What a unit of work holds of who fetched which file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.names import ProjectName


@dataclass(frozen=True, slots=True)
class FetchKey:
    """A file, who fetched it, and the minute. Texts are empty where there is none.

    `asked` is the index of the URL, `held` the one in which the file lives.
    """

    minute: datetime
    asked: str
    held: str
    project: ProjectName
    filename: str
    version: str
    sha256: str
    user: str
    token: str
    address: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """How often a file was fetched by somebody within a minute."""

    key: FetchKey
    count: int


@dataclass(frozen=True, slots=True)
class FetchQuery:
    """Which fetches are wanted; None stands for all. `until` is exclusive."""

    project: ProjectName | None = None
    version: str | None = None
    filename: str | None = None
    index: str | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Fetches(Protocol):
    """Who fetched which file, in minutes. Takes no serial."""

    def add(self, fetches: Sequence[Fetch]) -> None:
        """Add counts to the rows of the same key, in as few statements as it takes."""

    def find(self, query: FetchQuery, limit: int) -> list[Fetch]:
        """What was fetched, newest first. An index is matched by `asked` and by `held`."""

    def count_before(self, minute: datetime) -> int:
        """How many rows are older than that."""

    def delete_before(self, minute: datetime, limit: int) -> int:
        """Delete up to so many rows older than that; how many."""
