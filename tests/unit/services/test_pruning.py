"""What is forgotten, and when; on the database that the contract suites prove right."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services import audit
from stillroom_server.services.audit import PruneReport, Pruning, Retention
from stillroom_server.services.ports import Fetch, FetchKey, FetchQuery
from support.clock import SetClock
from support.fakes import FakeDatabase

A = IndexName.parse("dev/a")
DEMO = ProjectName("demo")
ANN = UserName("ann")
WINDOW = timedelta(minutes=5)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def database(clock: SetClock) -> FakeDatabase:
    return FakeDatabase(clock)


def _pruning(
    database: FakeDatabase,
    clock: SetClock,
    *,
    audit_days: int = 10,
    fetches_days: int = 2,
    listeners: Sequence[str] = (),
) -> Pruning:
    return Pruning(database, clock, Retention(audit_days, fetches_days, WINDOW), listeners)


def _commit(database: FakeDatabase, count: int = 1) -> None:
    for _ in range(count):
        with database.writing() as unit:
            unit.journal.record(Event(EventKind.FILE_ADDED, actor=ANN, index=A, project=DEMO))


def _fetch(database: FakeDatabase, clock: SetClock, count: int = 1) -> None:
    keys = [
        FetchKey(clock(), "dev/a", "dev/a", DEMO, f"{n}.zip", "", "", "ann", "", "")
        for n in range(count)
    ]
    with database.writing() as unit:
        unit.fetches.add([Fetch(key, 1) for key in keys])


def _left(database: FakeDatabase) -> tuple[list[int], int]:
    with database.reading() as unit:
        serials = [entry.serial for entry in unit.journal.since(0, 1_000)]
        return serials, len(unit.fetches.find(FetchQuery(), 1_000))


def test_each_is_kept_for_as_long_as_its_setting_says(
    database: FakeDatabase, clock: SetClock
) -> None:
    _commit(database, 3)
    _fetch(database, clock)
    pruning = _pruning(database, clock)
    assert pruning.run() == PruneReport()
    clock.advance(days=2, seconds=1)
    assert pruning.run() == PruneReport(fetches=1)
    clock.advance(days=8)
    assert pruning.run() == PruneReport(deleted=2, blanked=1)
    assert _left(database) == ([3], 0)
    assert pruning.run() == PruneReport()


def test_what_is_kept_for_ever_is_kept(database: FakeDatabase, clock: SetClock) -> None:
    _commit(database, 2)
    _fetch(database, clock)
    clock.advance(days=30_000)
    pruning = _pruning(database, clock, audit_days=0, fetches_days=0)
    assert pruning.run() == PruneReport()
    assert _left(database) == ([1, 2], 1)


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    database: FakeDatabase, clock: SetClock
) -> None:
    _commit(database, 5)
    _fetch(database, clock, 3)
    clock.advance(days=11)
    database.writes = 0
    pruning = _pruning(database, clock)
    foretold = pruning.run(dry_run=True)
    assert foretold == PruneReport(deleted=4, blanked=1, fetches=3)
    assert database.writes == 0
    assert _left(database) == ([1, 2, 3, 4, 5], 3)
    assert pruning.run() == foretold


def test_the_parts_are_bounded(
    database: FakeDatabase, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    _commit(database, 5)
    _fetch(database, clock, 5)
    clock.advance(days=11)
    database.writes = 0
    pruning = _pruning(database, clock)
    assert pruning.run(dry_run=True) == pruning.run()
    # One for guesses; of the journal 2, 2 and 1; of fetches 2, 2 and 1.
    assert database.writes == 7
    assert _left(database) == ([5], 0)


def test_it_ends_between_two_parts(
    database: FakeDatabase, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    _commit(database, 5)
    _fetch(database, clock, 5)
    clock.advance(days=11)
    answers = iter([False, True, False, True])
    report = _pruning(database, clock).run(lambda: next(answers))
    assert report == PruneReport(deleted=2, fetches=2)


def test_what_a_listener_was_not_told_waits(database: FakeDatabase, clock: SetClock) -> None:
    _commit(database, 4)
    clock.advance(days=11)
    with database.writing() as unit:
        unit.journal.set_cursor("audit", 2)
        unit.journal.set_cursor("uninstalled", 0)
    _pruning(database, clock, listeners=["audit", "new"]).run()
    assert _left(database)[0] == [3, 4]
    with database.reading() as unit:
        assert {entry.event.actor for entry in unit.journal.since(0, 10)} == {ANN}


def test_a_clock_that_was_set_back_forgets_nothing_too_early(
    database: FakeDatabase, clock: SetClock
) -> None:
    _commit(database)
    clock.set_back(days=20)
    _commit(database)
    clock.advance(days=20, seconds=1)
    _commit(database)
    _pruning(database, clock).run()
    assert _left(database)[0] == [1, 3]
    clock.advance(days=10)
    assert _pruning(database, clock).run() == PruneReport(deleted=1)
    assert _left(database)[0] == [3]


def test_days_are_counted_from_now(clock: SetClock) -> None:
    retention = Retention(audit_days=3, fetches_days=0, window=WINDOW)
    assert retention.first_entry(clock()) == clock() - timedelta(days=3)
    assert retention.first_fetch(clock()) is None


def test_guesses_go_when_they_count_no_more_even_if_nobody_guesses_again(
    database: FakeDatabase, clock: SetClock
) -> None:
    def count() -> int:
        with database.reading() as unit:
            return unit.guesses.counts("dev", "", clock() - timedelta(days=9)).everybody

    with database.writing() as unit:
        unit.guesses.add("dev", "192.0.2.1", clock())
    clock.advance(minutes=1)
    with database.writing() as unit:
        unit.guesses.add("dev", "192.0.2.1", clock())
    pruning = _pruning(database, clock, audit_days=0, fetches_days=0)
    clock.advance(minutes=4)
    pruning.run(dry_run=True)
    assert count() == 2
    pruning.run()
    assert count() == 1
