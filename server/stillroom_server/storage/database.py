"""Units of work on SQLite and Postgres."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import TimeoutError as PoolTimeout

from stillroom_server.services.ports import Clock, Unit

from . import schema
from .blobs import SqlBlobs
from .engine import Limits, Mode, in_mode, open_engine
from .errors import pool_exhausted, writer_busy
from .fetches import SqlFetches
from .files import SqlFiles
from .groups import SqlGroups
from .guesses import SqlPasswordGuesses
from .indexes import SqlIndexes
from .journal import SqlJournal
from .mirror_names import SqlMirrorNames
from .mirror_pages import SqlMirrorPages
from .owners import SqlProjectOwners
from .projects import SqlProjects
from .publishers import SqlPublishers
from .serial import SerialReader
from .tokens import SqlTokens
from .users import SqlUsers

Kind = Literal["reading", "writing"]


class _OpenUnit(threading.local):
    kind: Kind | None = None


_open_unit = _OpenUnit()


def unit_is_open() -> bool:
    """Whether this thread is inside a unit: then no network, archive or hashing work may start."""
    return _open_unit.kind is not None


@contextmanager
def one_unit(kind: Kind) -> Iterator[None]:
    """Hold this thread's one place for a unit.

    Raises RuntimeError inside another unit. It could wait for itself for ever, and would not
    see, or not be undone with, what the outer one does: services hand their unit on.
    """
    if _open_unit.kind is not None:
        raise RuntimeError(
            f"a unit for {kind} was opened inside a unit for {_open_unit.kind}; "
            "end that one first, or use it"
        )
    _open_unit.kind = kind
    try:
        yield
    finally:
        _open_unit.kind = None


class SqlUnit:
    """The port `Unit`: one transaction, as the repositories that work in it."""

    def __init__(self, connection: Connection, clock: Clock, *, writable: bool) -> None:
        self.users = SqlUsers(connection)
        self.groups = SqlGroups(connection)
        self.guesses = SqlPasswordGuesses(connection)
        self.tokens = SqlTokens(connection)
        self.indexes = SqlIndexes(connection)
        self.projects = SqlProjects(connection, clock)
        self.owners = SqlProjectOwners(connection)
        self.blobs = SqlBlobs(connection)
        self.files = SqlFiles(connection, self.blobs)
        self.mirror_pages = SqlMirrorPages(connection, self.blobs)
        self.mirror_names = SqlMirrorNames(connection, clock)
        self.publishers = SqlPublishers(connection)
        self.fetches = SqlFetches(connection)
        self.journal = SqlJournal(connection, clock, writable=writable)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqlDatabase:
    """The port `Database`. Open it after the process was forked, not before.

    Raises UnusableDatabase for a URL that is not supported. Whether the tables are there is
    asked by `migrate.check`.
    """

    def __init__(self, url: str, *, limits: Limits | None = None, clock: Clock = _utc_now) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._engine = open_engine(url, self._limits)
        self._reader = in_mode(self._engine, Mode.READ)
        self._writer = in_mode(self._engine, Mode.WRITE)
        self._serial = SerialReader(self._engine, self._limits)
        self._writer_turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """A consistent snapshot; writing through it is a RuntimeError."""
        with one_unit("reading"), self._transaction(self._reader) as connection:
            yield SqlUnit(connection, self._clock, writable=False)

    @contextmanager
    def writing(self) -> Iterator[Unit]:
        """The only writer; commits at the end of the block, rolls back if it raises."""
        with (
            one_unit("writing"),
            self._turn_to_write(),
            self._transaction(self._writer) as connection,
        ):
            unit = SqlUnit(connection, self._clock, writable=True)
            yield unit
            unit.journal.take_serial()

    def serial(self) -> int:
        """The serial of the last commit that took one. Costs one cheap read."""
        return self._serial.read()

    def instance(self) -> str:
        """The id of this database, which its copies have as well."""
        with self._transaction(self._reader) as connection:
            return str(connection.scalar(select(schema.state.c.instance)))

    def close(self) -> None:
        """Close all connections."""
        self._serial.close()
        self._engine.dispose()

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        # Writers of this process wait here, each for its turn and without a connection: so they
        # do not starve each other at the file's lock, nor take the connections of the readers.
        if not self._writer_turn.acquire(timeout=self._limits.busy):
            raise writer_busy()
        try:
            yield
        finally:
            self._writer_turn.release()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            connection = engine.connect()
        except PoolTimeout as error:
            raise pool_exhausted() from error
        with connection, connection.begin():
            yield connection
