"""Answers that hold while nothing changes, and work that is done once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from stillroom_server.domain.errors import Overloaded
from stillroom_server.services.caching import SerialCache, SingleFlight
from support.fake_upstream import PATIENCE, Gate


@pytest.fixture
def cache() -> SerialCache[str, int]:
    return SerialCache(3)


def test_an_answer_holds_at_its_serial(cache):
    cache.put(7, "a", 1)
    assert cache.get(7, "a") == 1
    assert cache.get(7, "b") is None


def test_a_change_anywhere_voids_all_answers(cache):
    cache.put(7, "a", 1)
    assert cache.get(8, "a") is None
    cache.put(8, "b", 2)
    assert cache.get(8, "a") is None
    assert cache.get(7, "a") is None


def test_an_answer_that_was_found_out_late_is_not_taken_for_a_new_one(cache):
    cache.put(8, "a", 2)
    cache.put(7, "a", 1)
    assert cache.get(8, "a") == 2


def test_no_more_answers_are_kept_than_allowed(cache):
    for number in range(100):
        cache.put(7, str(number), number)
    kept = [number for number in range(100) if cache.get(7, str(number)) is not None]
    assert len(kept) <= 3
    assert kept[-1] == 99


class Work:
    """Work that takes until a test lets it go on, and counts how often it is done."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = Gate()
        self.done = 0
        self._error = error

    def __call__(self) -> int:
        self.done += 1
        self.gate.pass_through()
        if self._error is not None:
            raise self._error
        return 42


@pytest.mark.parametrize("error", [None, ValueError("no")], ids=["result", "error"])
def test_all_who_ask_while_work_is_done_get_what_comes_of_it(wait_for_followers, error):
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work(error)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(flight.run, "key", work)]
        work.gate.wait_for_one()
        runs += [pool.submit(flight.run, "key", work) for _ in range(3)]
        wait_for_followers(3)
        work.gate.open()
        got = [run.exception(PATIENCE) or run.result(PATIENCE) for run in runs]
    assert got == [error or 42] * 4
    assert work.done == 1


def test_work_under_another_key_is_not_joined():
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(flight.run, "slow", work)
        work.gate.wait_for_one()
        assert flight.run("quick", lambda: 1) == 1
        work.gate.open()
        assert slow.result(PATIENCE) == 42


def test_work_that_has_ended_is_done_anew():
    flight: SingleFlight[str, int] = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        flight.run("key", lambda: 1 // 0)
    assert flight.run("key", lambda: 1) == 1
    assert flight.run("key", lambda: 2) == 2


def test_work_behind_is_not_waited_for_and_joined_by_all_who_ask():
    flight: SingleFlight[str, int] = SingleFlight()
    work = Work()
    begun = flight.behind("key", work)
    work.gate.wait_for_one()
    assert begun is not None
    assert not begun.ended_within(0)
    assert flight.behind("key", work) is begun
    work.gate.open()
    assert begun.ended_within(PATIENCE)
    assert begun.future.result() == 42
    assert work.done == 1


def test_only_so_many_works_go_on_behind_and_each_makes_room_in_its_end():
    flight: SingleFlight[str, int] = SingleFlight(threads=2)
    works = [Work(), Work(ValueError("no"))]
    begun = [flight.behind(f"key {number}", work) for number, work in enumerate(works)]
    for work in works:
        work.gate.wait_for_one()
    assert flight.behind("one more", lambda: 1) is None
    assert flight.run("who waits anyway", lambda: 1) == 1
    for work, one in zip(works, begun, strict=True):
        work.gate.open()
        assert one is not None
        assert one.ended_within(PATIENCE)
    for thread in threading.enumerate():
        if thread.name == "behind":
            thread.join(PATIENCE)
    for _ in range(2):
        again = flight.behind("again", lambda: 7)
        assert again is not None
        assert again.future.result(PATIENCE) == 7


def test_without_a_thread_to_be_had_all_who_joined_are_told(monkeypatch):
    def no_more(_thread):
        raise RuntimeError("can't start new thread")

    flight: SingleFlight[str, int] = SingleFlight(threads=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        failed = flight.behind("key", lambda: 1)
    assert failed is not None
    with pytest.raises(Overloaded):
        failed.future.result(0)
    again = flight.behind("key", lambda: 2)
    assert again is not None
    assert again.future.result(PATIENCE) == 2
