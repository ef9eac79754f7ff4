"""Upstreams' lists of all their projects, in SQL: a row per name."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from stillroom_server.domain.errors import Conflict
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import NameList, Validators
from stillroom_server.services.ports import Clock

from . import schema
from .statements import begins_with, insert_into, rows_of

_lists = schema.mirror_name_lists
_names = schema.mirror_names


class SqlMirrorNames:
    """The port `MirrorNames`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def current(self, index: Index) -> NameList | None:
        """The list that holds; None if none was ever read to its end."""
        query = select(_lists).where(_lists.c.index_id == index.id, _lists.c.holds)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return NameList(row.id, row.fetched, row.size, Validators(row.etag, row.last_modified))

    def begin(self, index: Index, now: datetime) -> int:
        """Start a new list; its id."""
        row = {"index_id": index.id, "holds": False, "changed": now, "fetched": now, "size": 0}
        statement = insert(_lists).values(**row).returning(_lists.c.id)
        return int(self._connection.execute(statement).scalar_one())

    def add(self, list_id: int, names: Sequence[ProjectName]) -> None:
        """Add names to a list; those that it has already change nothing.

        Conflict if the list was dropped.
        """
        rows = rows_of(self._connection, names)
        # Without a WHERE, SQLite takes the ON of ON CONFLICT for that of a join.
        added = select(literal(list_id), rows.c.value).where(rows.c.value != "")
        statement = insert_into(self._connection, _names).from_select(["list_id", "name"], added)
        self._connection.execute(statement.on_conflict_do_nothing())

    def count(self, list_id: int) -> int:
        """How many names a list has."""
        query = select(func.count()).select_from(_names).where(_names.c.list_id == list_id)
        return self._connection.execute(query).scalar_one()

    def complete(self, index: Index, names: NameList) -> None:
        """From now on, this list holds; Conflict if it was dropped meanwhile."""
        self.expire(index)
        statement = update(_lists).where(_lists.c.id == names.id)
        values = {
            "holds": True,
            "fetched": names.fetched,
            "size": names.count,
            "etag": names.validators.etag,
            "last_modified": names.validators.last_modified,
        }
        if self._connection.execute(statement.values(**values)).rowcount == 0:
            raise Conflict(f"the list of {index.name} was dropped before it was complete")

    def touch(self, names: NameList, checked: datetime) -> None:
        """Note that the upstream confirmed the list."""
        statement = update(_lists).where(_lists.c.id == names.id)
        self._connection.execute(statement.values(fetched=checked))

    def expire(self, index: Index) -> None:
        """From now on no list holds, until another one is complete."""
        statement = update(_lists).where(_lists.c.index_id == index.id, _lists.c.holds)
        self._connection.execute(statement.values(holds=False, changed=self._clock()))

    def after(self, list_id: int, name: str, limit: int) -> list[ProjectName]:
        """The names that follow a name in order; from the first one with an empty name."""
        query = select(_names.c.name).where(_names.c.list_id == list_id, _names.c.name > name)
        rows = self._connection.scalars(query.order_by(_names.c.name).limit(limit))
        return [ProjectName(row) for row in rows]

    def with_prefix(self, list_id: int, prefix: str, limit: int) -> list[ProjectName]:
        """The names that begin so, sorted."""
        query = select(_names.c.name).where(
            _names.c.list_id == list_id, begins_with(_names.c.name, prefix)
        )
        rows = self._connection.scalars(query.order_by(_names.c.name).limit(limit))
        return [ProjectName(row) for row in rows]

    def discard(self, list_id: int, limit: int) -> int:
        """Delete up to so many names of a list that does not hold; how many.

        A list goes with its last name.
        """
        return self._delete(_lists.c.id == list_id, limit)

    def drop(self, before: datetime, limit: int) -> int:
        """Delete up to so many names of lists that have not held since a time; how many.

        That is since they were begun, for those that never held. A list goes with its last name.
        """
        return self._delete(_lists.c.changed < before, limit)

    def _delete(self, which: ColumnElement[bool], limit: int) -> int:
        ids = list(self._connection.scalars(select(_lists.c.id).where(which, ~_lists.c.holds)))
        of_these = _names.c.list_id.in_(ids)
        some = select(_names.c.list_id, _names.c.name).where(of_these).limit(limit)
        key = tuple_(_names.c.list_id, _names.c.name)
        deleted = self._connection.execute(delete(_names).where(key.in_(some))).rowcount
        is_empty = ~select(_names.c.list_id).where(_names.c.list_id == _lists.c.id).exists()
        self._connection.execute(delete(_lists).where(_lists.c.id.in_(ids), is_empty))
        return deleted
