"""Which schema a database has, and bringing it up to date."""

import enum
import os
from pathlib import Path

from sqlalchemy import Connection, inspect, text

import stillroom_migrations

from .engine import Limits, Mode, in_mode, open_engine, parse_url
from .errors import UnusableDatabase

# Another process may be at it, and what it does to a large database takes a while.
_LIMITS = Limits(busy=60.0, connections=1)


class SchemaMismatch(UnusableDatabase):
    """The database's tables are not those that this server works with."""


class SchemaState(enum.Enum):
    """How a database's schema stands to this code."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    UNKNOWN = "unknown"
    """Newer than the code, or another program's."""


def head() -> str:
    """The revision that this code works with."""
    return stillroom_migrations.REVISIONS[-1]


def current(url: str) -> str | None:
    """The revision of a database; None if it has none. Creates nothing."""
    path = _sqlite_path(url)
    if path is not None and not path.exists():
        return None
    engine = open_engine(url, _LIMITS)
    try:
        with in_mode(engine, Mode.READ).begin() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def check(url: str) -> None:
    """Raise SchemaMismatch, with what to do about it, unless the schema is current."""
    revision = current(url)
    if state_of(revision) is not SchemaState.CURRENT:
        raise _mismatch(revision)


def upgrade(url: str) -> bool:
    """Build or change the tables until they are current; False if they were already.

    All of it is one transaction, under a lock: of two processes that upgrade at once, one does
    it, the other waits and finds it done. Raises SchemaMismatch for a database that is newer
    than the code, or that holds another program's tables; UnusableDatabase where no file can be
    created.
    """
    _create_private(_sqlite_path(url))
    engine = open_engine(url, _LIMITS)
    try:
        with in_mode(engine, Mode.MIGRATE).begin() as connection:
            revision = _revision(connection)
            if state_of(revision) is SchemaState.CURRENT:
                return False
            if state_of(revision) is SchemaState.UNKNOWN:
                raise _mismatch(revision)
            if revision is None and inspect(connection).get_table_names():
                raise SchemaMismatch(
                    "The database holds tables of another program; give Stillroom one of its own."
                )
            _run_alembic(connection)
            _check_references(connection)
            return True
    finally:
        engine.dispose()


def state_of(revision: str | None) -> SchemaState:
    """How a database with that revision stands to this code."""
    if revision is None:
        return SchemaState.EMPTY
    if revision == head():
        return SchemaState.CURRENT
    if revision in stillroom_migrations.REVISIONS:
        return SchemaState.OLDER
    return SchemaState.UNKNOWN


def _mismatch(revision: str | None) -> SchemaMismatch:
    state = state_of(revision)
    if state is SchemaState.EMPTY:
        return SchemaMismatch(
            "The database has no tables yet; check --data and --database, or make it with "
            "`stillroom-server init`."
        )
    if state is SchemaState.OLDER:
        return SchemaMismatch(
            f"The database is at revision {revision} and this Stillroom needs {head()}; make a "
            "backup, then run `stillroom-server db upgrade`."
        )
    return SchemaMismatch(
        f"The database is at revision {revision}, which this Stillroom does not know: the code is "
        "older than the database; install the version that upgraded it."
    )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)


def _sqlite_path(url: str) -> Path | None:
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database)
    return None


def _create_private(path: Path | None) -> None:
    # The file holds the hashes of passwords. What SQLite puts beside it gets the same mode.
    if path is None or path.exists():
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise UnusableDatabase(
            f"The database file {path} cannot be created: {error.strerror}."
        ) from error


def _run_alembic(connection: Connection) -> None:
    # Imported here: a server that starts needs none of it.
    from alembic import command
    from alembic.config import Config

    scripts = Path(stillroom_migrations.__file__).parent
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    command.upgrade(config, head())


def _check_references(connection: Connection) -> None:
    # Foreign keys do not hold on SQLite while tables are changed; see `Mode.MIGRATE`.
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise SchemaMismatch(
            f"The upgrade would leave rows of {broken[0]} that refer to nothing; it was undone."
        )
