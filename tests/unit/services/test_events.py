"""Telling listeners what was committed."""

import logging
import threading
from dataclasses import dataclass, field

import pytest

from stillroom_server.domain.errors import StorageBusy
from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.domain.names import UserName
from stillroom_server.services.events import ATTEMPTS, BATCH, EventTeller
from support.fake_upstream import PATIENCE
from support.fakes import FakeDatabase


@dataclass
class Ear:
    """A listener that writes down what it is told, and fails at what a test names."""

    name: str = "ear"
    fails_at: dict[str, int] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    something: threading.Event = field(default_factory=threading.Event)

    def tell(self, entry: JournalEntry) -> None:
        word = str(entry.event.user)
        self.tries.append(word)
        if self.fails_at.get(word, 0) > 0:
            self.fails_at[word] -= 1
            raise RuntimeError(f"no ear for {word}")
        self.heard.append(word)
        self.something.set()


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


def _commit(database, *words):
    """One commit with an event for each word."""
    with database.writing() as unit:
        for word in words:
            unit.journal.record(Event(EventKind.USER_CREATED, user=UserName(word)))


def _cursor(database, name="ear"):
    with database.reading() as unit:
        return unit.journal.cursor(name)


def _teller(database, *ears):
    """A teller whose listeners have come already."""
    teller = EventTeller(database, ears)
    teller.tell_all()
    return teller


def test_listeners_are_told_everything_in_order_and_once(database):
    left, right = Ear("left"), Ear("right")
    teller = _teller(database, left, right)
    _commit(database, "a", "b")
    _commit(database, "c")
    teller.tell_all()
    teller.tell_all()
    _commit(database, "d")
    teller.tell_all()
    assert left.heard == right.heard == ["a", "b", "c", "d"]


def test_a_new_listener_starts_with_what_happens_after_it_came(database):
    _commit(database, "before")
    ear = Ear()
    teller = _teller(database, ear)
    _commit(database, "after")
    teller.tell_all()
    assert ear.heard == ["after"]


def test_the_cursor_outlives_the_server(database):
    first = Ear()
    _commit(database, "a")
    teller = _teller(database, first)
    _commit(database, "b")
    teller.tell_all()
    assert _cursor(database) == database.serial()
    _commit(database, "c")
    second = Ear()
    EventTeller(database, [second]).tell_all()
    assert (first.heard, second.heard) == (["b"], ["c"])


def test_more_than_a_batch_is_told_in_full(database):
    ear = Ear()
    teller = _teller(database, ear)
    words = [f"w{number}" for number in range(BATCH + 3)]
    _commit(database, *words[:5])
    for word in words[5:]:
        _commit(database, word)
    teller.tell_all()
    assert ear.heard == words


def test_a_listener_that_fails_is_asked_again(database):
    ear = Ear(fails_at={"b": ATTEMPTS - 1})
    teller = _teller(database, ear)
    _commit(database, "a", "b", "c")
    teller.tell_all()
    assert ear.heard == ["a", "b", "c"]


def test_what_a_listener_never_takes_is_passed_over_and_logged(database, caplog):
    ear = Ear(fails_at={"b": 1_000})
    teller = _teller(database, ear)
    _commit(database, "a", "b", "c")
    with caplog.at_level(logging.ERROR):
        teller.tell_all()
    assert ear.heard == ["a", "c"]
    assert ear.tries.count("b") == ATTEMPTS
    assert "no ear for b" in caplog.text
    assert "listener ear does not learn of serial 1" in caplog.text


def test_a_broken_listener_harms_no_other(database):
    broken, sound = Ear("broken", fails_at={"a": 1_000, "b": 1_000}), Ear("sound")
    teller = _teller(database, broken, sound)
    _commit(database, "a", "b")
    teller.tell_all()
    assert (broken.heard, sound.heard) == ([], ["a", "b"])


def test_what_was_told_before_a_crash_may_be_told_again_but_nothing_is_left_out(database):
    class Crash(BaseException):
        """The process ends here."""

    class Dying(Ear):
        def tell(self, entry: JournalEntry) -> None:
            super().tell(entry)
            if self.heard[-1] == "b":
                raise Crash

    dying, reborn = Dying(), Ear()
    teller = _teller(database, dying)
    for word in "abc":
        _commit(database, word)
    with pytest.raises(Crash):
        teller.tell_all()
    EventTeller(database, [reborn]).tell_all()
    assert set(dying.heard) | set(reborn.heard) == {"a", "b", "c"}
    assert reborn.heard == sorted(reborn.heard)


def test_telling_takes_no_serial(database):
    teller = _teller(database, Ear())
    _commit(database, "a")
    teller.tell_all()
    assert database.serial() == 1


# The thread


@pytest.fixture
def running(database):
    """Starts tellers that look often, and stops them."""
    started = []

    def start(*ears):
        teller = EventTeller(database, ears, interval=0.01)
        teller.start()
        started.append(teller)
        return teller

    yield start
    for teller in started:
        teller.stop()


def _wait_until(database, name="ear"):
    """Wait until a listener has come."""
    waited = threading.Event()
    for _ in range(1_000):
        if _cursor(database, name) is not None:
            return
        waited.wait(0.01)
    pytest.fail("the listener has no cursor")


def test_a_running_teller_tells_by_itself(database, running):
    ear = Ear()
    running(ear)
    _wait_until(database)
    _commit(database, "a")
    assert ear.something.wait(PATIENCE)
    assert ear.heard == ["a"]


@pytest.mark.parametrize("error", [StorageBusy("busy"), RuntimeError("a bug")])
def test_a_running_teller_outlives_what_goes_wrong_once(
    database, running, monkeypatch, error, caplog
):
    ear = Ear()
    running(ear)
    _wait_until(database)
    failed = threading.Event()

    def fail_once():
        monkeypatch.undo()
        failed.set()
        raise error

    monkeypatch.setattr(database, "serial", fail_once)
    assert failed.wait(PATIENCE)
    _commit(database, "a")
    assert ear.something.wait(PATIENCE)
    assert "events: " in caplog.text


def test_a_teller_stops_after_the_change_at_hand_and_notes_how_far_it_came(database):
    class Slow(Ear):
        def tell(self, entry: JournalEntry) -> None:
            super().tell(entry)
            teller.stop()

    slow = Slow()
    teller = _teller(database, slow)
    _commit(database, "a", "b")
    _commit(database, "c")
    teller.tell_all()
    assert slow.heard == ["a", "b"]
    assert _cursor(database) == 1


def test_without_listeners_nothing_runs(database, running):
    before = threading.active_count()
    running()
    assert threading.active_count() == before
