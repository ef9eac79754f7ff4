"""Who may do what: pure rules, each answer with its reason."""

import enum
from dataclasses import dataclass

from .identity import Identity, Scope, TokenLimits
from .indexes import Index
from .lineage import Lineage
from .names import ROOT, UserName


class Permission(enum.StrEnum):
    """What a route asks for. Each route declares exactly one."""

    OPEN = "open"
    """Everyone, logged in or not: the start page, login, health."""
    USERS_READ = "users-read"
    """See the names of users and indexes."""
    USER_CREATE = "user-create"
    USER_MODIFY = "user-modify"
    USER_DELETE = "user-delete"
    TOKENS = "tokens"
    """See, make and revoke a user's tokens."""
    INDEX_CREATE = "index-create"
    INDEX_MODIFY = "index-modify"
    INDEX_DELETE = "index-delete"
    READ = "read"
    """See an index's pages, files and settings, and all that it inherits."""
    UPLOAD = "upload"
    REMOVE = "remove"
    """Delete, yank and unyank what an index holds."""


READING = frozenset({Permission.OPEN, Permission.USERS_READ, Permission.READ})
"""What a token with the scope `read` is good for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to "may they?", with its reason. True where it is allowed."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


def allow(reason: str) -> Verdict:
    """Yes, because."""
    return Verdict(allowed=True, reason=reason)


def deny(reason: str) -> Verdict:
    """No, because."""
    return Verdict(allowed=False, reason=reason)


def limits_verdict(
    limits: TokenLimits | None, permission: Permission, index: Index | None
) -> Verdict:
    """Whether a token's own limits leave room for this, whatever its user may do."""
    if limits is None or permission is Permission.OPEN:
        return allow("no token limits this")
    if limits.scope is Scope.READ and permission not in READING:
        return deny("this token may only read")
    if limits.indexes is None:
        return allow("the token covers all indexes")
    if index is None:
        if permission is Permission.USERS_READ:
            return allow("names are visible to everyone who is logged in")
        return deny("this token is limited to certain indexes")
    if index.name not in limits.indexes:
        return deny(f"this token does not cover {index.name}")
    return allow(f"the token covers {index.name}")


def user_verdict(
    identity: Identity, permission: Permission, target: UserName | None, *, open_signup: bool
) -> Verdict:
    """Rules for what concerns users, their tokens and the making of indexes."""
    if permission is Permission.USER_CREATE and open_signup:
        return allow("sign-up is open")
    if identity.is_anonymous:
        return deny("nobody is logged in")
    limited = limits_verdict(identity.limits, permission, None)
    if not limited:
        return limited
    if permission is Permission.USERS_READ:
        return allow("names are visible to everyone who is logged in")
    if permission is Permission.USER_DELETE and target == ROOT:
        return deny("root cannot be deleted")
    if identity.is_root:
        return allow("root administers users")
    if permission is Permission.USER_CREATE:
        return deny("only root creates users here")
    if identity.user == target:
        return allow("it is their own")
    return deny(f"{identity.user} may not do this for {target}")


def index_verdict(identity: Identity, permission: Permission, index: Index) -> Verdict:
    """Rules for changing one index and what it holds."""
    if identity.is_anonymous and permission is not Permission.UPLOAD:
        return deny("nobody is logged in")
    limited = limits_verdict(identity.limits, permission, index)
    if not limited:
        return limited
    if permission in {Permission.UPLOAD, Permission.REMOVE} and _listed(
        identity, index.acl_upload
    ):
        return allow(f"acl_upload of {index.name} names them")
    if permission is Permission.UPLOAD:
        return deny(f"{_who(identity)} is not in acl_upload of {index.name}")
    if identity.is_root or identity.user == index.name.user:
        return allow("root and the owner administer an index")
    return deny(f"{identity.user} does not administer {index.name}")


def read_verdict(identity: Identity, lineage: Lineage) -> Verdict:
    """Reading needs the right on the whole lineage; a base that may not be read is named.

    Dropping it silently would open the door to a public project of the same name.
    """
    limited = limits_verdict(identity.limits, Permission.READ, lineage.asked)
    if not limited:
        return limited
    for index in lineage:
        if _may_read(identity, index):
            continue
        if index.name == lineage.name:
            return deny(f"{_who(identity)} is not in acl_read of {index.name}")
        return deny(f"{lineage.name} inherits from {index.name}, closed to {_who(identity)}")
    return allow("every index of the lineage may be read")


def _may_read(identity: Identity, index: Index) -> bool:
    return (
        identity.is_root or identity.user == index.name.user or _listed(identity, index.acl_read)
    )


def _listed(identity: Identity, acl: frozenset[str]) -> bool:
    return not acl.isdisjoint(identity.principals)


def _who(identity: Identity) -> str:
    return identity.user or "an anonymous client"
