"""What a driver's error means, in the words of the domain."""

import sqlite3

from sqlalchemy.engine import ExceptionContext

from stillroom_server.domain.errors import Conflict, StillroomError, StorageBusy, StorageFull

_SQLITE_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_POSTGRES_DISK_FULL = "53100"
_POSTGRES_TOO_LARGE = "54"
"""How the codes begin that say: more than a row, a key or a statement can hold."""
# A write on a standby; and to begin for writing there, which Postgres calls "not supported".
_POSTGRES_READ_ONLY = {"25006", "0A000"}


class UnusableDatabase(StillroomError):
    """The database's URL, driver or schema is not one that this server can work with."""


def pool_exhausted() -> StorageBusy:
    """No connection became free in time."""
    return StorageBusy("all connections to the database are in use; try again in a moment")


def writer_busy() -> StorageBusy:
    """Another write did not end in time."""
    return StorageBusy("another change to the database takes too long; try again in a moment")


def as_domain_error(error: BaseException, *, reading: bool) -> Exception | None:
    """Translate an error of sqlite3 or psycopg; None for one that is a bug of ours.

    Writing in a unit that only reads is a bug, and is told apart from a database that became
    read-only under us.
    """
    sqlite_code = getattr(error, "sqlite_errorcode", None)
    sqlstate = getattr(error, "sqlstate", None)
    primary = sqlite_code & 0xFF if sqlite_code is not None else None
    if primary == sqlite3.SQLITE_READONLY or sqlstate in _POSTGRES_READ_ONLY:
        if reading:
            return RuntimeError("this unit only reads; open one with writing() to change things")
        return StorageBusy("the database is read-only at the moment; try again later")
    if primary == sqlite3.SQLITE_FULL or sqlstate == _POSTGRES_DISK_FULL:
        return StorageFull("the database has no room left; free some on its disk")
    if primary in _SQLITE_DAMAGED:
        return StorageBusy("the database file is damaged; restore it from a backup")
    if primary == sqlite3.SQLITE_CANTOPEN:
        return StorageBusy("the database file cannot be opened; check its folder and its rights")
    if primary == sqlite3.SQLITE_ERROR or str(sqlstate).startswith(_POSTGRES_TOO_LARGE):
        # To try again would not help.
        return None
    return _by_class(error)


def _by_class(error: BaseException) -> Exception | None:
    # The DB-API gives all drivers classes of the same names (PEP 249).
    names = {cls.__name__ for cls in type(error).__mro__}
    if "IntegrityError" in names:
        return Conflict("another change came first and contradicts this one; look at it anew")
    if names & {"OperationalError", "InterfaceError", "InternalError"}:
        return StorageBusy("the database is busy or cannot be reached; try again in a moment")
    return None


def translate(context: ExceptionContext) -> None:
    """Listen to SQLAlchemy's `handle_error`: raise the domain's error in place of its own."""
    if context.is_pre_ping:
        return
    connection = context.connection
    reading = connection is not None and bool(connection.get_execution_options().get("reading"))
    error = as_domain_error(context.original_exception, reading=reading)
    if error is None:
        return
    sqlstate = getattr(context.original_exception, "sqlstate", None)
    if sqlstate in _POSTGRES_READ_ONLY and not reading:
        # A primary that was demoted: every connection in the pool leads to it.
        context.is_disconnect = True
    raise error
