"""Upstreams' lists of all their projects, behind the port."""

from dataclasses import replace

import pytest

from stillroom_server.domain.errors import Conflict
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import NameList, Validators
from stillroom_server.services.ports import Database, Unit
from support.rows import DAY, NOW, add_mirror

TAG = Validators('W/"tag"', "Sun, 01 Mar 2026 12:00:00 GMT")

# A language's rules would put `-` aside, and sort digits, cases and accents otherwise.
IN_ORDER = [
    "-",
    "0",
    "10",
    "9",
    "A",
    "Z",
    "a",
    "a-b",
    "a-z",
    "a.b",
    "a_b",
    "ab",
    "b",
    "é",
    "\U0010fffe",
]


def _names(*names: str) -> list[ProjectName]:
    return [ProjectName(name) for name in names]


def _list(unit: Unit, mirror: Index, *names: str) -> NameList:
    """A list that is complete, and holds."""
    list_id = unit.mirror_names.begin(mirror, NOW)
    unit.mirror_names.add(list_id, _names(*names))
    full = NameList(list_id, NOW, unit.mirror_names.count(list_id))
    unit.mirror_names.complete(mirror, full)
    return full


def _drop_all(unit: Unit) -> int:
    """Whatever the clock of a database says now, it says less than this."""
    return unit.mirror_names.drop(NOW + 100_000 * DAY, 1000)


def test_a_list_comes_back_as_it_was_completed(database: Database) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        assert unit.mirror_names.current(mirror) is None
        list_id = unit.mirror_names.begin(mirror, NOW - DAY)
        assert unit.mirror_names.current(mirror) is None
        full = NameList(list_id, NOW, 7, TAG)
        unit.mirror_names.complete(mirror, full)
    with database.reading() as unit:
        assert unit.mirror_names.current(mirror) == full
        assert unit.mirror_names.current(other) is None


def test_names_are_sorted_by_code_point(database: Database) -> None:
    with database.writing() as unit:
        names = _list(unit, add_mirror(unit), *reversed(IN_ORDER))
    with database.reading() as unit:
        assert unit.mirror_names.after(names.id, "", 100) == IN_ORDER
        assert unit.mirror_names.with_prefix(names.id, "", 100) == IN_ORDER


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_names_are_read_in_pages(database: Database, size: int) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        names = _list(unit, mirror, *IN_ORDER)
        _list(unit, add_mirror(unit, "root/other"), "aa", "bb")
    read: list[str] = []
    with database.reading() as unit:
        while page := unit.mirror_names.after(names.id, read[-1] if read else "", size):
            assert len(page) <= size
            read.extend(page)
        assert unit.mirror_names.after(names.id, IN_ORDER[-1], size) == []
        assert unit.mirror_names.after(names.id, "aa", 1) == ["ab"]
    assert read == IN_ORDER


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("a", ["a", "a%", "a-b", "a-c", "ab", "a_b"]),
        ("a-", ["a-b", "a-c"]),
        ("a%", ["a%"]),
        ("a_", ["a_b"]),
        ("%", ["%"]),
        ("_", []),
        ("b", ["b"]),
        ("ab", ["ab"]),
        ("abc", []),
        ("zz", ["zz", "zzz"]),
        ("\\", []),
        ("'", []),
    ],
)
def test_a_prefix_is_meant_as_it_is_written(
    database: Database, prefix: str, found: list[str]
) -> None:
    with database.writing() as unit:
        stored = ("%", "a", "a%", "a-b", "a-c", "ab", "a_b", "b", "zz", "zzz")
        names = _list(unit, add_mirror(unit), *stored)
        _list(unit, add_mirror(unit, "root/other"), *(f"{name}-other" for name in stored))
    with database.reading() as unit:
        assert unit.mirror_names.with_prefix(names.id, prefix, 100) == sorted(found)
        assert unit.mirror_names.with_prefix(names.id, prefix, 2) == sorted(found)[:2]
        assert unit.mirror_names.with_prefix(names.id, prefix, 0) == []


def test_many_names_are_added_at_once_and_each_counts_once(database: Database) -> None:
    many = _names(*(f"project-{n % 7000}" for n in range(10_000)))
    with database.writing() as unit:
        mirror = add_mirror(unit)
        list_id = unit.mirror_names.begin(mirror, NOW)
        unit.mirror_names.add(list_id, many)
        assert unit.mirror_names.count(list_id) == 7000
    with database.writing() as unit:
        unit.mirror_names.add(list_id, many[:10])
        unit.mirror_names.add(list_id, _names("new", "new"))
        unit.mirror_names.add(list_id, [])
        assert unit.mirror_names.count(list_id) == 7001
    with database.reading() as unit:
        assert unit.mirror_names.after(list_id, "", 10_000) == sorted({*many, "new"})


def test_a_list_that_grows_leaves_the_one_that_holds_alone(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        old = _list(unit, mirror, "a", "b")
        new = unit.mirror_names.begin(mirror, NOW)
        assert new != old.id
        unit.mirror_names.add(new, _names("b", "c"))
    with database.writing() as unit:
        assert unit.mirror_names.current(mirror) == old
        assert unit.mirror_names.after(old.id, "", 9) == ["a", "b"]
        unit.mirror_names.complete(mirror, NameList(new, NOW + DAY, 2))
    with database.reading() as unit:
        assert unit.mirror_names.current(mirror) == NameList(new, NOW + DAY, 2)
        assert unit.mirror_names.after(new, "", 9) == ["b", "c"]
        assert unit.mirror_names.after(old.id, "", 9) == ["a", "b"], "it may still be read"


def test_of_two_lists_that_grow_at_once_the_last_to_be_completed_holds(
    database: Database,
) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        first, second = (unit.mirror_names.begin(mirror, NOW) for _ in range(2))
        for list_id in (second, first):
            unit.mirror_names.add(list_id, _names("a"))
            unit.mirror_names.complete(mirror, NameList(list_id, NOW, 1))
    with database.reading() as unit:
        assert unit.mirror_names.current(mirror) == NameList(first, NOW, 1)


def test_a_confirmed_list_keeps_all_but_its_time(database: Database) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        names, others = _list(unit, mirror, "a"), _list(unit, other, "a")
        unit.mirror_names.complete(mirror, replace(names, validators=TAG))
    with database.writing() as unit:
        unit.mirror_names.touch(names, NOW + DAY)
    with database.reading() as unit:
        now = replace(names, validators=TAG, fetched=NOW + DAY)
        assert unit.mirror_names.current(mirror) == now
        assert unit.mirror_names.current(other) == others


def test_an_expired_list_holds_no_more_and_may_still_be_read(database: Database) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        names, others = _list(unit, mirror, "a"), _list(unit, other, "b")
        unit.mirror_names.expire(mirror)
    with database.reading() as unit:
        assert unit.mirror_names.current(mirror) is None
        assert unit.mirror_names.after(names.id, "", 9) == ["a"]
        assert unit.mirror_names.current(other) == others


def test_lists_are_dropped_in_steps_and_what_holds_stays(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        old = _list(unit, mirror, "a", "b", "c")
        unfinished = unit.mirror_names.begin(mirror, NOW)
        unit.mirror_names.add(unfinished, _names("a", "b"))
        holding = _list(unit, mirror, "a", "d")
        before = NOW + 100_000 * DAY
        assert [unit.mirror_names.drop(before, 2) for _ in range(4)] == [2, 2, 1, 0]
    with database.writing() as unit:
        assert unit.mirror_names.count(old.id) == 0
        assert unit.mirror_names.count(unfinished) == 0
        assert unit.mirror_names.current(mirror) == holding
        assert unit.mirror_names.after(holding.id, "", 9) == ["a", "d"]


def test_a_list_is_discarded_in_steps_unless_it_holds(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        holding = _list(unit, mirror, "a", "b")
        other, refused = (unit.mirror_names.begin(mirror, NOW) for _ in range(2))
        for list_id in (other, refused):
            unit.mirror_names.add(list_id, _names("a", "b", "c"))
        assert [unit.mirror_names.discard(refused, 2) for _ in range(3)] == [2, 1, 0]
        assert unit.mirror_names.discard(holding.id, 2) == 0
    with database.reading() as unit:
        assert unit.mirror_names.count(refused) == 0
        assert unit.mirror_names.count(other) == 3
        assert unit.mirror_names.count(holding.id) == 2


def test_a_list_is_kept_for_a_time_after_it_held(database: Database) -> None:
    """It was begun long ago; what counts is since when it does not hold."""
    with database.writing() as unit:
        mirror = add_mirror(unit)
        old, _new = _list(unit, mirror, "a"), _list(unit, mirror, "b")
        growing = unit.mirror_names.begin(mirror, NOW)
        unit.mirror_names.add(growing, _names("c"))
        assert unit.mirror_names.drop(NOW, 10) == 0
        assert unit.mirror_names.drop(NOW + DAY, 10) == 1
        assert unit.mirror_names.count(growing) == 0
        assert unit.mirror_names.count(old.id) == 1


def test_a_list_that_was_dropped_can_neither_grow_nor_hold(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        holding = _list(unit, mirror, "a")
        list_id = unit.mirror_names.begin(mirror, NOW)
        unit.mirror_names.add(list_id, _names("a"))
        assert _drop_all(unit) == 1
    with pytest.raises(Conflict), database.writing() as unit:
        unit.mirror_names.add(list_id, _names("b"))
    with pytest.raises(Conflict), database.writing() as unit:
        unit.mirror_names.complete(mirror, NameList(list_id, NOW, 1))
    with database.reading() as unit:
        assert unit.mirror_names.current(mirror) == holding


def test_the_id_of_a_dropped_list_does_not_come_again(database: Database) -> None:
    """ETags are made of them."""
    with database.writing() as unit:
        mirror = add_mirror(unit)
        first = unit.mirror_names.begin(mirror, NOW)
        _drop_all(unit)
        assert unit.mirror_names.begin(mirror, NOW) != first


def test_a_list_of_an_index_that_is_gone_is_a_conflict(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.indexes.delete(mirror)
    with pytest.raises(Conflict), database.writing() as unit:
        unit.mirror_names.begin(mirror, NOW)
