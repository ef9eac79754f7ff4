"""The verdict on every request, before anything else happens."""

from dataclasses import replace

from stillroom_server.domain.access import (
    Permission,
    Verdict,
    deny,
    index_verdict,
    read_verdict,
    user_verdict,
)
from stillroom_server.domain.errors import Forbidden, InvalidRequest, NotAuthenticated, NotFound
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.lineage import Lineage, lineage_of
from stillroom_server.domain.names import IndexName, UserName, user_name

from .caching import SerialCache
from .ports import Database, Unit

REFUSED = "Log in to see or change this, or check the credentials that were sent."
"""The one sentence for strangers, whatever they ask for and whether it exists or not."""


def lineage_in(unit: Unit, name: IndexName) -> Lineage:
    """An index with all that it inherits; raises NotFound."""
    index = unit.indexes.get(name)
    if index is None:
        raise NotFound(f"There is no index {name}.")
    return lineage_of(index, unit.indexes.get)


class Access:
    """Decides who may do what. Lineages are remembered for as long as nothing changes."""

    def __init__(self, database: Database, *, open_signup: bool) -> None:
        self._database = database
        self._open_signup = open_signup
        self._lineages: SerialCache[IndexName, Lineage] = SerialCache(2_000)

    def lineage(self, name: IndexName) -> Lineage:
        """An index with all that it inherits; raises NotFound."""
        serial = self._database.serial()
        lineage = self._lineages.get(serial, name)
        if lineage is None:
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
        """A route that concerns no user and no index: only OPEN and USERS_READ make sense."""
        if permission is Permission.OPEN:
            return
        self._settle(identity, user_verdict(identity, permission, None, open_signup=False))

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
        self, identity: Identity, permission: Permission, user: str, index: str
    ) -> Lineage:
        """A route that concerns an index; raises NotAuthenticated, NotFound or Forbidden.

        Who is not logged in learns nothing, not even whether the index exists.
        """
        try:
            lineage = self.lineage(IndexName.checked(user, index))
        except (InvalidRequest, NotFound) as error:
            if identity.is_anonymous:
                raise NotAuthenticated(REFUSED) from None
            raise NotFound(f"There is no index {user}/{index}.") from error
        self._settle(identity, self.verdict(identity, permission, lineage))
        return lineage

    def verdict(self, identity: Identity, permission: Permission, lineage: Lineage) -> Verdict:
        """May they, and why or why not."""
        if permission is Permission.READ:
            return read_verdict(identity, lineage)
        asked = lineage.asked
        if permission is Permission.UPLOAD and asked.has_upstream and not identity.is_anonymous:
            return deny(f"{asked.name} is a mirror and takes no uploads; use a stage")
        return index_verdict(identity, permission, asked)

    def _settle(self, identity: Identity, verdict: Verdict) -> None:
        if verdict:
            return
        if identity.is_anonymous:
            raise NotAuthenticated(REFUSED)
        raise Forbidden(f"Not allowed: {verdict.reason}.")
