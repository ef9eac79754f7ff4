"""Who asks: users, their tokens' limits, and the identity of a request."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from .names import ROOT, IndexName, ProjectName, UserName

if TYPE_CHECKING:
    from .access import Warrant

ANONYMOUS = ":ANONYMOUS:"
"""In an access list: everyone who reaches the server."""

AUTHENTICATED = ":AUTHENTICATED:"
"""In an access list: everyone who is logged in."""


@dataclass(frozen=True, slots=True)
class User:
    """An account. `password_hash` is argon2id in PHC form, or None where only tokens log in."""

    id: int
    name: UserName
    password_hash: str | None = field(repr=False)
    created: datetime
    modified: datetime | None = None
    email: str | None = None
    title: str | None = None
    description: str | None = None
    custom_data: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Users with a name in common; in access lists it is written `:name`."""

    id: int
    name: str
    created: datetime
    description: str | None = None
    members: tuple[UserName, ...] = ()


class Action(enum.StrEnum):
    """What a token may be used for, within the rights of its user."""

    READ = "read"
    """See pages, files and settings, and the names of users, groups and indexes."""
    UPLOAD = "upload"
    DELETE = "delete"
    """Delete, yank and unyank."""
    ADMIN = "admin"
    """Change an index: its options, the owners and the status of its projects."""
    ACCOUNT = "account"
    """What concerns no single index: users, groups, tokens, new indexes, the server."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions in certain indexes, on certain projects; None stands for all of them."""

    actions: frozenset[Action]
    indexes: frozenset[IndexName] | None = None
    projects: frozenset[ProjectName] | None = None

    def covers(self, other: "Grant") -> bool:
        """Whether it reaches at least as far as the other one."""
        return (
            other.actions <= self.actions
            and _within(other.indexes, self.indexes)
            and _within(other.projects, self.projects)
        )


_T = TypeVar("_T")


def _within(inner: frozenset[_T] | None, outer: frozenset[_T] | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token may be used for: all that any of its grants allows, and nothing else."""

    grants: tuple[Grant, ...]

    def covers(self, other: "TokenLimits | None") -> bool:
        """Whether a token with these limits may make one with the `other` ones."""
        if other is None:
            return False
        return all(any(own.covers(grant) for own in self.grants) for grant in other.grants)

    @property
    def indexes(self) -> frozenset[IndexName]:
        """Every index that a grant names."""
        return frozenset(name for grant in self.grants for name in grant.indexes or ())

    def without(self, index: IndexName) -> "TokenLimits":
        """What is left when an index is gone: no grant at all, if no other one was named."""
        named = (
            grant if grant.indexes is None else replace(grant, indexes=grant.indexes - {index})
            for grant in self.grants
        )
        return TokenLimits(tuple(grant for grant in named if grant.indexes != frozenset()))


class TokenKind(enum.StrEnum):
    """Where a token came from."""

    LOGIN = "login"
    """A password was exchanged for it."""
    MADE = "made"
    """Its user made it, for a purpose."""
    TRUSTED = "trusted"
    """A trusted publisher exchanged an identity token for it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token's row; the secret itself is known to its holder alone.

    `id` is public (it appears in lists and logs), `digest` is the SHA-256 of the secret. Without
    `limits` it is good for whatever its user may do. `groups` are those that a plugin gave at
    login, without a colon; `publisher` is the id of the trusted publisher that it was made for, or
    the ids of several, with commas.
    `used` is when it was last used, to the minute.
    """

    id: str
    user: UserName
    digest: bytes = field(repr=False)
    kind: TokenKind
    limits: TokenLimits | None
    created: datetime
    expires: datetime
    note: str = ""
    groups: frozenset[str] = frozenset()
    publisher: str | None = None
    used: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought to prove who sends it.

    `user` is None for a bare secret (a bearer token). `address` is the client's, as text; None
    where there is none, as on the command line.
    """

    user: str | None
    secret: str = field(repr=False)
    address: str | None = None


Proof = tuple[int, str | None]
"""The id of an account with the hash of its password: another one after each change of it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks now. The anonymous identity has no user.

    `groups` are those that plugins gave, and stay with the token of a login; `memberships` are
    those of our own groups, and are looked up for each request.
    `token` is the id of the token that was used. `address` (the client's) and `request` (the id
    of the request) say from where, and `tool` what acts where no user does, for the audit; no
    decision is made by them. `proof` is that of the account whose password was right. `warrant`
    is what the request was permitted to do, where it may change something.
    """

    user: UserName | None = None
    groups: frozenset[str] = frozenset()
    limits: TokenLimits | None = None
    token: str | None = None
    expires: datetime | None = None
    address: str | None = None
    request: str | None = None
    memberships: frozenset[str] = frozenset()
    tool: str | None = None
    proof: Proof | None = field(default=None, repr=False, compare=False)
    warrant: "Warrant | None" = field(default=None, compare=False)

    def from_where(self, other: "Identity") -> "Identity":
        """The same, asking from where another one does."""
        return replace(self, address=other.address, request=other.request)

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is logged in."""
        return self.user is None

    @property
    def is_root(self) -> bool:
        """Whether this is the administrator; a token's limits are another question."""
        return self.user == ROOT

    @property
    def all_groups(self) -> frozenset[str]:
        """The groups of both kinds, without a colon."""
        return self.groups | self.memberships

    @property
    def principals(self) -> frozenset[str]:
        """The entries of an access list that mean this identity."""
        if self.user is None:
            return frozenset({ANONYMOUS})
        groups = {f":{group}" for group in self.all_groups}
        return frozenset({ANONYMOUS, AUTHENTICATED, self.user, *groups})


NOBODY = Identity()

COMMAND_LINE = Identity(tool="command line")
"""The server's own command line: whoever may run it is known to the operating system only."""


def proof_of(user: User) -> Proof:
    """What an account is known by while its password stays."""
    return user.id, user.password_hash
