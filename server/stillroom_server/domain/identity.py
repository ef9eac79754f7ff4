"""Who asks: users, their tokens' limits, and the identity of a request."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .names import ROOT, IndexName, UserName

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


class Scope(enum.StrEnum):
    """What a token lets its holder do with the rights of its user."""

    READ = "read"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token may be used for. `indexes` is None where all indexes are meant."""

    scope: Scope = Scope.ALL
    indexes: frozenset[IndexName] | None = None

    def covers(self, other: "TokenLimits") -> bool:
        """Whether a token with these limits may make one with the `other` ones."""
        if self.scope is Scope.READ and other.scope is not Scope.READ:
            return False
        if self.indexes is None:
            return True
        return other.indexes is not None and other.indexes <= self.indexes


@dataclass(frozen=True, slots=True)
class Token:
    """A token's row; the secret itself is known to its holder alone.

    `id` is public (it appears in lists and logs), `digest` is the SHA-256 of the secret.
    """

    id: str
    user: UserName
    digest: bytes = field(repr=False)
    limits: TokenLimits
    created: datetime
    expires: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought to prove who sends it.

    `user` is None for a bare secret (a bearer token).
    """

    user: str | None
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks now. The anonymous identity has no user."""

    user: UserName | None = None
    groups: frozenset[str] = frozenset()
    limits: TokenLimits | None = None
    token: str | None = None
    expires: datetime | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is logged in."""
        return self.user is None

    @property
    def is_root(self) -> bool:
        """Whether this is the administrator; a token's limits are another question."""
        return self.user == ROOT

    @property
    def principals(self) -> frozenset[str]:
        """The entries of an access list that mean this identity."""
        if self.user is None:
            return frozenset({ANONYMOUS})
        groups = {f":{group}" for group in self.groups}
        return frozenset({ANONYMOUS, AUTHENTICATED, self.user, *groups})


NOBODY = Identity()
