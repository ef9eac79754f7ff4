"""Groups in memory; see `support.fakes`."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Group
from stillroom_server.domain.names import UserName
from support.fake_repositories import Repository

_ids = itertools.count(1)


class FakeGroups(Repository):
    def get(self, name: str) -> Group | None:
        return next((group for group in self.all() if group.name == name), None)

    def all(self) -> list[Group]:
        return sorted(self._tables.groups.values(), key=lambda group: group.name)

    def add(self, group: Group) -> Group:
        groups = self._to_write.groups
        if self.get(group.name):
            raise Conflict(f"group: {group.name} exists already")
        added = replace(group, id=next(_ids), members=self._known(group.members))
        groups[added.id] = added
        return added

    def change(self, group: Group) -> None:
        groups = self._to_write.groups
        if group.id not in groups:
            raise NotFound(f"group: {group.name} does not exist")
        members = self._known(group.members)
        known = groups[group.id]
        groups[group.id] = replace(known, description=group.description, members=members)

    def delete(self, group: Group) -> None:
        self._to_write.groups.pop(group.id, None)

    def of_user(self, user: UserName) -> frozenset[str]:
        return frozenset(group.name for group in self.all() if user in group.members)

    def _known(self, members: Iterable[UserName]) -> tuple[UserName, ...]:
        users = {user.name for user in self._tables.users.values()}
        missing = sorted(set(members) - users)
        if missing:
            raise NotFound(f"members: {', '.join(missing)} does not exist")
        return tuple(sorted(set(members)))
