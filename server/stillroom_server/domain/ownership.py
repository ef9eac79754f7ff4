"""Who may upload to a project of a stage: its owners, and who may bring a new one."""

import enum
from dataclasses import dataclass, replace

from .access import Permission, index_verdict
from .identity import ANONYMOUS, AUTHENTICATED, Identity
from .indexes import FirstUpload, Index
from .names import shown
from .options import Option, check_principal


class Standing(enum.Enum):
    """What somebody who may upload to a stage is to one of its projects."""

    ALLOWED = "allowed"
    NOT_AN_OWNER = "not-an-owner"
    """The project is its owners', and they are none of them."""
    NO_OWNERS = "no-owners"
    """Nobody owns the project yet, so that only administrators may upload to it."""
    NOT_FIRST = "not-first"
    """They may not bring a new project."""
    NEEDS_APPROVAL = "needs-approval"
    """They may not bring a new project, but may ask."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a stage knows of a name: whether a project of it lives there, and who owns it."""

    lives_here: bool
    owners: frozenset[str]


def administers(identity: Identity, index: Index) -> bool:
    """Whether they administer an index, whatever the token is for that they use now.

    What their token may be used for is asked by itself; see `limits_verdict`.
    """
    person = replace(identity, limits=None)
    return bool(index_verdict(person, Permission.INDEX_MODIFY, index))


def standing_of(identity: Identity, index: Index, holding: Holding) -> Standing:
    """Whether somebody who may upload to a stage may upload to this project, and why not."""
    if administers(identity, index) or not holding.owners.isdisjoint(identity.principals):
        return Standing.ALLOWED
    if index.owned_projects and holding.owners:
        return Standing.NOT_AN_OWNER
    if holding.lives_here:
        return Standing.NO_OWNERS if index.owned_projects else Standing.ALLOWED
    return _FIRST[index.first_upload]


_FIRST = {
    FirstUpload.OPEN: Standing.ALLOWED,
    FirstUpload.RESTRICTED: Standing.NOT_FIRST,
    FirstUpload.APPROVAL: Standing.NEEDS_APPROVAL,
}


def owners_after_upload(identity: Identity, index: Index, holding: Holding) -> frozenset[str]:
    """Who owns a project once its file is added: where nobody does, who brings a new one."""
    is_brought = index.owned_projects and not holding.lives_here and not holding.owners
    if not is_brought or identity.user is None:
        return holding.owners
    return frozenset({identity.user})


def may_delete(identity: Identity, index: Index, owners: frozenset[str]) -> bool:
    """Whether somebody who may delete in a stage may delete the whole of this project.

    One that nobody owns would become theirs with their next upload, where projects have owners.
    """
    return bool(owners) or not index.owned_projects or administers(identity, index)


def check_owner(text: str) -> str:
    """One owner of a project: an entry of an access list that does not mean everybody.

    Raises ValueError with the rule.
    """
    try:
        principal = check_principal(text)
    except ValueError:
        principal = ANONYMOUS
    if principal in {ANONYMOUS, AUTHENTICATED}:
        raise ValueError(f"{shown(text)} is not a user or a :group")
    return principal


OWNERS = Option(
    "owners", "list", (), "Who owns the project: users and `:groups`, by name.", check_owner
)
"""The owners of a project, read and changed as an option of an index is."""
