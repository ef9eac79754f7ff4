"""Law 2: serials appear in the order of commits, whoever writes: threads, processes, both."""

import os
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest

from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.storage.database import SqlDatabase

THREADS, COMMITS = 3, 12


@pytest.fixture
def sql_database(database_url: str):
    opened = SqlDatabase(database_url)
    yield opened
    opened.close()


def _start_writer(url: str, name: str, *, commits: int) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "support.serial_writer", url, name, str(THREADS), str(commits)],
        env={**os.environ, "PYTHONPATH": tests},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _entries_after(database: SqlDatabase, serial: int) -> list[JournalEntry]:
    with database.reading() as unit:
        return unit.journal.since(serial, 1000)


def test_no_reader_ever_sees_a_gap_that_is_filled_later(
    sql_database: SqlDatabase, database_url: str
) -> None:
    writers = [_start_writer(database_url, name, commits=COMMITS) for name in ("left", "right")]
    for writer in writers:
        _tell(writer)
    seen: list[JournalEntry] = []
    last = 0
    while any(writer.poll() is None for writer in writers) or last < sql_database.serial():
        # Every serial up to this one was committed, so it must be there now.
        at_least = sql_database.serial()
        new = _entries_after(sql_database, last)
        serials = sorted({entry.serial for entry in new})
        assert serials == list(range(last + 1, last + 1 + len(serials)))
        assert last + len(serials) >= at_least
        last += len(serials)
        seen += new
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert last == len(writers) * THREADS * COMMITS
    _check_each_writer_in_order(seen)


def _check_each_writer_in_order(entries: list[JournalEntry]) -> None:
    numbers: dict[object, list[object]] = defaultdict(list)
    for entry in entries:
        if entry.position == 0:
            numbers[entry.event.user].append(entry.event.details["number"])
    assert len(numbers) == 2 * THREADS
    assert all(order == list(range(COMMITS)) for order in numbers.values())
    times = [entry.at for entry in entries]
    assert times == sorted(times)


def test_a_writer_that_is_killed_leaves_neither_a_gap_nor_a_lock(
    sql_database: SqlDatabase, database_url: str
) -> None:
    writer = _start_writer(database_url, "killed", commits=0)
    _tell(writer)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "inside\n"
    writer.kill()
    writer.communicate()
    with sql_database.writing() as unit:
        unit.journal.record(Event(EventKind.USER_CHANGED))
    assert sql_database.serial() == 1
    assert [entry.serial for entry in _entries_after(sql_database, 0)] == [1]


def test_no_update_is_lost_between_writers_of_two_processes(
    sql_database: SqlDatabase, database_url: str
) -> None:
    """Each adds to what it read in the same unit; a database object stands for a process."""
    other = SqlDatabase(database_url)

    def add_up(database: SqlDatabase) -> None:
        for _ in range(20):
            with database.writing() as unit:
                unit.journal.set_cursor("sum", (unit.journal.cursor("sum") or 0) + 1)

    threads = [threading.Thread(target=add_up, args=(each,)) for each in (sql_database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    with sql_database.reading() as unit:
        assert unit.journal.cursor("sum") == 40
