"""Units of work, behind the port: all or nothing, snapshots, one at a time."""

import threading
from collections.abc import Callable

import pytest

from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.names import IndexName
from stillroom_server.services.ports import Database, Unit
from stillroom_server.storage.database import unit_is_open
from support.rows import DEV, NOW, a_user, add_stage


def _in_thread(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def _user_names(database: Database) -> list[str]:
    with database.reading() as unit:
        return [user.name for user in unit.users.all()]


def test_a_unit_that_fails_leaves_nothing(database: Database) -> None:
    def add_and_fail() -> None:
        with database.writing() as unit:
            add_stage(unit)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert _user_names(database) == []
    with database.writing() as unit:
        add_stage(unit)
    assert _user_names(database) == ["dev"]


def test_others_see_nothing_of_a_unit_before_its_end(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.journal.record(Event(EventKind.USER_CREATED, user=DEV))
        assert _in_thread(lambda: _user_names(database)) == []
        assert _in_thread(database.serial) == 0
    assert _user_names(database) == ["dev"]
    assert database.serial() == 1


def test_a_reading_unit_sees_one_moment(database: Database) -> None:
    def add() -> None:
        with database.writing() as unit:
            add_stage(unit)

    with database.reading() as unit:
        assert unit.users.all() == []
        _in_thread(add)
        assert unit.users.all() == []
        assert unit.indexes.all() == []
    assert _user_names(database) == ["dev"]


WRITES: dict[str, Callable[[Unit], object]] = {
    "users": lambda unit: unit.users.add(a_user("other")),
    "tokens": lambda unit: unit.tokens.delete_all(DEV),
    "indexes": lambda unit: unit.indexes.add(
        IndexName(DEV, "x"), "stage", {}, NOW, has_upstream=False
    ),
    "blobs": lambda unit: unit.blobs.link("0" * 64, 1),
    "journal": lambda unit: unit.journal.record(Event(EventKind.USER_CREATED)),
    "cursors": lambda unit: unit.journal.set_cursor("audit", 1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_writing_in_a_reading_unit_is_an_error(
    database: Database, write: Callable[[Unit], object]
) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
    with pytest.raises(RuntimeError, match="only reads"), database.reading() as unit:
        write(unit)
    assert _user_names(database) == ["dev"]
    assert database.serial() == 0


def test_a_thread_has_one_unit_at_a_time(database: Database) -> None:
    for outer in (database.reading, database.writing):
        for inner in (database.reading, database.writing):
            with outer(), pytest.raises(RuntimeError, match="inside a unit"), inner():
                raise AssertionError
    with database.writing() as unit:
        unit.users.add(a_user())
    assert _user_names(database) == ["dev"]


def test_whether_a_unit_is_open_is_known_per_thread(database: Database) -> None:
    assert not unit_is_open()
    for open_unit in (database.reading, database.writing):
        with open_unit():
            assert unit_is_open()
            assert not _in_thread(unit_is_open)
        assert not unit_is_open()
    with pytest.raises(ZeroDivisionError), database.reading():
        raise ZeroDivisionError
    assert not unit_is_open()


def test_what_a_writer_reads_is_still_true_when_it_commits(database: Database) -> None:
    """Writers that all read first and then write: no update is lost."""

    def append(word: str) -> None:
        for _ in range(10):
            with database.writing() as unit:
                index = unit.indexes.get(IndexName(DEV, "base"))
                assert index is not None
                words = index.options["title"]
                unit.indexes.change(index, {**index.options, "title": f"{words}{word}"})

    with database.writing() as unit:
        add_stage(unit, title="")
    threads = [threading.Thread(target=append, args=(word,)) for word in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as unit:
        index = unit.indexes.get(IndexName(DEV, "base"))
    assert index is not None
    assert sorted(str(index.options["title"])) == sorted("abc" * 10)
