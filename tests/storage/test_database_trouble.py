"""A database that is busy, full, away, damaged or demoted: each is trouble of its own name."""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from stillroom_server.domain.errors import StorageBusy, StorageFull
from stillroom_server.services.ports import Unit
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.engine import Limits
from stillroom_server.storage.errors import UnusableDatabase
from support.databases import PostgresServer, SqliteTemplate
from support.rows import a_user

IMPATIENT = Limits(busy=0.2, statement=0.5, pool=0.2, connections=2)


@pytest.fixture
def impatient(database_url: str) -> Iterator[SqlDatabase]:
    opened = SqlDatabase(database_url, limits=IMPATIENT)
    yield opened
    opened.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_url(sqlite_template: SqliteTemplate, tmp_path: Path) -> str:
    return sqlite_template.copy_to(tmp_path / "stillroom.sqlite")


@pytest.fixture
def open_database() -> Iterator[Callable[..., SqlDatabase]]:
    opened: list[SqlDatabase] = []

    def open_it(url: str, limits: Limits = IMPATIENT) -> SqlDatabase:
        opened.append(SqlDatabase(url, limits=limits))
        return opened[-1]

    yield open_it
    for database in opened:
        database.close()


@contextmanager
def _held_by_another_thread(unit: AbstractContextManager[Unit]) -> Iterator[None]:
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with unit as opened:
            opened.users.all()
            inside.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _add_user(database: SqlDatabase, name: str = "dev") -> None:
    with database.writing() as unit:
        unit.users.add(a_user(name))


def _user_names(database: SqlDatabase) -> list[str]:
    with database.reading() as unit:
        return [user.name for user in unit.users.all()]


def _connection(unit: Unit) -> Connection:
    return unit.users._connection


def test_a_writer_waits_for_another_only_so_long(impatient: SqlDatabase) -> None:
    with _held_by_another_thread(impatient.writing()):
        with pytest.raises(StorageBusy, match="another change"):
            _add_user(impatient)
        assert _user_names(impatient) == []
    _add_user(impatient)


def test_a_writer_waits_for_another_process_only_so_long(
    impatient: SqlDatabase, database_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    with _held_by_another_thread(open_database(database_url, Limits()).writing()):
        with pytest.raises(StorageBusy, match="busy"):
            _add_user(impatient)
        assert _user_names(impatient) == []
        assert impatient.serial() == 0
    _add_user(impatient)


def test_readers_are_told_quickly_when_all_connections_are_in_use(impatient: SqlDatabase) -> None:
    with (
        _held_by_another_thread(impatient.reading()),
        _held_by_another_thread(impatient.reading()),
        pytest.raises(StorageBusy, match="connections"),
    ):
        _user_names(impatient)
    assert _user_names(impatient) == []


def test_waiting_writers_take_no_connection_from_readers(
    database_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(database_url, Limits(connections=2))
    writers = [threading.Thread(target=_add_user, args=(database, name)) for name in "abcd"]
    with _held_by_another_thread(database.writing()):
        for writer in writers:
            writer.start()
        assert _user_names(database) == []
    for writer in writers:
        writer.join()
    assert _user_names(database) == ["a", "b", "c", "d"]


def test_a_folder_that_is_not_there_is_trouble(
    tmp_path: Path, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'none' / 'stillroom.sqlite'}")
    for use in (lambda: _user_names(database), lambda: _add_user(database), database.serial):
        with pytest.raises(StorageBusy, match="cannot be opened"):
            use()


def test_a_damaged_file_is_trouble(
    tmp_path: Path, open_database: Callable[..., SqlDatabase]
) -> None:
    file = tmp_path / "stillroom.sqlite"
    file.write_bytes(b"this is no database, and never was one" * 100)
    database = open_database(f"sqlite:///{file}")
    for use in (lambda: _user_names(database), lambda: _add_user(database), database.serial):
        with pytest.raises(StorageBusy, match="damaged"):
            use()


def test_a_full_disk_is_told_as_such_on_sqlite(
    sqlite_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(sqlite_url)

    def bound(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")

    event.listen(database._engine, "connect", bound)
    with pytest.raises(StorageFull), database.writing() as unit:
        unit.users.add(a_user(description="x" * 1_000_000))
    assert _user_names(database) == []


def test_a_full_disk_is_told_as_such_on_postgres(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    fail = text("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")
    with pytest.raises(StorageFull), open_database(postgres_url).writing() as unit:
        _connection(unit).execute(fail)


def test_a_statement_that_takes_too_long_is_ended(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    with pytest.raises(StorageBusy), open_database(postgres_url).reading() as unit:
        _connection(unit).execute(text("SELECT pg_sleep(30)"))


def test_a_writer_that_stops_to_think_does_not_hold_the_others_up(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    thinker, other = open_database(postgres_url), open_database(postgres_url, Limits(busy=10))

    def think() -> None:
        with thinker.writing() as unit:
            unit.users.add(a_user("thinker"))
            _add_user_elsewhere.start()
            _add_user_elsewhere.join()
            unit.users.all()

    _add_user_elsewhere = threading.Thread(target=_add_user, args=(other, "other"))
    with pytest.raises(StorageBusy):
        think()
    assert _user_names(other) == ["other"]


def _end_connections_to(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_restart_of_postgres_between_units_is_not_noticed(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(postgres_url)
    _add_user(database)
    assert database.serial() == 0
    _end_connections_to(postgres_url)
    assert database.serial() == 0
    assert _user_names(database) == ["dev"]
    _end_connections_to(postgres_url)
    _add_user(database, "other")


@pytest.mark.parametrize("mode", ["reading", "writing"])
def test_a_restart_of_postgres_within_a_unit_is_trouble_once(
    postgres_url: str, open_database: Callable[..., SqlDatabase], mode: str
) -> None:
    database = open_database(postgres_url)

    def be_interrupted() -> None:
        with getattr(database, mode)() as unit:
            unit.users.all()
            _end_connections_to(postgres_url)
            unit.users.all()

    with pytest.raises(StorageBusy):
        be_interrupted()
    _add_user(database)
    assert _user_names(database) == ["dev"]


def test_a_connection_lost_at_the_commit_is_trouble(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(postgres_url)

    def lose_it() -> None:
        with database.writing() as unit:
            unit.users.add(a_user())
            _end_connections_to(postgres_url)

    with pytest.raises(StorageBusy):
        lose_it()
    assert _user_names(database) == []


def test_a_server_that_is_away_is_trouble(
    tmp_path: Path, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(f"postgresql://postgres@/stillroom?host={tmp_path}")
    for use in (lambda: _user_names(database), lambda: _add_user(database), database.serial):
        with pytest.raises(StorageBusy, match="cannot be reached"):
            use()


def test_a_primary_that_was_demoted_is_trouble_until_it_is_one_again(
    postgres_server: PostgresServer, postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(postgres_url)
    name = postgres_url.split("@/")[1].split("?", maxsplit=1)[0]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StorageBusy, match="read-only"):
        _add_user(database)
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    _add_user(database)
    assert _user_names(database) == ["dev"]


def test_to_begin_for_writing_on_a_standby_is_trouble(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    fail = text("DO $$ BEGIN RAISE EXCEPTION 'in recovery' USING ERRCODE = '0A000'; END $$")
    with pytest.raises(StorageBusy, match="read-only"), open_database(postgres_url).writing() as u:
        _connection(u).execute(fail)


def test_a_file_that_became_read_only_is_trouble_of_the_database(
    sqlite_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(sqlite_url)

    with database.writing() as unit:
        _connection(unit).exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(StorageBusy, match="read-only"):
            unit.users.add(a_user())


def _connections_to(url: str, server: PostgresServer) -> int:
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", (name,)
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_threads_that_ask_one_after_the_other_share_a_connection(
    postgres_server: PostgresServer,
    postgres_url: str,
    open_database: Callable[..., SqlDatabase],
) -> None:
    database = open_database(postgres_url)
    for _ in range(5):
        thread = threading.Thread(target=database.serial)
        thread.start()
        thread.join()
    assert _connections_to(postgres_url, postgres_server) == 1


def test_many_threads_that_ask_at_once_hold_a_bounded_number_of_connections(
    postgres_server: PostgresServer,
    postgres_url: str,
    open_database: Callable[..., SqlDatabase],
) -> None:
    database = open_database(postgres_url, limits=Limits(pool=5.0, connections=3))
    together = threading.Barrier(20)

    def ask() -> None:
        together.wait()
        for _ in range(20):
            assert database.serial() == 0

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= _connections_to(postgres_url, postgres_server) <= 3


def test_closing_closes_all_connections(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = SqlDatabase(postgres_url)
    database.serial()
    _user_names(database)
    assert _connections_to(postgres_url, postgres_server) == 2
    database.close()
    # The server notes the end of a connection in its own time.
    deadline = time.monotonic() + 10
    while _connections_to(postgres_url, postgres_server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _connections_to(postgres_url, postgres_server) == 0


def test_sqlite_commits_are_durable_and_references_hold(
    sqlite_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    with open_database(sqlite_url).writing() as unit:

        def pragma(name: str) -> object:
            return _connection(unit).exec_driver_sql(f"PRAGMA {name}").scalar()

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "mysql://u:secret@h/d", "nonsense", "", "postgresql+pg8000://"],
)
def test_other_databases_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(UnusableDatabase, match=r"use sqlite:///.* or postgresql://") as caught:
        SqlDatabase(url)
    assert "secret" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UnusableDatabase, match=r"stillroom\[postgres\]"):
        SqlDatabase("postgresql://localhost/stillroom")


def test_what_the_url_says_wins_over_our_limits(
    postgres_url: str, open_database: Callable[..., SqlDatabase]
) -> None:
    database = open_database(f"{postgres_url}&application_name=mine&options=-c%20lock_timeout%3D7")
    with database.reading() as unit:
        show = _connection(unit).exec_driver_sql
        assert show("SHOW application_name").scalar() == "mine"
        assert show("SHOW lock_timeout").scalar() == "7ms"
