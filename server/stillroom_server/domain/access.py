"""Who may do what: pure rules, each answer with its reason."""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .identity import Action, Identity, TokenLimits
from .indexes import Index
from .lineage import Lineage
from .names import ROOT, IndexName, ProjectName, UserName


class Permission(enum.StrEnum):
    """What a route asks for. Each route declares exactly one."""

    OPEN = "open"
    """Everyone, whatever credentials they send: login, discovery, health."""
    FRONT = "front"
    """Everyone, unless their credentials are wrong: the start page, the status of the server."""
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
class Warrant:
    """What a request was permitted to do: to an index (`index`, perhaps one `project`), or else.

    `user` is whom it concerns, where it concerns a user.
    """

    permission: Permission
    user: UserName | None = None
    index: IndexName | None = None
    project: ProjectName | None = None


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
        actions = {str(action) for grant in limits.grants for action in grant.actions}
        return _outside(f"the action {listed(actions)}, and this is {action}")
    if permission is Permission.USERS_READ:
        return allow("names are visible to everyone who is logged in")
    if index is None:
        if any(grant.indexes is None and grant.projects is None for grant in grants):
            return allow("the token covers everything")
        return _outside("certain indexes or projects, and this is about neither")
    within = [grant for grant in grants if grant.indexes is None or index.name in grant.indexes]
    if not within:
        names = {str(name) for grant in grants for name in grant.indexes or ()}
        return _outside(f"{listed(names)}, and this is {index.name}")
    if project is None and permission is Permission.UPLOAD:
        return allow(f"the token covers uploads to {index.name}")
    if any(grant.projects is None or project in grant.projects for grant in within):
        return allow(f"the token covers {index.name}")
    projects = listed({str(name) for grant in within for name in grant.projects or ()})
    asked = f"all of {index.name}" if project is None else project
    return _outside(f"the project {projects}, and this is {asked}")


def _outside(limit: str) -> Verdict:
    return deny(f"the token in use is limited to {limit}; make another token for this")


def user_verdict(
    identity: Identity, permission: Permission, target: UserName | None, *, open_signup: bool
) -> Verdict:
    """Rules for what concerns users, their tokens, the making of indexes, and the server."""
    if permission is Permission.USER_CREATE and open_signup:
        return allow("sign-up is open")
    if identity.is_anonymous:
        return deny("nobody is logged in")
    limited = limits_verdict(identity.limits, permission, None)
    if not limited:
        return limited
    if permission is Permission.USERS_READ:
        return allow("names are visible to everyone who is logged in")
    if permission is Permission.TOKEN_IN_USE:
        return allow("whoever is logged in may see and end what they are logged in with")
    if permission is Permission.USER_DELETE and target == ROOT:
        return deny("root cannot be deleted")
    if identity.is_root:
        return allow("root administers the server and its users")
    if permission is Permission.SERVER_ADMIN:
        return deny(f"only root administers the server, and you are {identity.user}")
    if permission is Permission.USER_CREATE:
        return deny("only root creates users here")
    if identity.user == target:
        return allow("it is their own")
    who_may = "only root may" if target == ROOT else f"{target} and root may"
    return deny(f"{identity.user} may not do this for {target}; {who_may}")


def index_verdict(
    identity: Identity,
    permission: Permission,
    index: Index,
    project: ProjectName | None = None,
    *,
    is_reader: bool = False,
) -> Verdict:
    """Rules for changing one index and what it holds.

    The refusal tells who stands in the index's list where `is_reader` says that they may read
    the index, and so its options.
    """
    limited = limits_verdict(identity.limits, permission, index, project)
    if not limited:
        return limited
    return _of_one(identity, permission, index, is_reader=is_reader)


def read_verdict(
    identity: Identity, lineage: Lineage, project: ProjectName | None = None
) -> Verdict:
    """Reading needs the right on the whole lineage; a base that may not be read is named.

    Dropping it silently would open the door to a public project of the same name.
    """
    asked = lineage.asked
    limited = limits_verdict(identity.limits, Permission.READ, asked, project)
    if not limited:
        return limited
    own = _of_one(identity, Permission.READ, asked)
    if not own:
        return own
    for index in lineage:
        verdict = own if index is asked else _of_one(identity, Permission.READ, index)
        if not verdict:
            return deny(f"{asked.name} inherits from {index.name}, and {verdict.reason}")
    return own


def has_any_right(identity: Identity, index: Index) -> bool:
    """Whether the owner, root or any access list gives them anything in an index."""
    return any(_of_one(identity, permission, index) for permission in LISTS)


def _of_one(
    identity: Identity, permission: Permission, index: Index, *, is_reader: bool = False
) -> Verdict:
    """Whether the owner, root or an access list gives the permission."""
    if identity.is_root:
        return allow("root may do everything in every index")
    if identity.user == index.name.user:
        return allow(f"the owner may do everything in {index.name}")
    option = LISTS[permission]
    entries = index.acl(option)
    theirs = entries & identity.principals
    if theirs:
        return allow(f"{option} of {index.name} names {listed(theirs)}")
    refusal = f"{_who(identity)} may not {_VERBS[permission]} {index.name}"
    if is_reader:
        named = f"{option} names {listed(entries)}"
        return deny(f"{refusal}: {named}. Its {granters(index)} can change that")
    return deny(f"{refusal}: its {granters(index)} can change that")


_VERBS: Mapping[Permission, str] = {
    Permission.READ: "read",
    Permission.UPLOAD: "upload to",
    Permission.REMOVE: "delete or yank in",
    Permission.INDEX_MODIFY: "administer",
    Permission.INDEX_DELETE: "delete",
}

_MOST_LISTED = 5
"""Entries of a list in a message. A longer one would not fit into a reason phrase."""


def listed(entries: Collection[str]) -> str:
    """Entries of a list for a message: sorted, and only the first few of many."""
    if not entries:
        return "nobody"
    names = sorted(entries)
    if len(names) > _MOST_LISTED:
        shown = ", ".join(names[:_MOST_LISTED])
        return f"{shown} and {len(names) - _MOST_LISTED} more"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def granters(*indexes: Index) -> str:
    """Who can give rights in these indexes: `owner ana, root, or who is in acl_admin`."""
    users = {str(index.name.user) for index in indexes}
    owners = users - {ROOT} or users
    word = "owner" if len(owners) == 1 else "owners"
    root = "" if owners == {ROOT} else " root,"
    return f"{word} {listed(owners)},{root} or who is in acl_admin"


def _who(identity: Identity) -> str:
    return identity.user or "an anonymous client"
