"""Fetches of files in SQL."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    delete,
    func,
    or_,
    select,
    tuple_,
    union,
)

from stillroom_server.domain.names import ProjectName
from stillroom_server.services.ports import Fetch, FetchKey, FetchQuery

from . import schema
from .statements import insert_into

_fetches = schema.fetches
_key = list(_fetches.primary_key)


class SqlFetches:
    """The port `Fetches`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, fetches: Sequence[Fetch]) -> None:
        """Add counts to the rows of the same key, in as few statements as it takes."""
        if not fetches:
            return
        statement = insert_into(self._connection, _fetches)
        total = _fetches.c.count + statement.excluded.count
        statement = statement.on_conflict_do_update(index_elements=_key, set_={"count": total})
        self._connection.execute(statement, [_values(fetch) for fetch in fetches])

    def find(self, query: FetchQuery, limit: int) -> list[Fetch]:
        """What was fetched, newest first. An index is matched by `asked` and by `held`."""
        index, conditions = query.index, list(_conditions(query))
        if index is None:
            statement = _newest(conditions, limit)
        elif query.project is not None:
            either = or_(_fetches.c.asked == index, _fetches.c.held == index)
            statement = _newest([*conditions, either], limit)
        else:
            # Two questions, each of which is answered by the end of an index of the table.
            found = union(
                *(
                    select(_newest([*conditions, column == index], limit).subquery())
                    for column in (_fetches.c.asked, _fetches.c.held)
                )
            ).subquery()
            statement = select(found).order_by(*_order(found.c)).limit(limit)
        return [_fetch(row) for row in self._connection.execute(statement)]

    def count_before(self, minute: datetime) -> int:
        """How many rows are older than that."""
        query = select(func.count()).where(_fetches.c.minute < minute)
        return self._connection.scalar(query) or 0

    def delete_before(self, minute: datetime, limit: int) -> int:
        """Delete up to so many rows older than that; how many."""
        old = select(*_key).where(_fetches.c.minute < minute).limit(limit)
        return self._connection.execute(delete(_fetches).where(tuple_(*_key).in_(old))).rowcount


def _newest(conditions: Iterable[ColumnElement[bool]], limit: int) -> Select[Any]:
    columns = [*_key, _fetches.c.version, _fetches.c.count.label("times")]
    return select(*columns).where(*conditions).order_by(*_order(_fetches.c)).limit(limit)


def _order(columns: Any) -> list[ColumnElement[Any]]:
    """By the minute, the newest first; within that, always the same."""
    rest = [columns[column.name] for column in _key if column is not _fetches.c.minute]
    return [columns.minute.desc(), *rest]


def _conditions(query: FetchQuery) -> Iterator[ColumnElement[bool]]:
    """What is asked for, but for the index."""
    columns = _fetches.c
    if query.project is not None:
        yield columns.project == query.project
    if query.version is not None:
        yield columns.version == query.version
    if query.filename is not None:
        yield columns.filename == query.filename
    if query.user is not None:
        yield columns.user_name == query.user
    if query.since is not None:
        yield columns.minute >= query.since
    if query.until is not None:
        yield columns.minute < query.until


def _values(fetch: Fetch) -> dict[str, Any]:
    key = fetch.key
    return {
        "minute": key.minute,
        "asked": key.asked,
        "held": key.held,
        "project": key.project,
        "filename": key.filename,
        "version": key.version,
        "sha256": key.sha256,
        "user_name": key.user,
        "token": key.token,
        "address": key.address,
        "count": fetch.count,
    }


def _fetch(row: Row[Any]) -> Fetch:
    key = FetchKey(
        minute=row.minute,
        asked=row.asked,
        held=row.held,
        project=ProjectName(row.project),
        filename=row.filename,
        version=row.version,
        sha256=row.sha256,
        user=row.user_name,
        token=row.token,
        address=row.address,
    )
    return Fetch(key, row.times)
