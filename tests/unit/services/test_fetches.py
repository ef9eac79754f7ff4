"""Fetches: counted in memory, written in the background, few of them lost."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from stillroom_server.domain.errors import StorageBusy
from stillroom_server.domain.identity import NOBODY, Identity
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services import backlog
from stillroom_server.services.fetches import FetchCounter
from stillroom_server.services.files import Address
from stillroom_server.services.ports import Fetch, FetchKey, FetchQuery
from support.clock import SetClock
from support.fake_upstream import PATIENCE
from support.fakes import FakeDatabase, FakeUnit

ASKED, HELD = IndexName.parse("dev/sandbox"), IndexName.parse("dev/base")
DEMO = ProjectName("demo")
ANN = Identity(user=UserName("ann"), token="t1", address="192.0.2.7", request="r1")
SHA256 = "a" * 64


class BrittleDatabase(FakeDatabase):
    """A database that can be away; `units` counts what was written."""

    is_away = False
    units = 0

    @contextmanager
    def writing(self) -> Iterator[FakeUnit]:
        if self.is_away:
            raise StorageBusy("The database is away.")
        self.units += 1
        with super().writing() as unit:
            yield unit


@pytest.fixture
def database() -> BrittleDatabase:
    return BrittleDatabase()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def counter(database: BrittleDatabase, clock: SetClock) -> FetchCounter:
    return FetchCounter(database, clock)


def _note(counter: FetchCounter, filename: str = "demo-1.0.tar.gz", **values: Any) -> None:
    given = {"identity": ANN, "asked": ASKED, "held": HELD, "sha256": None, **values}
    digest = given.pop("digest", SHA256)
    counter.note(address=Address(DEMO, digest, filename), **given)


def _found(database: FakeDatabase) -> list[Fetch]:
    with database.reading() as unit:
        return unit.fetches.find(FetchQuery(), 1_000)


def test_a_fetch_says_what_it_was_and_who(
    counter: FetchCounter, database: BrittleDatabase, clock: SetClock
) -> None:
    _note(counter)
    assert counter.flush() == 1
    key = FetchKey(
        minute=clock().replace(second=0, microsecond=0),
        asked="dev/sandbox",
        held="dev/base",
        project=DEMO,
        filename="demo-1.0.tar.gz",
        version="1",
        sha256=SHA256,
        user="ann",
        token="t1",
        address="192.0.2.7",
    )
    assert _found(database) == [Fetch(key, 1)]


def test_nothing_is_written_on_the_way_to_the_answer(
    counter: FetchCounter, database: BrittleDatabase
) -> None:
    _note(counter)
    assert database.units == 0


def test_fetches_of_one_minute_are_one_row(
    counter: FetchCounter, database: BrittleDatabase, clock: SetClock
) -> None:
    for _ in range(3):
        _note(counter)
    clock.advance(minutes=1)
    _note(counter)
    counter.flush()
    _note(counter)
    counter.flush()
    found = _found(database)
    assert [fetch.count for fetch in found] == [2, 3]
    assert found[0].key.minute - found[1].key.minute == timedelta(minutes=1)


def test_who_is_not_known_is_nobody(counter: FetchCounter, database: BrittleDatabase) -> None:
    _note(counter, identity=NOBODY)
    counter.flush()
    [fetch] = _found(database)
    assert (fetch.key.user, fetch.key.token, fetch.key.address) == ("", "", "")


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("demo-1.0.0.tar.gz", "1"),
        ("demo-1!2.0rc1-py3-none-any.whl", "1!2rc1"),
        ("demo-2.5.zip", "2.5"),
        ("demo.tar.gz", ""),
        ("other-1.0.tar.gz", ""),
    ],
)
def test_the_version_is_that_of_the_name(
    counter: FetchCounter, database: BrittleDatabase, filename: str, version: str
) -> None:
    _note(counter, filename)
    counter.flush()
    assert _found(database)[0].key.version == version


def test_the_digest_is_that_of_the_url_or_what_was_sent(
    counter: FetchCounter, database: BrittleDatabase
) -> None:
    _note(counter, "demo-1.zip", digest="-", sha256="b" * 64)
    _note(counter, "demo-2.zip", digest="-", sha256=None)
    counter.flush()
    assert [fetch.key.sha256 for fetch in _found(database)] == ["b" * 64, ""]


def test_nothing_to_write_is_not_written(counter: FetchCounter, database: BrittleDatabase) -> None:
    assert counter.flush() == 0
    assert database.units == 0


def test_rows_are_written_in_bounded_batches(
    counter: FetchCounter, database: BrittleDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "BATCH", 2)
    for number in range(5):
        _note(counter, f"demo-{number}.zip")
    assert counter.flush() == 5
    assert database.units == 3
    assert len(_found(database)) == 5


def test_what_could_not_be_written_waits(
    counter: FetchCounter, database: BrittleDatabase, clock: SetClock
) -> None:
    _note(counter)
    database.is_away = True
    with pytest.raises(StorageBusy):
        counter.flush()
    _note(counter)
    database.is_away = False
    counter.flush()
    assert [fetch.count for fetch in _found(database)] == [2]


def test_what_is_lost_is_counted_in_the_log(
    database: BrittleDatabase, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    counter = FetchCounter(database, clock, many=2)
    database.is_away = True
    for number in range(7):
        _note(counter, f"demo-{number}.zip")
    _note(counter, "demo-0.zip")
    with caplog.at_level(logging.WARNING):
        counter.stop()
    assert "fetches: 3 were not recorded" in caplog.text
    assert "The database is away." in caplog.text
    database.is_away = False
    assert counter.flush() == 4
    assert sum(fetch.count for fetch in _found(database)) == 5


def test_what_is_lost_is_told_once(
    database: BrittleDatabase, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    counter = FetchCounter(database, clock, many=1)
    for number in range(3):
        _note(counter, f"demo-{number}.zip")
    counter.stop()
    counter.stop()
    assert caplog.text.count("not recorded") == 1


def test_a_failure_of_another_kind_ends_nothing(
    counter: FetchCounter, database: BrittleDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    _note(counter)
    database.writing = None  # type: ignore[assignment,method-assign]
    counter.stop()
    assert "not recorded, for it is refused: FetchKey(" in caplog.text


def _wait_for_rows(database: BrittleDatabase, count: int) -> None:
    waited = threading.Event()
    for _ in range(int(PATIENCE * 100)):
        if len(_found(database)) >= count:
            return
        waited.wait(0.01)
    raise AssertionError("nothing was written")


def test_the_thread_writes_now_and_then(database: BrittleDatabase, clock: SetClock) -> None:
    counter = FetchCounter(database, clock, interval=0.01)
    counter.start()
    _note(counter)
    _wait_for_rows(database, 1)
    counter.stop()


def test_many_keys_are_written_at_once(database: BrittleDatabase, clock: SetClock) -> None:
    counter = FetchCounter(database, clock, interval=3_600, many=3)
    counter.start()
    for number in range(3):
        _note(counter, f"demo-{number}.zip")
    _wait_for_rows(database, 3)
    counter.stop()


def test_the_end_writes_what_is_there(database: BrittleDatabase, clock: SetClock) -> None:
    counter = FetchCounter(database, clock, interval=3_600)
    counter.start()
    _note(counter)
    counter.stop()
    assert len(_found(database)) == 1


def test_threads_and_processes_add_up(database: BrittleDatabase, clock: SetClock) -> None:
    counters = [FetchCounter(database, clock) for _ in range(2)]

    def work(counter: FetchCounter) -> None:
        for _ in range(50):
            _note(counter)
            counter.flush()

    threads = [threading.Thread(target=work, args=(c,)) for c in counters for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fetch.count for fetch in _found(database)] == [200]


class SlowDatabase(FakeDatabase):
    """Its first write waits, so that more can come while the thread is at it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    @contextmanager
    def writing(self) -> Iterator[FakeUnit]:
        with super().writing() as unit:
            self.begun.set()
            assert self.may_end.wait(PATIENCE)
            yield unit


def test_what_comes_while_the_thread_writes_is_not_lost_at_the_end(clock: SetClock) -> None:
    database = SlowDatabase()
    counter = FetchCounter(database, clock, interval=0.01)
    counter.start()
    _note(counter, "demo-1.zip")
    assert database.begun.wait(PATIENCE)
    _note(counter, "demo-2.zip")
    stopping = threading.Thread(target=counter.stop)
    stopping.start()
    for _ in range(int(PATIENCE * 100)):
        if counter._is_stopping:
            break
        stopping.join(0.01)
    database.may_end.set()
    stopping.join(PATIENCE)
    assert {fetch.key.filename for fetch in _found(database)} == {"demo-1.zip", "demo-2.zip"}
