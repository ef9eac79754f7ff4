"""Engines by URL, and how a transaction begins on each database."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from .errors import UnusableDatabase, translate


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait for the database, in seconds, and how many connections to hold.

    `busy` is for another writer, `statement` for one statement (Postgres), `pool` for a free
    connection of this process.
    """

    busy: float = 10.0
    statement: float = 30.0
    pool: float = 5.0
    connections: int = 10


class Mode(enum.Enum):
    """What a transaction is for."""

    READ = enum.auto()
    """A snapshot. The database itself refuses to write."""
    WRITE = enum.auto()
    """One writer at a time, from its first statement to its commit, on both databases.

    What a writer reads is therefore still true when it commits: no update is lost and no rule
    that spans rows is broken between two writers, whatever the services look at. The row of
    `state` is the lock on Postgres; the serial in it is raised as the last step.
    """
    MIGRATE = enum.auto()
    """Alone. No foreign keys on SQLite, where tables are changed by building them anew."""


# Any number, as long as it stays the same from release to release.
_MIGRATION_LOCK = 5_717_112_000

_OPTIONS: Mapping[str, Mapping[Mode, Mapping[str, Any]]] = {
    "sqlite": {
        Mode.READ: {"reading": True, "begin_by": ("PRAGMA query_only = ON", "BEGIN")},
        Mode.WRITE: {"begin_by": ("PRAGMA query_only = OFF", "BEGIN IMMEDIATE")},
        Mode.MIGRATE: {"begin_by": ("PRAGMA foreign_keys = OFF", "BEGIN EXCLUSIVE")},
    },
    "postgresql": {
        Mode.READ: {
            "reading": True,
            "isolation_level": "REPEATABLE READ",
            "postgresql_readonly": True,
            "begin_by": (),
        },
        Mode.WRITE: {"begin_by": ("SELECT serial FROM state FOR UPDATE",)},
        Mode.MIGRATE: {
            "begin_by": (
                "SET LOCAL statement_timeout = 0",
                "SET LOCAL lock_timeout = 0",
                f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})",
            )
        },
    },
}


def parse_url(url: str) -> URL:
    """Read `sqlite:///path` or `postgresql://…`; UnusableDatabase for anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is not None and parsed.drivername == "sqlite" and parsed.database:
        return parsed
    if parsed is not None and parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    # The URL may hold a password and is not repeated.
    raise UnusableDatabase(
        "database: use sqlite:///path/to/file or postgresql://user:password@host/name"
    )


def open_engine(url: str, limits: Limits) -> Engine:
    """The engine of a database, to be used `in_mode`.

    Raises UnusableDatabase for a URL other than `sqlite:///path` and `postgresql://…`, and
    where the driver is not installed.
    """
    parsed = parse_url(url)
    try:
        engine = create_engine(
            parsed,
            connect_args=connect_arguments(parsed, limits),
            poolclass=QueuePool,
            pool_size=limits.connections,
            max_overflow=0,
            pool_timeout=limits.pool,
            pool_pre_ping=parsed.get_backend_name() == "postgresql",
        )
    except ModuleNotFoundError as error:
        raise UnusableDatabase(
            f"database: the driver {error.name} is missing; pip install 'stillroom[postgres]'"
        ) from None
    event.listen(engine, "handle_error", translate)
    event.listen(engine, "begin", _begin)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def in_mode(engine: Engine, mode: Mode) -> Engine:
    """The same engine and pool, for transactions of one kind."""
    return engine.execution_options(**_OPTIONS[engine.dialect.name][mode])


def connect_arguments(url: URL, limits: Limits) -> dict[str, Any]:
    """What the driver's `connect` gets beside the URL; what the URL says itself wins."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": limits.busy, "isolation_level": None, "check_same_thread": False}
    settings = {
        "statement_timeout": int(limits.statement * 1000),
        "lock_timeout": int(limits.busy * 1000),
        # A writer that stopped to think must not hold the others up for ever.
        "idle_in_transaction_session_timeout": int(limits.statement * 1000),
    }
    arguments = {
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "connect_timeout": max(2, int(limits.pool)),
        "application_name": "stillroom",
    }
    return {name: value for name, value in arguments.items() if name not in url.query}


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    # FULL: with NORMAL, a power failure could take back a commit that was acknowledged.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # Left to itself, the driver begins on SQLite with the first write only, and never IMMEDIATE.
    for statement in connection.get_execution_options()["begin_by"]:
        connection.exec_driver_sql(statement)
