"""The audit and the fetches are found without going through them, among 100,000 rows each."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import AuditQuery, FetchQuery, Unit
from stillroom_server.storage.database import SqlDatabase
from support.databases import SqliteTemplate

ROWS = 100_000
START = datetime(2026, 3, 1, tzinfo=UTC)
LAST_HOUR = START + timedelta(seconds=ROWS - 3_600)
ONE_HOUR = {"since": START + timedelta(hours=2), "until": START + timedelta(hours=3)}
INDEX, PROJECT = IndexName.parse("dev/index3"), ProjectName("project3")
FILE = {"project": PROJECT, "filename": "project3-3.zip"}


@pytest.fixture(scope="module")
def filled(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlDatabase]:
    """A journal of a hundred indexes, an entry a second; and a fetch a second."""
    file = tmp_path_factory.mktemp("filled") / "stillroom.sqlite"
    url = sqlite_template.copy_to(file)
    _fill(file)
    database = SqlDatabase(url)
    yield database
    database.close()


def _fill(file: Path) -> None:
    numbers = range(ROWS)
    times = [f"{START + timedelta(seconds=n):%Y-%m-%d %H:%M:%S.000000}" for n in numbers]
    connection = sqlite3.connect(file)
    connection.executemany(
        "INSERT INTO journal (serial, position, at, kind, actor, index_name, project, details)"
        " VALUES (?, 0, ?, 'file-added', ?, ?, ?, '{}')",
        (
            (n, times[n], f"user{n % 50}", f"dev/index{n % 100}", f"project{n % 7}")
            for n in numbers
        ),
    )
    connection.executemany(
        "INSERT INTO fetches (minute, project, filename, asked, held, user_name, token, address,"
        " version, sha256, count) VALUES (?, ?, ?, ?, 'dev/base', ?, '', '', '1', '', 1)",
        (
            (
                times[n],
                f"project{n % 70}",
                f"project{n % 70}-{n % 9}.zip",
                f"dev/{n % 9}",
                f"u{n % 50}",
            )
            for n in numbers
        ),
    )
    connection.commit()
    connection.close()


def _audit(**wanted: object) -> Callable[[Unit], object]:
    return lambda unit: unit.journal.audit(AuditQuery(**wanted), 100)


def _fetches(**wanted: object) -> Callable[[Unit], object]:
    return lambda unit: unit.fetches.find(FetchQuery(**wanted), 100)


QUESTIONS: dict[str, tuple[Callable[[Unit], object], str]] = {
    "the newest": (_audit(), "sqlite_autoindex_journal_1"),
    "what came before": (_audit(before=(50_000, 0)), "sqlite_autoindex_journal_1"),
    "an index": (_audit(index=INDEX), "ix_journal_index_name_serial"),
    "a project": (
        _audit(index=INDEX, project=PROJECT),
        "ix_journal_index_name_project_serial",
    ),
    "the last hour": (_audit(since=LAST_HOUR), "ix_journal_at"),
    "all the time there is": (_audit(since=START), "sqlite_autoindex_journal_1"),
    "an index in all that time": (
        _audit(since=START, index=INDEX),
        "ix_journal_index_name_serial",
    ),
    "a user in the last hour": (_audit(since=LAST_HOUR, user=UserName("none")), "ix_journal_at"),
    "an hour": (_audit(**ONE_HOUR), "ix_journal_at"),
    "fetches of a project": (_fetches(project=PROJECT), "sqlite_autoindex_fetches_1"),
    "fetches of a file in an hour": (_fetches(**FILE, **ONE_HOUR), "sqlite_autoindex_fetches_1"),
    "fetches in an hour": (_fetches(**ONE_HOUR), "ix_fetches_minute"),
    "fetches from an index in an hour": (
        _fetches(index="dev/3", **ONE_HOUR),
        "ix_fetches_asked_minute",
    ),
    "fetches from an index": (_fetches(index="dev/3"), "ix_fetches_asked_minute"),
    "fetches of what lives in an index": (_fetches(index="dev/base"), "ix_fetches_held_minute"),
    "fetches from an index without any": (_fetches(index="dev/none"), "ix_fetches_held_minute"),
    "fetches of a project from an index": (
        _fetches(index="dev/base", project=PROJECT),
        "sqlite_autoindex_fetches_1",
    ),
    "what is expired": (
        lambda unit: unit.journal.expired(START + timedelta(days=9), ["audit"]),
        "ix_journal_at",
    ),
    "what may be pruned": (
        lambda unit: unit.journal.prunable(START + timedelta(days=9), 0, ROWS, 100),
        "ix_journal_index_name_project_serial",
    ),
}


@pytest.mark.parametrize(("ask", "used"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_question_is_answered_by_an_index(
    filled: SqlDatabase, ask: Callable[[Unit], object], used: str
) -> None:
    plans: list[str] = []

    def explain(_connection, cursor, statement, parameters, _context, _many) -> None:
        steps = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(step[3] for step in steps)

    with filled.reading() as unit:
        event.listen(unit.journal._connection, "before_cursor_execute", explain)
        ask(unit)
    assert used in {word for plan in plans for word in plan.split()}, plans


@pytest.mark.parametrize("ask", [ask for ask, _used in QUESTIONS.values()], ids=QUESTIONS.keys())
def test_a_question_goes_through_few_rows(
    filled: SqlDatabase, ask: Callable[[Unit], object]
) -> None:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1_000
        return 0

    with filled.reading() as unit:
        raw = unit.journal._connection.connection.driver_connection
        raw.set_progress_handler(count, 1_000)
        try:
            ask(unit)
        finally:
            raw.set_progress_handler(None, 0)
    # In steps of its machine, of which SQLite needs more than ten to look at one row.
    assert steps < 2 * ROWS


def test_old_fetches_are_deleted_by_their_keys(filled: SqlDatabase) -> None:
    plans: list[str] = []

    def explain(_connection, cursor, statement, parameters, _context, _many) -> None:
        steps = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(step[3] for step in steps)

    with filled.writing() as unit:
        event.listen(unit.fetches._connection, "before_cursor_execute", explain)
        assert unit.fetches.delete_before(START + timedelta(hours=1), 100) == 100
    assert not any(plan.startswith("SCAN") for plan in plans), plans
