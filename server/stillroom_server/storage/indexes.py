"""Indexes in SQL. Their bases are rows, their other options one JSON value."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    false,
    func,
    insert,
    select,
    update,
)

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.domain.options import Options, OptionValue

from . import schema
from .statements import insert_new

_users = schema.users
_indexes = schema.indexes
_bases = schema.index_bases


class SqlIndexes:
    """The port `Indexes`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: IndexName) -> Index | None:
        """The index of that name."""
        found = self._select(_users.c.name == name.user, _indexes.c.name == name.index)
        return found[0] if found else None

    def with_bases(self, name: IndexName) -> list[Index]:
        """The index of that name, and all from which it inherits; nothing if there is none."""
        asked = select(_indexes.c.id).join(_users)
        asked = asked.where(_users.c.name == name.user, _indexes.c.name == name.index)
        line = asked.cte("line", recursive=True)
        line = line.union(select(_bases.c.base_id).join(line, _bases.c.index_id == line.c.id))
        query = (
            select(_indexes, _users.c.name.label("owner"), _bases.c.base_id)
            .select_from(line)
            .join(_indexes, _indexes.c.id == line.c.id)
            .join(_users, _users.c.id == _indexes.c.user_id)
            .outerjoin(_bases, _bases.c.index_id == _indexes.c.id)
            .order_by(_indexes.c.id, _bases.c.position)
        )
        rows = self._connection.execute(query).all()
        names = {row.id: str(_name(row.owner, row.name)) for row in rows}
        found = []
        for _id, group in groupby(rows, key=lambda row: row.id):
            same = list(group)
            bases = [names[row.base_id] for row in same if row.base_id is not None]
            found.append(_index(same[0], bases))
        return found

    def lists(self, name: IndexName, option: str, principal: str, *, with_bases: bool) -> bool:
        """Whether there is an index whose access list names somebody; perhaps its bases' too."""
        entries = cast(_indexes.c.options[option], Text)
        names_them = entries.contains(f'"{principal}"', autoescape=True)
        asked = select(_indexes.c.id).join(_users)
        asked = asked.where(_users.c.name == name.user, _indexes.c.name == name.index, names_them)
        if not with_bases:
            return bool(self._connection.scalar(select(asked.exists())))
        line = asked.cte("line", recursive=True)
        line = line.union(select(_bases.c.base_id).join(line, _bases.c.index_id == line.c.id))
        # A mirror without the option names nobody: what is NULL is not true either.
        closed = func.coalesce(names_them, false()).is_(false())
        refusing = select(line.c.id).join(_indexes, _indexes.c.id == line.c.id).where(closed)
        query = select(select(line.c.id).exists() & ~refusing.exists())
        return bool(self._connection.scalar(query))

    def of_user(self, user: UserName) -> list[Index]:
        """A user's indexes, by name."""
        return self._select(_users.c.name == user)

    def all(self) -> list[Index]:
        """All indexes, by name."""
        return self._select()

    def add(
        self,
        name: IndexName,
        index_type: str,
        options: Options,
        created: datetime,
        *,
        has_upstream: bool,
    ) -> Index:
        """Create an index; Conflict if it exists, NotFound if the user or a base does not."""
        owner = self._connection.scalar(select(_users.c.id).where(_users.c.name == name.user))
        if owner is None:
            raise NotFound(f"user: {name.user} does not exist")
        row = {
            "user_id": owner,
            "name": name.index,
            "type": index_type,
            "has_upstream": has_upstream,
            "options": _stored(options),
            "created": created,
        }
        new_id = insert_new(self._connection, _indexes, row)
        if new_id is None:
            raise Conflict(f"index: {name} exists already")
        index = Index(new_id, name, index_type, dict(options), created, has_upstream)
        self._link_bases(index)
        return index

    def change(self, index: Index, options: Options) -> Index:
        """Store new options; NotFound if the index or a base was deleted."""
        changed = Index(
            index.id, index.name, index.type, dict(options), index.created, index.has_upstream
        )
        statement = update(_indexes).where(_indexes.c.id == index.id)
        if self._connection.execute(statement.values(options=_stored(options))).rowcount == 0:
            raise NotFound(f"index: {index.name} does not exist")
        self._connection.execute(delete(_bases).where(_bases.c.index_id == index.id))
        self._link_bases(changed)
        return changed

    def naming(self, principal: str) -> list[Index]:
        """The indexes that have a user or `:group` in any option, by name; perhaps some more."""
        # By the text of the JSON, which both databases can search.
        text = cast(_indexes.c.options, Text)
        return self._select(text.contains(f'"{principal}"', autoescape=True))

    def change_lists(self, changes: Sequence[tuple[Index, Options]]) -> None:
        """Store new options of many indexes at once, whose bases stay as they are."""
        statement = update(_indexes).where(_indexes.c.id == bindparam("index_id"))
        statement = statement.values(options=bindparam("stored", type_=_indexes.c.options.type))
        rows = [{"index_id": index.id, "stored": _stored(options)} for index, options in changes]
        if rows:
            self._connection.execute(statement, rows)

    def delete(self, index: Index) -> None:
        """Delete an index and all that it holds; Conflict while something inherits from it."""
        self._connection.execute(delete(_indexes).where(_indexes.c.id == index.id))

    def heirs(self, name: IndexName) -> list[IndexName]:
        """The indexes that have this one among their direct bases, by name."""
        base = self._id_of(name)
        query = _named(select(_users.c.name.label("owner"), _indexes.c.name)).join(
            _bases, _bases.c.index_id == _indexes.c.id
        )
        rows = self._connection.execute(query.where(_bases.c.base_id == base))
        return [_name(row.owner, row.name) for row in rows]

    def _id_of(self, name: IndexName) -> int | None:
        query = select(_indexes.c.id).join(_users)
        return self._connection.scalar(
            query.where(_users.c.name == name.user, _indexes.c.name == name.index)
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[Index]:
        query = _named(select(_indexes, _users.c.name.label("owner"))).where(*conditions)
        rows = self._connection.execute(query).all()
        bases = self._bases_of([row.id for row in rows if "bases" in row.options])
        return [_index(row, bases.get(row.id, ())) for row in rows]

    def _bases_of(self, ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
        if not ids:
            return {}
        query = (
            select(_bases.c.index_id, _users.c.name.label("owner"), _indexes.c.name)
            .join(_indexes, _indexes.c.id == _bases.c.base_id)
            .join(_users, _users.c.id == _indexes.c.user_id)
            .where(_bases.c.index_id.in_(ids))
            .order_by(_bases.c.index_id, _bases.c.position)
        )
        found: dict[int, list[str]] = defaultdict(list)
        for row in self._connection.execute(query):
            found[row.index_id].append(str(_name(row.owner, row.name)))
        return found

    def _link_bases(self, index: Index) -> None:
        rows = []
        for position, base in enumerate(index.bases):
            base_id = self._id_of(base)
            if base_id is None:
                raise NotFound(f"bases: {base} does not exist")
            rows.append({"index_id": index.id, "position": position, "base_id": base_id})
        if rows:
            self._connection.execute(insert(_bases), rows)


def _named(query: Select[Any]) -> Select[Any]:
    return query.select_from(_indexes).join(_users).order_by(_users.c.name, _indexes.c.name)


def _name(owner: str, name: str) -> IndexName:
    return IndexName(UserName(owner), name)


def _stored(options: Options) -> dict[str, Any]:
    # Only the fact that there is such an option is kept here; the bases themselves are rows.
    return {key: [] if key == "bases" else value for key, value in options.items()}


def _index(row: Row[Any], bases: Sequence[str]) -> Index:
    options: dict[str, OptionValue] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in row.options.items()
    }
    if "bases" in options:
        options["bases"] = tuple(bases)
    return Index(
        row.id, _name(row.owner, row.name), row.type, options, row.created, row.has_upstream
    )
