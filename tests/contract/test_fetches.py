"""Who fetched which file, behind the port."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from stillroom_server.domain.names import ProjectName
from stillroom_server.services.ports import Database, Fetch, FetchKey, FetchQuery
from support.rows import NOW

MINUTE = timedelta(minutes=1)
START = NOW.replace(second=0, microsecond=0)
KEY = FetchKey(
    minute=START,
    asked="dev/sandbox",
    held="dev/base",
    project=ProjectName("demo"),
    filename="demo-1.0.tar.gz",
    version="1",
    sha256="a" * 64,
    user="ann",
    token="t1",
    address="192.0.2.7",
)


def a_fetch(count: int = 1, **values: Any) -> Fetch:
    return Fetch(replace(KEY, **values), count)


def _add(database: Database, *fetches: Fetch) -> None:
    with database.writing() as unit:
        unit.fetches.add(fetches)


def _find(database: Database, limit: int = 100, **wanted: Any) -> list[Fetch]:
    with database.reading() as unit:
        return unit.fetches.find(FetchQuery(**wanted), limit)


def test_a_fetch_comes_back_as_it_was_added_without_a_serial(database: Database) -> None:
    bare = a_fetch(user="", token="", address="", sha256="", version="")
    _add(database, bare, a_fetch(3))
    assert _find(database) == [bare, a_fetch(3)]
    assert database.serial() == 0


def test_counts_of_the_same_key_add_up(database: Database) -> None:
    _add(database, a_fetch(2), a_fetch(1))
    _add(database, a_fetch(4), a_fetch(1, user="bob"))
    assert _find(database) == [a_fetch(7), a_fetch(1, user="bob")]


def test_whatever_differs_is_counted_apart(database: Database) -> None:
    others = {
        "minute": START - MINUTE,
        "asked": "dev/other",
        "held": "dev/other",
        "project": ProjectName("other"),
        "filename": "demo-1.0-py3-none-any.whl",
        "sha256": "b" * 64,
        "user": "bob",
        "token": "t2",
        "address": "192.0.2.8",
    }
    _add(database, a_fetch(), *(a_fetch(**{name: value}) for name, value in others.items()))
    found = _find(database)
    assert len(found) == len(others) + 1
    assert {fetch.count for fetch in found} == {1}


def test_nothing_to_add(database: Database) -> None:
    _add(database)
    assert _find(database) == []


def test_the_newest_come_first(database: Database) -> None:
    times = [a_fetch(minute=START + number * MINUTE) for number in (0, 2, 1)]
    _add(database, *times)
    assert [fetch.key.minute for fetch in _find(database)] == [
        START + 2 * MINUTE, START + MINUTE, START,
    ]  # fmt: skip
    assert _find(database, 1) == [times[1]]


def test_what_is_asked_for_is_found(database: Database) -> None:
    held_here = a_fetch(asked="dev/else", held="dev/sandbox")
    other = a_fetch(
        project=ProjectName("other"), version="2", filename="other-2.0.tar.gz", user="bob"
    )
    elsewhere = a_fetch(asked="dev/else", held="dev/else")
    _add(database, a_fetch(), held_here, other, elsewhere)
    assert _find(database, index="dev/sandbox") == [held_here, a_fetch(), other]
    assert _find(database, project=ProjectName("other")) == [other]
    assert _find(database, version="2") == [other]
    assert _find(database, filename="other-2.0.tar.gz") == [other]
    assert _find(database, user="bob", index="dev/base") == [other]
    assert _find(database, user="bob", index="dev/else") == []


def test_a_time_begins_with_its_first_minute_and_ends_before_its_last(database: Database) -> None:
    times = [a_fetch(minute=START + number * MINUTE) for number in range(4)]
    _add(database, *times)
    found = _find(database, since=START + MINUTE, until=START + 3 * MINUTE)
    assert found == [times[2], times[1]]


def test_old_ones_are_deleted_in_bounded_parts(database: Database) -> None:
    _add(database, *(a_fetch(minute=START + number * MINUTE) for number in range(5)))
    cut = START + 3 * MINUTE
    with database.writing() as unit:
        assert unit.fetches.count_before(cut) == 3
        assert unit.fetches.delete_before(cut, 2) == 2
        assert unit.fetches.delete_before(cut, 2) == 1
        assert unit.fetches.delete_before(cut, 2) == 0
        assert unit.fetches.count_before(cut) == 0
    assert [fetch.key.minute for fetch in _find(database)] == [START + 4 * MINUTE, cut]
