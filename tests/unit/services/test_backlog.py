"""What waits in memory to be written."""

import logging
import operator
from collections.abc import Mapping

import pytest

from stillroom_server.domain.errors import Trouble
from stillroom_server.services import backlog
from stillroom_server.services.backlog import Backlog


class Sink:
    """Takes what is written; `fails` says at which call it raises, from 0."""

    def __init__(self, fails: int | None = None) -> None:
        self.parts: list[dict[str, int]] = []
        self._fails = fails

    def __call__(self, part: Mapping[str, int]) -> None:
        self.parts.append(dict(part))
        if len(self.parts) - 1 == self._fails:
            raise Trouble("away")


@pytest.fixture
def waiting() -> Backlog[str, int]:
    waiting: Backlog[str, int] = Backlog(operator.add, limit=3)
    for key in ("a", "b", "a"):
        assert waiting.add(key, 1)
    return waiting


def test_values_of_a_key_become_one(waiting: Backlog[str, int]) -> None:
    sink = Sink()
    assert (waiting.get("a"), waiting.get("c"), len(waiting)) == (2, None, 2)
    assert waiting.flush(sink) == 2
    assert sink.parts == [{"a": 2, "b": 1}]
    assert waiting.flush(sink) == len(waiting) == 0
    assert len(sink.parts) == 1


def test_what_is_over_the_limit_is_let_go_unless_its_key_waits(waiting: Backlog[str, int]) -> None:
    assert waiting.add("c", 1)
    assert not waiting.add("d", 1)
    assert waiting.add("a", 1)
    assert waiting.get("d") is None


def test_a_failure_loses_nothing_and_doubles_nothing(
    waiting: Backlog[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "BATCH", 1)
    waiting.add("c", 5)
    with pytest.raises(Trouble, match="away"):
        waiting.flush(Sink(fails=1))
    assert len(waiting) == 2
    sink = Sink()
    assert waiting.flush(sink) == 2
    assert sorted(key for part in sink.parts for key in part) == ["b", "c"]


def test_what_comes_meanwhile_is_added_to_what_is_taken_back(waiting: Backlog[str, int]) -> None:
    def meanwhile(_part: Mapping[str, int]) -> None:
        assert waiting.add("a", 1)
        raise Trouble("away")

    with pytest.raises(Trouble, match="away"):
        waiting.flush(meanwhile)
    assert waiting.get("a") == 3


def test_what_comes_meanwhile_waits_for_the_next_time(waiting: Backlog[str, int]) -> None:
    calls = []

    def meanwhile(part: Mapping[str, int]) -> None:
        calls.append(part)
        waiting.add("late", 1)

    assert waiting.flush(meanwhile) == 2
    assert (len(calls), waiting.get("late")) == (1, 1)


class Strict:
    """Refuses parts that hold the key "bad", and everything while `away` is set."""

    away = False

    def __init__(self) -> None:
        self.written: dict[str, int] = {}

    def __call__(self, part: Mapping[str, int]) -> None:
        if "bad" in part:
            raise ValueError("this is refused")
        if self.away:
            raise Trouble("away")
        self.written.update(part)


def _with_a_bad_one() -> Backlog[str, int]:
    waiting: Backlog[str, int] = Backlog(operator.add, limit=100)
    for key in ("a", "b", "c", "bad", "d", "e", "f"):
        waiting.add(key, 1)
    return waiting


def test_what_is_refused_is_let_go_and_all_else_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting, strict = _with_a_bad_one(), Strict()
    with caplog.at_level(logging.ERROR):
        assert waiting.flush(strict) == 6
    assert strict.written == dict.fromkeys("abcdef", 1)
    assert len(waiting) == 0
    assert "refused: 'bad'" in caplog.text


def test_trouble_while_the_refused_one_is_looked_for_loses_nothing_and_doubles_nothing() -> None:
    waiting, strict = _with_a_bad_one(), Strict()

    def breaks_down(part: Mapping[str, int]) -> None:
        strict(part)
        strict.away = True

    with pytest.raises(Trouble, match="away"):
        waiting.flush(breaks_down)
    assert set(strict.written).isdisjoint(key for key in "abcdef" if waiting.get(key))
    assert len(strict.written) + len(waiting) >= 6
    strict.away = False
    waiting.flush(strict)
    assert strict.written == dict.fromkeys("abcdef", 1)
