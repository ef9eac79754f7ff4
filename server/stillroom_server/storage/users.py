"""Accounts in SQL."""

from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import User
from stillroom_server.domain.names import UserName

from . import schema
from .statements import insert_new

_users = schema.users


class SqlUsers:
    """The port `Users`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: UserName) -> User | None:
        """The user of that name."""
        query = select(_users).where(_users.c.name == name)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _user(row)

    def all(self) -> list[User]:
        """All users, by name."""
        return [_user(row) for row in self._connection.execute(select(_users).order_by("name"))]

    def add(self, user: User) -> User:
        """Store a new user; Conflict if the name is taken."""
        new_id = insert_new(self._connection, _users, _values(user))
        if new_id is None:
            raise Conflict(f"user: {user.name} exists already")
        return User(id=new_id, **_values(user))

    def change(self, user: User) -> None:
        """Store all fields; NotFound if the user was deleted."""
        statement = update(_users).where(_users.c.id == user.id).values(**_values(user))
        if self._connection.execute(statement).rowcount == 0:
            raise NotFound(f"user: {user.name} does not exist")

    def delete(self, user: User) -> None:
        """Delete the user and their tokens; Conflict while they own an index."""
        self._connection.execute(delete(_users).where(_users.c.id == user.id))


def _values(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "password_hash": user.password_hash,
        "created": user.created,
        "modified": user.modified,
        "email": user.email,
        "title": user.title,
        "description": user.description,
        "custom_data": user.custom_data,
    }


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        name=UserName(row.name),
        password_hash=row.password_hash,
        created=row.created,
        modified=row.modified,
        email=row.email,
        title=row.title,
        description=row.description,
        custom_data=row.custom_data,
    )
