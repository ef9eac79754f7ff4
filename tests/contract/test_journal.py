"""The journal and its serials, behind the port."""

import pytest

from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.ports import Database
from support.rows import DEV, a_user

A, B, C = (IndexName(DEV, name) for name in "abc")
DEMO, OTHER = ProjectName("demo"), ProjectName("other")


def _added(index: IndexName | None = A, project: ProjectName | None = DEMO) -> Event:
    return Event(EventKind.FILE_ADDED, actor=DEV, index=index, project=project)


def _commit(database: Database, *events: Event) -> int:
    with database.writing() as unit:
        for event in events:
            unit.journal.record(event)
    return database.serial()


def test_a_commit_takes_one_serial_for_all_its_events(database: Database) -> None:
    assert database.serial() == 0
    assert _commit(database, _added(), _added(B)) == 1
    assert _commit(database, _added()) == 2
    with database.reading() as unit:
        entries = unit.journal.since(0, 10)
    assert [(entry.serial, entry.position) for entry in entries] == [(1, 0), (1, 1), (2, 0)]


def test_a_commit_without_events_takes_no_serial(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
    assert database.serial() == 0


def test_an_event_comes_back_as_it_was_recorded(database: Database) -> None:
    full = Event(
        EventKind.FILE_YANKED,
        actor=DEV,
        user=DEV,
        index=A,
        project=DEMO,
        details={"reason": "bröken", "files": ["a", "b"], "count": 2, "more": {"x": None}},
    )
    bare = Event(EventKind.MIRROR_PAGE_CHANGED)
    _commit(database, full, bare)
    with database.reading() as unit:
        assert [entry.event for entry in unit.journal.since(0, 10)] == [full, bare]


def test_entries_of_one_commit_share_their_time(database: Database) -> None:
    _commit(database, _added(), _added())
    with database.reading() as unit:
        first, second = unit.journal.since(0, 10)
    assert first.at == second.at
    assert first.at.utcoffset() is not None


def test_entries_come_in_whole_serials(database: Database) -> None:
    for count in (1, 2, 1):
        _commit(database, *[_added()] * count)
    with database.reading() as unit:

        def serials(after: int, limit: int) -> list[int]:
            return [entry.serial for entry in unit.journal.since(after, limit)]

        assert serials(0, 4) == [1, 2, 2, 3]
        assert serials(0, 3) == [1, 2, 2]
        assert serials(0, 2) == [1]
        assert serials(0, 1) == [1]
        assert serials(2, 10) == [3]
        assert serials(3, 10) == []


def test_a_serial_with_more_entries_than_the_limit_comes_whole(database: Database) -> None:
    _commit(database, *[_added()] * 5)
    _commit(database, _added())
    with database.reading() as unit:
        assert [entry.position for entry in unit.journal.since(0, 2)] == [0, 1, 2, 3, 4]


def test_a_unit_that_fails_records_nothing(database: Database) -> None:
    def record_and_fail() -> None:
        with database.writing() as unit:
            unit.journal.record(_added())
            unit.users.add(a_user())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record_and_fail()
    assert database.serial() == 0
    assert _commit(database, _added()) == 1
    with database.reading() as unit:
        assert len(unit.journal.since(0, 10)) == 1
        assert unit.users.all() == []


def test_the_last_change_is_that_of_the_project_or_of_a_whole_index(database: Database) -> None:
    _commit(database, _added(A, DEMO))
    _commit(database, _added(B, DEMO))
    _commit(database, _added(A, OTHER))
    _commit(database, _added(C, None))
    _commit(database, Event(EventKind.USER_CREATED, user=DEV))
    with database.reading() as unit:
        assert unit.journal.last_change([A], DEMO) == 1
        assert unit.journal.last_change([A, B], DEMO) == 2
        assert unit.journal.last_change([A], None) == 3
        assert unit.journal.last_change([A, B, C], DEMO) == 4
        assert unit.journal.last_change([C], ProjectName("none")) == 4
        assert unit.journal.last_change([A, B], ProjectName("none")) == 0
        assert unit.journal.last_change([IndexName(DEV, "none")], None) == 0
        assert unit.journal.last_change([], DEMO) == 0


def test_a_cursor_moves_without_a_serial(database: Database) -> None:
    with database.writing() as unit:
        assert unit.journal.cursor("audit") is None
        unit.journal.set_cursor("audit", 3)
        unit.journal.set_cursor("audit", 4)
        unit.journal.set_cursor("other", 1)
    with database.reading() as unit:
        assert unit.journal.cursor("audit") == 4
    assert database.serial() == 0
