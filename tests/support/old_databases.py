"""Databases as an older Stillroom left them, for the tests of migrations."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, DateTime, LargeBinary, bindparam, text

import stillroom_migrations
from stillroom_server.storage import migrate
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.engine import Limits, Mode, in_mode, open_engine

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table, as the driver takes them."""

_TYPES = {bytes: LargeBinary(), datetime: DateTime(timezone=True)}


@contextmanager
def old_database(request: pytest.FixtureRequest, revision: str, rows: Rows) -> Iterator[str]:
    """The URL of a database at a revision; on SQLite or Postgres, as `request.param` says."""
    if request.param == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        url = f"sqlite:///{folder / 'stillroom.sqlite'}"
        _fill(url, revision, rows)
        yield url
        return
    with request.getfixturevalue("postgres_server").database(migrated=False) as url:
        _fill(url, revision, rows)
        yield url


@contextmanager
def upgraded(url: str, before: str) -> Iterator[SqlDatabase]:
    """The same database, brought from a revision to that of today."""
    assert migrate.current(url) == before
    assert migrate.upgrade(url) is True
    migrate.check(url)
    opened = SqlDatabase(url)
    yield opened
    opened.close()


def _fill(url: str, revision: str, rows: Rows) -> None:
    known = stillroom_migrations.REVISIONS
    with pytest.MonkeyPatch.context() as patched:
        until = known[: known.index(revision) + 1]
        patched.setattr(stillroom_migrations, "REVISIONS", until)
        migrate.upgrade(url)
    engine = open_engine(url, Limits())
    with in_mode(engine, Mode.MIGRATE).begin() as connection:
        for table, of_table in rows.items():
            for row in of_table:
                _insert(connection, table, row)
    engine.dispose()


def _insert(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    typed = [bindparam(k, type_=_TYPES[type(v)]) for k, v in row.items() if type(v) in _TYPES]
    places = ", ".join(f":{name}" for name in row)
    statement = text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})")
    connection.execute(statement.bindparams(*typed), dict(row))
