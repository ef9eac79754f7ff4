"""Passwords with argon2id, and how many are computed at once."""

import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest

from stillroom_server.builtin.password import WAITING, Argon2Hasher
from stillroom_server.plugin.api import Overloaded
from support.fake_upstream import PATIENCE


class GatedLibrary:
    """In the place of argon2: takes until it is let go, and counts."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.begun = threading.Semaphore(0)
        self._let_go = threading.Event()
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.begun.release()
        assert self._let_go.wait(PATIENCE)
        with self._lock:
            self.running -= 1
        return f"gated:{password}"

    def let_go(self) -> None:
        self._let_go.set()


def test_a_hash_is_argon2id_salted_and_matches_its_password_alone():
    hasher = Argon2Hasher()
    first, second = hasher.hash("a password"), hasher.hash("a password")
    assert first.startswith("$argon2id$")
    assert first != second
    assert hasher.verify(first, "a password")
    assert not hasher.verify(first, "another")


@pytest.mark.parametrize("kept", ["", "nonsense", "$argon2id$v=19$broken"])
def test_what_is_no_hash_matches_nothing(kept):
    assert not Argon2Hasher().verify(kept, "a password")


def test_for_nobody_it_takes_as_long_and_says_no():
    hasher = Argon2Hasher()
    kept = hasher.hash("a password")
    assert not hasher.verify(None, "the password of nobody")
    before = time.process_time()
    hasher.verify(kept, "wrong")
    known = time.process_time() - before
    before = time.process_time()
    hasher.verify(None, "wrong")
    assert time.process_time() - before > known / 4


@pytest.fixture
def gated(monkeypatch):
    library = GatedLibrary()
    hasher = Argon2Hasher(parallel=2)
    monkeypatch.setattr(hasher, "_library", lambda: library)
    yield hasher, library
    library.let_go()


def test_only_so_many_are_computed_at_once(gated):
    hasher, library = gated
    with ThreadPoolExecutor(8) as pool:
        hashes = [pool.submit(hasher.hash, str(number)) for number in range(8)]
        for _ in range(2):
            assert library.begun.acquire(timeout=PATIENCE)
        library.let_go()
        assert [h.result(PATIENCE) for h in hashes] == [f"gated:{n}" for n in range(8)]
    assert library.most == 2


def test_beyond_those_who_wait_everybody_is_sent_away_at_once(gated):
    hasher, library = gated
    places = 2 * WAITING
    with ThreadPoolExecutor(places + 1) as pool:
        waiting = [pool.submit(hasher.hash, "x") for _ in range(places + 1)]
        # One of them finds no place, whichever it is; the others wait until they are let go.
        [refused] = _done_first(waiting)
        assert isinstance(refused.exception(PATIENCE), Overloaded)
        library.let_go()
        assert sum(1 for future in waiting if future.exception(PATIENCE) is None) == places
    assert hasher.hash("later") == "gated:later"


def test_whoever_has_a_place_takes_no_second_one(gated):
    hasher, library = gated
    library.let_go()
    with ExitStack() as others, ThreadPoolExecutor(2 * WAITING) as pool:
        left = threading.Event()
        taken = threading.Barrier(2 * WAITING)
        others.callback(left.set)

        def keep() -> None:
            with hasher.place():
                taken.wait(PATIENCE)
                assert left.wait(PATIENCE)

        for _ in range(2 * WAITING - 1):
            pool.submit(keep)
        with hasher.place():
            taken.wait(PATIENCE)
            assert hasher.hash("mine") == "gated:mine"
            with hasher.place():
                pass
            with pytest.raises(Overloaded):
                pool.submit(hasher.hash, "another").result(PATIENCE)
        assert pool.submit(hasher.hash, "another").result(PATIENCE) == "gated:another"


def _done_first(futures):
    return wait(futures, timeout=PATIENCE, return_when=FIRST_COMPLETED).done
