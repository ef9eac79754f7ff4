"""What becomes of old entries of the journal, and what people did, behind the port."""

from datetime import UTC, datetime, timedelta

import pytest

from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import AuditQuery, Database, Pruned
from support.rows import DEV

A, B = IndexName(DEV, "a"), IndexName(DEV, "b")
DEMO, OTHER = ProjectName("demo"), ProjectName("other")
ANN, BOB = UserName("ann"), UserName("bob")
EVER = 1_000_000


def _event(
    index: IndexName | None = A,
    project: ProjectName | None = DEMO,
    *,
    kind: EventKind = EventKind.FILE_ADDED,
    actor: UserName | None = ANN,
    user: UserName | None = None,
) -> Event:
    return Event(
        kind,
        actor=actor,
        user=user,
        index=index,
        project=project,
        details={"filename": "demo.whl"},
        token="t1",
        address="192.0.2.7",
        request="r1",
    )


def _commit(database: Database, *events: Event) -> int:
    with database.writing() as unit:
        for event in events:
            unit.journal.record(event)
    return database.serial()


def _places(database: Database) -> list[tuple[int, int]]:
    with database.reading() as unit:
        return [(entry.serial, entry.position) for entry in unit.journal.since(0, EVER)]


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def _prune(database: Database, *, until: int = EVER, limit: int = EVER, after: int = 0) -> Pruned:
    """Prune all that is there; first it is asked what that would do."""
    with database.reading() as unit:
        foretold = unit.journal.prunable(_later(), after, until, limit)
    with database.writing() as unit:
        pruned = unit.journal.prune(_later(), after, until, limit)
    assert pruned == foretold
    return pruned


# Pruning


def test_the_newest_of_each_project_and_of_each_whole_index_stays(database: Database) -> None:
    _commit(database, _event(A, DEMO))
    _commit(database, _event(A, DEMO), _event(A, OTHER), _event(B, DEMO))
    _commit(database, _event(A, None, kind=EventKind.INDEX_CHANGED))
    _commit(database, _event(A, None, kind=EventKind.INDEX_CHANGED), _event(A, DEMO))
    _commit(database, _event(None, None, kind=EventKind.USER_CREATED, user=BOB))
    assert _prune(database) == Pruned(deleted=4, blanked=4, reached=EVER)
    assert _places(database) == [(2, 1), (2, 2), (4, 0), (4, 1)]


def test_of_two_in_one_commit_the_second_stays(database: Database) -> None:
    _commit(database, _event(), _event(), _event(A, None), _event(A, None))
    _prune(database)
    assert _places(database) == [(1, 1), (1, 3)]


def test_what_pages_are_compared_with_is_the_same_as_before(database: Database) -> None:
    for index, project in ((A, DEMO), (A, OTHER), (A, None), (B, DEMO), (A, DEMO), (B, None)):
        _commit(database, _event(index, project))

    def changes() -> list[int]:
        asked = [([A], DEMO), ([A], OTHER), ([B], DEMO), ([A, B], None), ([B], None), ([A], None)]
        with database.reading() as unit:
            return [unit.journal.last_change(names, project) for names, project in asked]

    before = changes()
    assert _prune(database).deleted == 1
    assert changes() == before
    assert database.serial() == 6


def test_what_stays_says_no_more_who_it_was(database: Database) -> None:
    _commit(database, _event(A, DEMO, user=BOB))
    assert _prune(database).blanked == 1
    with database.reading() as unit:
        [entry] = unit.journal.since(0, 10)
    assert entry.event == Event(EventKind.FILE_ADDED, index=A, project=DEMO)
    assert _prune(database) == Pruned(deleted=0, blanked=0, reached=EVER)


@pytest.mark.parametrize("field", ["actor", "user", "token", "address", "request", "details"])
def test_whatever_it_says_is_blanked(database: Database, field: str) -> None:
    value = {"details": {"reason": "x"}}.get(field, "ann")
    _commit(database, Event(EventKind.FILE_ADDED, index=A, project=DEMO, **{field: value}))
    assert _prune(database).blanked == 1
    assert _prune(database).blanked == 0


def test_what_is_not_old_stays_as_it_is(database: Database) -> None:
    _commit(database, _event())
    cut = datetime.now(UTC)
    _commit(database, _event())
    _commit(database, _event())
    with database.writing() as unit:
        assert unit.journal.expired(cut, []) == 1
        assert unit.journal.prune(cut, 0, EVER, EVER) == Pruned(1, 0, EVER)
        assert [entry.event for entry in unit.journal.since(0, 10)] == [_event(), _event()]


def test_a_batch_is_bounded_and_ends_with_a_whole_serial(database: Database) -> None:
    for count in (1, 3, 2):
        _commit(database, *[_event()] * count)
    assert _prune(database, limit=2) == Pruned(deleted=4, blanked=0, reached=2)
    assert _places(database) == [(3, 0), (3, 1)]
    assert _prune(database, limit=2, after=2) == Pruned(deleted=1, blanked=1, reached=3)
    assert _prune(database, limit=2, after=3) == Pruned(deleted=0, blanked=0, reached=EVER)


def test_no_more_is_looked_at_than_a_batch_has(database: Database) -> None:
    for _ in range(5):
        _commit(database, _event(None, None))
    assert _prune(database, limit=2).deleted == 2
    assert _prune(database, until=4).deleted == 2
    assert _places(database) == [(5, 0)]


def test_entries_wait_for_the_listener_that_is_furthest_behind(database: Database) -> None:
    for _ in range(4):
        _commit(database, _event())
    with database.writing() as unit:
        assert unit.journal.expired(_later(), ["mail", "audit"]) == 4
        unit.journal.set_cursor("audit", 3)
        unit.journal.set_cursor("mail", 2)
        unit.journal.set_cursor("gone", 0)
        assert unit.journal.expired(_later(), ["mail", "audit", "new"]) == 2
        assert unit.journal.expired(_later(), ["audit"]) == 3
        assert unit.journal.expired(_later(), []) == 4


def test_nothing_is_old_in_an_empty_journal(database: Database) -> None:
    with database.reading() as unit:
        assert unit.journal.expired(_later(), ["audit"]) == 0


# Audit


def _found(database: Database, limit: int = 10, **wanted: object) -> list[tuple[int, int]]:
    with database.reading() as unit:
        entries = unit.journal.audit(AuditQuery(**wanted), limit)
    return [(entry.serial, entry.position) for entry in entries]


@pytest.fixture
def filled(database: Database) -> Database:
    _commit(database, _event(A, DEMO, actor=ANN))
    _commit(database, _event(A, OTHER, actor=BOB), _event(B, DEMO, actor=BOB))
    _commit(database, _event(A, DEMO, kind=EventKind.MIRROR_PAGE_CHANGED, actor=None))
    _commit(database, _event(A, DEMO, kind=EventKind.MIRROR_FILE_REFUSED, actor=None))
    _commit(database, _event(None, None, kind=EventKind.USER_CHANGED, actor=ANN, user=BOB))
    return database


def test_the_audit_is_what_people_did_newest_first(filled: Database) -> None:
    assert _found(filled) == [(5, 0), (2, 1), (2, 0), (1, 0)]
    assert _found(filled, 2) == [(5, 0), (2, 1)]


def test_the_audit_comes_in_parts(filled: Database) -> None:
    assert _found(filled, 2, before=(5, 0)) == [(2, 1), (2, 0)]
    assert _found(filled, 2, before=(2, 1)) == [(2, 0), (1, 0)]
    assert _found(filled, 2, before=(1, 0)) == []


def test_the_audit_of_an_index_a_project_and_a_user(filled: Database) -> None:
    assert _found(filled, index=A) == [(2, 0), (1, 0)]
    assert _found(filled, project=DEMO) == [(2, 1), (1, 0)]
    assert _found(filled, index=B, project=DEMO) == [(2, 1)]
    assert _found(filled, user=BOB) == [(5, 0), (2, 1), (2, 0)]
    assert _found(filled, user=ANN) == [(5, 0), (1, 0)]


def test_the_audit_of_a_time(database: Database) -> None:
    _commit(database, _event())
    cut = datetime.now(UTC)
    _commit(database, _event())
    assert _found(database, since=cut) == [(2, 0)]
    assert _found(database, until=cut) == [(1, 0)]
