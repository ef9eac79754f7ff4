"""Who may do what: pure rules, each answer with its reason."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from .identity import Action, Identity, TokenLimits
from .indexes import Index
from .lineage import Lineage
from .names import ROOT, ProjectName, UserName


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
    TOKEN_IN_USE = "token-in-use"  # noqa: S105 - the name of a permission
    """See and end the token that the request itself is made with."""
    SERVER_ADMIN = "server-admin"
    """What concerns the whole server: groups, issuers of identity tokens, the whole audit."""
    INDEX_CREATE = "index-create"
    INDEX_MODIFY = "index-modify"
    """Administer an index: change its options, see its audit, say who owns its projects."""
    INDEX_DELETE = "index-delete"
    READ = "read"
    """See an index's pages, files and settings, and all that it inherits."""
    UPLOAD = "upload"
    REMOVE = "remove"
    """Delete, yank and unyank what an index holds."""


ACTIONS: Mapping[Permission, Action] = {
    Permission.USERS_READ: Action.READ,
    Permission.READ: Action.READ,
    Permission.UPLOAD: Action.UPLOAD,
    Permission.REMOVE: Action.DELETE,
    Permission.INDEX_MODIFY: Action.ADMIN,
    Permission.INDEX_DELETE: Action.ADMIN,
    Permission.INDEX_CREATE: Action.ACCOUNT,
    Permission.USER_CREATE: Action.ACCOUNT,
    Permission.USER_MODIFY: Action.ACCOUNT,
    Permission.USER_DELETE: Action.ACCOUNT,
    Permission.TOKENS: Action.ACCOUNT,
    Permission.SERVER_ADMIN: Action.ACCOUNT,
}
"""The action that a token needs for a permission; the others are open to every token."""

LISTS: Mapping[Permission, str] = {
    Permission.READ: "acl_read",
    Permission.UPLOAD: "acl_upload",
    Permission.REMOVE: "acl_delete",
    Permission.INDEX_MODIFY: "acl_admin",
    Permission.INDEX_DELETE: "acl_admin",
}
"""The access list of an index that gives a permission."""


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
    limits: TokenLimits | None,
    permission: Permission,
    index: Index | None,
    project: ProjectName | None = None,
) -> Verdict:
    """Whether a token's own limits leave room for this, whatever its user may do.

    Which project an upload is for is known only when it has arrived: until then, with `project`
    None, a token for some projects passes; whoever adds the file asks again.
    """
    action = ACTIONS.get(permission)
    if limits is None or action is None:
        return allow("no token limits this")
    grants = [grant for grant in limits.grants if action in grant.actions]
    if not grants:
        return deny(f"this token is not for the action {action}")
    if permission is Permission.USERS_READ:
        return allow("names are visible to everyone who is logged in")
    if index is None:
        if any(grant.indexes is None and grant.projects is None for grant in grants):
            return allow("the token covers everything")
        return deny("this token is limited to certain indexes or projects")
    grants = [g for g in grants if g.indexes is None or index.name in g.indexes]
    if not grants:
        return deny(f"this token does not cover {index.name}")
    if project is None and permission is Permission.UPLOAD:
        return allow(f"the token covers uploads to {index.name}")
    if any(g.projects is None or project in g.projects for g in grants):
        return allow(f"the token covers {index.name}")
    if project is None:
        return deny("this token is limited to certain projects")
    return deny(f"this token does not cover the project {project} in {index.name}")


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


def index_verdict(
    identity: Identity, permission: Permission, index: Index, project: ProjectName | None = None
) -> Verdict:
    """Rules for changing one index and what it holds."""
    limited = limits_verdict(identity.limits, permission, index, project)
    if not limited:
        return limited
    return _of_one(identity, permission, index)


def read_verdict(
    identity: Identity, lineage: Lineage, project: ProjectName | None = None
) -> Verdict:
    """Reading needs the right on the whole lineage; a base that may not be read is named.

    Dropping it silently would open the door to a public project of the same name.
    """
    limited = limits_verdict(identity.limits, Permission.READ, lineage.asked, project)
    if not limited:
        return limited
    for index in lineage:
        verdict = _of_one(identity, Permission.READ, index)
        if verdict:
            continue
        if index.name == lineage.name:
            return verdict
        return deny(f"{lineage.name} inherits from {index.name}, and {verdict.reason}")
    return allow("every index of the lineage may be read")


def _of_one(identity: Identity, permission: Permission, index: Index) -> Verdict:
    """Whether the owner, root or an access list gives the permission."""
    if identity.is_root or identity.user == index.name.user:
        return allow("root and the owner may do everything in an index")
    option = LISTS[permission]
    if not index.acl(option).isdisjoint(identity.principals):
        return allow(f"{option} of {index.name} names them")
    return deny(f"{_who(identity)} is not in {option} of {index.name}")


def _who(identity: Identity) -> str:
    return identity.user or "an anonymous client"
