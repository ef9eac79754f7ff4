"""Issuers of identity tokens, trusted publishers, and used identity tokens, in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    exists,
    insert,
    select,
    true,
)

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Action
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.publishing import Issuer, Publisher

from . import schema
from .statements import insert_into, insert_new

_issuers = schema.issuers
_publishers = schema.publishers
_used = schema.used_identity_tokens
_indexes = schema.indexes
_actors = schema.users.alias("actors")
_owners = schema.users.alias("owners")


class SqlPublishers:
    """The port `Publishers`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def issuer(self, url: str) -> Issuer | None:
        """The issuer of that URL."""
        query = select(_issuers).where(_issuers.c.url == url)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _issuer(row)

    def issuers(self) -> list[Issuer]:
        """All issuers, by URL."""
        rows = self._connection.execute(select(_issuers).order_by(_issuers.c.url))
        return [_issuer(row) for row in rows]

    def add_issuer(self, issuer: Issuer) -> Issuer:
        """Store a new issuer; Conflict if it is there."""
        row = {"url": issuer.url, "created": issuer.created}
        new_id = insert_new(self._connection, _issuers, row)
        if new_id is None:
            raise Conflict(f"url: the issuer {issuer.url} is there already")
        return Issuer(new_id, issuer.url, issuer.created)

    def delete_issuer(self, issuer: Issuer) -> None:
        """Delete an issuer; Conflict while publishers refer to it."""
        # Asked first: an error would end the transaction on Postgres.
        if self._connection.scalar(select(exists().where(_publishers.c.issuer_id == issuer.id))):
            raise Conflict(
                f"issuer: {issuer.url} still has trusted publishers; remove them from their "
                "indexes first"
            )
        self._connection.execute(delete(_issuers).where(_issuers.c.id == issuer.id))

    def is_used(self) -> bool:
        """Whether any index has a publisher."""
        return bool(self._connection.scalar(select(exists(select(_publishers.c.id)))))

    def all(self) -> list[Publisher]:
        """The publishers of all indexes, oldest first."""
        return self._select(true())

    def of_issuer(self, issuer: Issuer) -> list[Publisher]:
        """The publishers of an issuer, oldest first."""
        return self._select(_publishers.c.issuer_id == issuer.id)

    def of_index(self, index: Index) -> list[Publisher]:
        """The publishers of an index, oldest first."""
        return self._select(_publishers.c.index_id == index.id)

    def add(self, publisher: Publisher) -> None:
        """Store a new publisher; NotFound if its issuer, index or user is gone."""
        projects = publisher.projects
        self._connection.execute(
            insert(_publishers).values(
                id=publisher.id,
                claims=dict(publisher.claims),
                projects=None if projects is None else sorted(projects),
                actions=sorted(publisher.actions),
                note=publisher.note,
                created=publisher.created,
                **self._references(publisher),
            )
        )

    def delete(self, index: Index, publisher_id: str) -> bool:
        """Delete one; False if the index has none of that id."""
        statement = delete(_publishers).where(
            _publishers.c.id == publisher_id, _publishers.c.index_id == index.id
        )
        return self._connection.execute(statement).rowcount > 0

    def use(self, issuer: Issuer, token_id: str, expires: datetime) -> bool:
        """Note that an identity token is used; False if it was used before."""
        statement = insert_into(self._connection, _used).values(
            issuer_id=issuer.id, token_id=token_id, expires=expires
        )
        statement = statement.on_conflict_do_nothing()
        return self._connection.scalar(statement.returning(_used.c.token_id)) is not None

    def forget_used(self, before: datetime) -> int:
        """Delete what expired before a time; how many there were."""
        return self._connection.execute(delete(_used).where(_used.c.expires < before)).rowcount

    def _references(self, publisher: Publisher) -> dict[str, int]:
        """The ids of what a publisher names; NotFound naming what is gone."""
        user, index = publisher.user, publisher.index
        index_id = (
            select(_indexes.c.id)
            .join(_owners, _owners.c.id == _indexes.c.user_id)
            .where(_owners.c.name == index.user, _indexes.c.name == index.index)
        )
        wanted = {
            "issuer_id": (
                f"issuer: there is no issuer {publisher.issuer}",
                select(_issuers.c.id).where(_issuers.c.url == publisher.issuer),
            ),
            "index_id": (f"index: there is no index {index}", index_id),
            "user_id": (
                f"user: {user} does not exist",
                select(_actors.c.id).where(_actors.c.name == user),
            ),
        }
        found = {}
        for column, (message, query) in wanted.items():
            value = self._connection.scalar(query)
            if value is None:
                raise NotFound(message)
            found[column] = value
        return found

    def _select(self, condition: ColumnElement[bool]) -> list[Publisher]:
        query = (
            select(
                _publishers,
                _issuers.c.url.label("issuer"),
                _actors.c.name.label("actor"),
                _owners.c.name.label("owner"),
                _indexes.c.name.label("index_name"),
            )
            .join(_issuers, _issuers.c.id == _publishers.c.issuer_id)
            .join(_actors, _actors.c.id == _publishers.c.user_id)
            .join(_indexes, _indexes.c.id == _publishers.c.index_id)
            .join(_owners, _owners.c.id == _indexes.c.user_id)
            .where(condition)
            .order_by(_publishers.c.created, _publishers.c.id)
        )
        return [_publisher(row) for row in self._connection.execute(query)]


def _issuer(row: Row[Any]) -> Issuer:
    return Issuer(row.id, row.url, row.created)


def _publisher(row: Row[Any]) -> Publisher:
    projects = None
    if row.projects is not None:
        projects = frozenset(ProjectName(name) for name in row.projects)
    return Publisher(
        id=row.id,
        issuer=row.issuer,
        index=IndexName(UserName(row.owner), row.index_name),
        user=UserName(row.actor),
        claims=row.claims,
        actions=frozenset(map(Action, row.actions)),
        projects=projects,
        note=row.note,
        created=row.created,
    )
