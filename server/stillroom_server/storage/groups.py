"""Groups and their members in SQL."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Group
from stillroom_server.domain.names import UserName

from . import schema
from .statements import insert_new

_groups = schema.groups
_members = schema.group_members
_users = schema.users


class SqlGroups:
    """The port `Groups`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> Group | None:
        """The group of that name."""
        found = self._select(_groups.c.name == name)
        return found[0] if found else None

    def all(self) -> list[Group]:
        """All groups with their members, by name."""
        return self._select()

    def add(self, group: Group) -> Group:
        """Store a new group; Conflict if the name is taken, NotFound if a member is missing."""
        row = {"name": group.name, "description": group.description, "created": group.created}
        new_id = insert_new(self._connection, _groups, row)
        if new_id is None:
            raise Conflict(f"group: {group.name} exists already")
        members = self._link(new_id, group.members)
        return Group(new_id, group.name, group.created, group.description, members)

    def change(self, group: Group) -> None:
        """Store the description and the members; NotFound if it or a member is gone."""
        statement = update(_groups).where(_groups.c.id == group.id)
        changed = self._connection.execute(statement.values(description=group.description))
        if changed.rowcount == 0:
            raise NotFound(f"group: {group.name} does not exist")
        self._connection.execute(delete(_members).where(_members.c.group_id == group.id))
        self._link(group.id, group.members)

    def delete(self, group: Group) -> None:
        """Delete the group; its members stay users."""
        self._connection.execute(delete(_groups).where(_groups.c.id == group.id))

    def of_user(self, user: UserName) -> frozenset[str]:
        """The names of the groups that a user is in."""
        query = (
            select(_groups.c.name)
            .join(_members, _members.c.group_id == _groups.c.id)
            .join(_users, _users.c.id == _members.c.user_id)
            .where(_users.c.name == user)
        )
        return frozenset(self._connection.scalars(query))

    def _link(self, group_id: int, members: Iterable[UserName]) -> tuple[UserName, ...]:
        """Store the members of a group that has none; they come back sorted, each once."""
        names = sorted(set(members))
        query = select(_users.c.name, _users.c.id).where(_users.c.name.in_(names))
        ids = {row.name: row.id for row in self._connection.execute(query)}
        missing = [name for name in names if name not in ids]
        if missing:
            raise NotFound(f"members: {', '.join(missing)} does not exist")
        if names:
            rows = [{"group_id": group_id, "user_id": ids[name]} for name in names]
            self._connection.execute(insert(_members), rows)
        return tuple(names)

    def _select(self, *conditions: ColumnElement[bool]) -> list[Group]:
        query = select(_groups).where(*conditions).order_by(_groups.c.name)
        rows = self._connection.execute(query).all()
        members = self._members(*conditions)
        return [
            Group(row.id, row.name, row.created, row.description, tuple(members[row.id]))
            for row in rows
        ]

    def _members(self, *conditions: ColumnElement[bool]) -> dict[int, list[UserName]]:
        query: Any = (
            select(_members.c.group_id, _users.c.name)
            .join(_users, _users.c.id == _members.c.user_id)
            .join(_groups, _groups.c.id == _members.c.group_id)
            .where(*conditions)
            .order_by(_users.c.name)
        )
        found: dict[int, list[UserName]] = defaultdict(list)
        for row in self._connection.execute(query):
            found[row.group_id].append(UserName(row.name))
        return found
