"""Who has which rights in an index, and by what: for people who ask why."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from .access import LISTS, Permission
from .identity import Action, Identity
from .indexes import Index
from .names import ROOT, IndexName, UserName

RIGHTS: Mapping[Action, Permission] = {
    Action.READ: Permission.READ,
    Action.UPLOAD: Permission.UPLOAD,
    Action.DELETE: Permission.REMOVE,
    Action.ADMIN: Permission.INDEX_MODIFY,
}
"""What can be done in an index, and the permission that it needs."""


class Kind(enum.StrEnum):
    """What an entry of an access list means."""

    USER = "user"
    GROUP = "group"
    EVERYBODY = "everybody"
    """`:ANONYMOUS:` or `:AUTHENTICATED:`."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a right: an entry as access lists have it, and why: `owner`, `root` or a list."""

    entry: str
    why: str

    @property
    def kind(self) -> Kind:
        """What the entry means."""
        if self.entry.startswith(":"):
            return Kind.EVERYBODY if self.entry.endswith(":") else Kind.GROUP
        return Kind.USER

    @property
    def name(self) -> str:
        """The name of the user or group."""
        return self.entry.removeprefix(":")


@dataclass(frozen=True, slots=True)
class Door:
    """An index that asks for a right, and who has it there. Reading goes through several."""

    index: IndexName
    holders: tuple[Holder, ...]


def door(index: Index, permission: Permission) -> Door:
    """Who has a permission in one index: the owner, root, and then whom its list names."""
    owner = index.name.user
    by_right = {str(owner): "owner"} | ({} if owner == ROOT else {str(ROOT): "root"})
    option = LISTS[permission]
    listed = {entry: option for entry in sorted(index.acl(option)) if entry not in by_right}
    found = {**by_right, **listed}
    return Door(index.name, tuple(Holder(entry, why) for entry, why in found.items()))


def member_of(group: str) -> Identity:
    """Somebody of whom nothing is known but a group; no user's name begins with a colon."""
    return Identity(UserName(f":{group}"), frozenset({group}))
