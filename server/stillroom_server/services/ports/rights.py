"""What a unit of work holds of who may do what, beside accounts and the options of indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.identity import Group
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.publishing import Issuer, Publisher


class Groups(Protocol):
    """Groups and their members."""

    def get(self, name: str) -> Group | None:
        """The group of that name."""

    def all(self) -> list[Group]:
        """All groups with their members, by name."""

    def add(self, group: Group) -> Group:
        """Store a new group (its `id` is ignored); Conflict if the name is taken.

        NotFound if a member does not exist.
        """

    def change(self, group: Group) -> None:
        """Store the description and the members of a group, found by `id`; NotFound as above."""

    def delete(self, group: Group) -> None:
        """Delete the group."""

    def of_user(self, user: UserName) -> frozenset[str]:
        """The names of the groups that a user is in."""


@dataclass(frozen=True, slots=True)
class ProjectRequest:
    """Somebody wants to bring a new project into a stage."""

    project: ProjectName
    user: UserName
    requested: datetime


class ProjectOwners(Protocol):
    """Who owns the projects of stages, and who asked to bring new ones.

    A principal is a user or a `:group`. A name may have owners before the project is there.
    """

    def of_project(self, index: Index, project: ProjectName) -> frozenset[str]:
        """The principals that own a project."""

    def all(self, index: Index) -> dict[ProjectName, frozenset[str]]:
        """The owners of all projects and kept names of a stage."""

    def set(self, index: Index, project: ProjectName, owners: frozenset[str]) -> None:
        """Store the owners of a project; none deletes all rows."""

    def forget(self, principal: str) -> list[tuple[IndexName, ProjectName]]:
        """Take a user or `:group` that is gone from all projects; from which, in order."""

    def requests(self, index: Index) -> list[ProjectRequest]:
        """Who asked for what, oldest first."""

    def request(self, index: Index, request: ProjectRequest) -> bool:
        """Note a request; False if it was there already."""

    def drop_requests(self, index: Index, project: ProjectName) -> int:
        """Delete the requests for a project; how many there were."""


@dataclass(frozen=True, slots=True)
class GuessCounts:
    """How many guesses of passwords stand against a user, an address and everybody.

    `oldest_…` is when the first of those was made; None where there are none.
    """

    user: int
    address: int
    everybody: int
    oldest_of_user: datetime | None
    oldest_of_address: datetime | None
    oldest: datetime | None


class PasswordGuesses(Protocol):
    """Guesses of passwords that are being checked or were wrong. Takes no serial."""

    def counts(self, user: str, address: str, after: datetime) -> GuessCounts:
        """The guesses made after a time: against a user, from an address, and all."""

    def add(self, user: str, address: str, at: datetime) -> int:
        """Note a guess before it is checked; its id."""

    def delete(self, guess_id: int) -> None:
        """Take a guess back; one that is gone already is passed over."""

    def forget(self, user: str) -> int:
        """Delete all that stands against a user; how many there were."""

    def delete_before(self, at: datetime) -> int:
        """Delete the guesses made at a time or before it; how many there were."""


class Publishers(Protocol):
    """Issuers of identity tokens, trusted publishers, and the identity tokens that were used."""

    def issuer(self, url: str) -> Issuer | None:
        """The issuer of that URL."""

    def issuers(self) -> list[Issuer]:
        """All issuers, by URL."""

    def add_issuer(self, issuer: Issuer) -> Issuer:
        """Store a new issuer (its `id` is ignored); Conflict if it is there."""

    def delete_issuer(self, issuer: Issuer) -> None:
        """Delete an issuer; Conflict while publishers refer to it."""

    def is_used(self) -> bool:
        """Whether any index has a publisher."""

    def of_issuer(self, issuer: Issuer) -> list[Publisher]:
        """The publishers of an issuer, oldest first."""

    def of_index(self, index: Index) -> list[Publisher]:
        """The publishers of an index, oldest first."""

    def add(self, publisher: Publisher) -> None:
        """Store a new publisher; NotFound if its issuer, index or user is gone."""

    def delete(self, index: Index, publisher_id: str) -> bool:
        """Delete one and the tokens made for it; False if the index has none of that id."""

    def use(self, issuer: Issuer, token_id: str, expires: datetime) -> bool:
        """Note that an identity token is used; False if it was used before."""

    def forget_used(self, before: datetime) -> int:
        """Delete what expired before a time; how many there were."""


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
