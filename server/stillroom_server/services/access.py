"""The verdict on every request, before anything else happens."""

from dataclasses import replace

from stillroom_server.domain.access import (
    LISTS,
    Permission,
    Verdict,
    deny,
    index_verdict,
    read_verdict,
    user_verdict,
)
from stillroom_server.domain.errors import Forbidden, InvalidRequest, NotAuthenticated, NotFound
from stillroom_server.domain.identity import ANONYMOUS, NOBODY, Identity
from stillroom_server.domain.lineage import Lineage, lineage_of
from stillroom_server.domain.names import IndexName, ProjectName, UserName, user_name

from .caching import SerialCache
from .ports import Database, Unit

REFUSED = "Log in to see or change this, or check the credentials that were sent."
"""The one sentence for strangers, whatever they ask for and whether it exists or not."""


def lineage_in(unit: Unit, name: IndexName) -> Lineage:
    """An index with all that it inherits; raises NotFound."""
    found = {index.name: index for index in unit.indexes.with_bases(name)}
    if name not in found:
        raise NotFound(f"There is no index {name}.")
    return lineage_of(found[name], found.get)


class Access:
    """Decides who may do what. Lineages are remembered for as long as nothing changes."""

    def __init__(self, database: Database, *, open_signup: bool) -> None:
        self._database = database
        self._open_signup = open_signup
        self._lineages: SerialCache[IndexName, Lineage] = SerialCache(2_000)
        self._open: SerialCache[tuple[Permission, IndexName], Lineage] = SerialCache(2_000)

    def lineage(self, name: IndexName, serial: int | None = None) -> Lineage:
        """An index with all that it inherits; raises NotFound.

        `serial` is the one that a request began with; it is read where None is given.
        """
        if serial is None:
            serial = self._database.serial()
        return self._lineages.get(serial, name) or self._read(name, serial)

    def _read(self, name: IndexName, serial: int) -> Lineage:
        with self._database.reading() as unit:
            lineage = replace(lineage_in(unit, name), serial=serial)
        self._lineages.put(serial, name, lineage)
        return lineage

    def may_read(self, identity: Identity, name: IndexName) -> bool:
        """Whether they may read an index; not one that has just been deleted."""
        try:
            return bool(self.verdict(identity, Permission.READ, self.lineage(name)))
        except NotFound:
            return False

    def check_open(self, identity: Identity, permission: Permission) -> None:
        """A route that concerns no user and no index: OPEN, FRONT, USERS_READ, SERVER_ADMIN."""
        if permission in {Permission.OPEN, Permission.FRONT}:
            return
        self._settle(identity, user_verdict(identity, permission, None, open_signup=False))

    def may_see_users(self, identity: Identity) -> bool:
        """Whether they may see the names of users: not strangers, nor every token."""
        return bool(user_verdict(identity, Permission.USERS_READ, None, open_signup=False))

    def check_user(self, identity: Identity, permission: Permission, user: str) -> UserName:
        """A route that concerns a user; raises NotAuthenticated or Forbidden.

        Whether the user exists is for the use case to find out, after this.
        """
        try:
            name = user_name(user)
        except InvalidRequest:
            if identity.is_anonymous and not self._open_signup:
                raise NotAuthenticated(REFUSED) from None
            raise
        verdict = user_verdict(identity, permission, name, open_signup=self._open_signup)
        self._settle(identity, verdict)
        return name

    def check_index(
        self,
        identity: Identity,
        permission: Permission,
        user: str,
        index: str,
        project: ProjectName | None = None,
        *,
        serial: int | None = None,
    ) -> Lineage:
        """A route that concerns an index; raises NotAuthenticated, NotFound or Forbidden.

        `project` is what the route is about, None for the index as a whole: tokens may be limited
        to certain projects. Who is not logged in learns nothing, not even whether the index
        exists.
        """
        try:
            name = IndexName.checked(user, index)
            if identity.is_anonymous:
                return self._open_to_everyone(permission, name, project, serial)
            lineage = self.lineage(name, serial)
        except (InvalidRequest, NotFound) as error:
            if identity.is_anonymous:
                raise NotAuthenticated(REFUSED) from None
            raise NotFound(f"There is no index {user}/{index}.") from error
        self._settle(identity, self.verdict(identity, permission, lineage, project))
        return lineage

    def _open_to_everyone(
        self,
        permission: Permission,
        name: IndexName,
        project: ProjectName | None,
        serial: int | None,
    ) -> Lineage:
        """The lineage of an index where strangers may; raises NotAuthenticated or NotFound.

        A refusal costs one and the same query, whatever exists and whatever is remembered: else
        the time that it takes would tell strangers what the words do not. Only of what is open to
        everyone is more looked up.
        """
        if serial is None:
            serial = self._database.serial()
        lineage = self._open.get(serial, (permission, name))
        if lineage is None:
            with self._database.reading() as unit:
                is_open = unit.indexes.lists(
                    name, LISTS[permission], ANONYMOUS, with_bases=permission is Permission.READ
                )
            if not is_open:
                raise NotAuthenticated(REFUSED)
            lineage = self.lineage(name, serial)
            self._settle(NOBODY, self.verdict(NOBODY, permission, lineage, project))
            self._open.put(serial, (permission, name), lineage)
        return lineage

    def verdict(
        self,
        identity: Identity,
        permission: Permission,
        lineage: Lineage,
        project: ProjectName | None = None,
    ) -> Verdict:
        """May they, and why or why not."""
        if permission is Permission.READ:
            return read_verdict(identity, lineage, project)
        asked = lineage.asked
        if permission is Permission.UPLOAD and asked.has_upstream and not identity.is_anonymous:
            return deny(f"{asked.name} is a mirror and takes no uploads; use a stage")
        is_reader = bool(read_verdict(identity, lineage, project))
        return index_verdict(identity, permission, asked, project, is_reader=is_reader)

    def _settle(self, identity: Identity, verdict: Verdict) -> None:
        if verdict:
            return
        if identity.is_anonymous:
            raise NotAuthenticated(REFUSED)
        raise Forbidden(f"Not allowed: {verdict.reason}.")
