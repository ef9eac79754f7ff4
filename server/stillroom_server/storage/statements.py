"""What the two databases say alike, and SQLAlchemy has in two places."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    Text,
    column,
    func,
    literal,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT that can be given an ON CONFLICT clause."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> Any:
    """Insert a row; its primary key, or None where a unique constraint is in the way.

    An IntegrityError in its place would end the transaction on Postgres.
    """
    [key] = table.primary_key
    statement = insert_into(connection, table).values(**row)
    return connection.scalar(statement.on_conflict_do_nothing().returning(key))


def put_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or replace all but the primary key of the one that has its key."""
    keys = [column.name for column in table.primary_key]
    statement = insert_into(connection, table).values(**row)
    rest = {name: statement.excluded[name] for name in row if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))


def rows_of(connection: Connection, texts: Sequence[str]) -> FromClause:
    """Texts as a table with one column, `value`: sent as one parameter, however many they are."""
    value = column("value", Text)
    if connection.dialect.name == "postgresql":
        array = literal(list(texts), postgresql.ARRAY(Text))
        return func.unnest(array).table_valued(value, name="texts").render_derived()
    document = literal(orjson.dumps(texts).decode())
    return func.json_each(document).table_valued(value, name="texts")


def begins_with(name: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Whether a column of type NAME begins so, asked as a range: an index finds that, not LIKE."""
    if not prefix:
        return true()
    return (name >= prefix) & (name < prefix + "\U0010ffff")
