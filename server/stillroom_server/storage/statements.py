"""What the two databases say alike, and SQLAlchemy has in two places."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
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
