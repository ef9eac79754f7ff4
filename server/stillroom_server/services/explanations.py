"""Who may do what in an index, and why: what administrators and the puzzled ask."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stillroom_server.domain.access import Permission, Verdict
from stillroom_server.domain.errors import Forbidden, NotAuthenticated
from stillroom_server.domain.explanations import RIGHTS, Door, Holder, Kind, door, member_of
from stillroom_server.domain.identity import Action, Identity
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import UserName

from .access import REFUSED, Access
from .memberships import Memberships
from .ports import Database


@dataclass(frozen=True, slots=True)
class Known:
    """What the server knows of the users and groups that access lists name.

    Groups have their members; what is known to plugins alone is not in here.
    """

    users: frozenset[UserName]
    groups: Mapping[str, tuple[UserName, ...]]

    def has(self, holder: Holder) -> bool:
        """Whether an entry means anybody."""
        if holder.kind is Kind.USER:
            return holder.name in self.users
        return holder.kind is Kind.EVERYBODY or holder.name in self.groups


@dataclass(frozen=True, slots=True)
class Overview:
    """Who may do what: for each right, the doors that all have to open."""

    doors: Mapping[Action, tuple[Door, ...]]
    known: Known


@dataclass(frozen=True, slots=True)
class Answer:
    """What one user or group may do, each with the reason; whether there is one of that name."""

    verdicts: Mapping[Action, Verdict]
    is_known: bool


class Explanations:
    """Explains the rights in an index. That who asks may read it has been checked before."""

    def __init__(self, database: Database, access: Access, memberships: Memberships) -> None:
        self._database = database
        self._access = access
        self._memberships = memberships

    def overview(self, identity: Identity, lineage: Lineage) -> Overview:
        """Who may do what in the asked index; raises Forbidden for who does not administer it."""
        self._check_administers(identity, lineage)
        doors = {action: _doors(lineage, permission) for action, permission in RIGHTS.items()}
        named = {holder for each in doors.values() for one in each for holder in one.holders}
        return Overview(doors, self._known(named))

    def of_user(self, identity: Identity, lineage: Lineage, user: UserName) -> Answer:
        """What a user may do: oneself by the token in use, another one without any.

        Raises Forbidden for another user to who does not administer the index, and Trouble where
        a plugin cannot tell the groups of that user.
        """
        if identity.user == user:
            return self._answer(identity, lineage, is_known=True)
        self._check_administers(identity, lineage)
        with self._database.reading() as unit:
            is_known = unit.users.get(user) is not None
        other = Identity(user, self._memberships.of_user(user))
        return self._answer(other, lineage, is_known=is_known)

    def of_group(self, identity: Identity, lineage: Lineage, group: str) -> Answer:
        """What the members of a group may do by being in it; raises Forbidden as above."""
        self._check_administers(identity, lineage)
        with self._database.reading() as unit:
            is_known = unit.groups.get(group) is not None
        return self._answer(member_of(group), lineage, is_known=is_known)

    def _answer(self, identity: Identity, lineage: Lineage, *, is_known: bool) -> Answer:
        verdicts = {
            action: self._access.verdict(identity, permission, lineage)
            for action, permission in RIGHTS.items()
        }
        return Answer(verdicts, is_known)

    def _check_administers(self, identity: Identity, lineage: Lineage) -> None:
        verdict = self._access.verdict(identity, Permission.INDEX_MODIFY, lineage)
        if verdict:
            return
        if identity.is_anonymous:
            raise NotAuthenticated(REFUSED)
        raise Forbidden(
            f"Not allowed: only who administers {lineage.name} sees the access of others, and "
            f"{verdict.reason}. You may ask about yourself, {identity.user}."
        )

    def _known(self, named: Iterable[Holder]) -> Known:
        groups = {holder.name for holder in named if holder.kind is Kind.GROUP}
        with self._database.reading() as unit:
            users = frozenset(user.name for user in unit.users.all())
            found = [group for group in unit.groups.all() if group.name in groups]
        return Known(users, {group.name: group.members for group in found})


def _doors(lineage: Lineage, permission: Permission) -> tuple[Door, ...]:
    """Reading needs the right on the whole lineage, the asked index first."""
    asked = lineage.asked
    if permission is Permission.UPLOAD and asked.has_upstream:
        return (Door(asked.name, ()),)
    if permission is not Permission.READ:
        return (door(asked, permission),)
    others = (index for index in lineage if index.name != lineage.name)
    return tuple(door(index, permission) for index in (asked, *others))
