"""Groups and their members, behind the port."""

from dataclasses import replace

import pytest

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Group
from stillroom_server.domain.names import UserName
from stillroom_server.services.ports import Database, Unit
from support.rows import DAY, DEV, NOW, a_user, ensure_user

ANA, BOB = UserName("ana"), UserName("bob")


def add_group(unit: Unit, name: str, *members: str, description: str | None = None) -> Group:
    """Add a group, and its members where needed."""
    for member in members:
        ensure_user(unit, member)
    names = tuple(map(UserName, members))
    return unit.groups.add(Group(0, name, NOW, description, names))


def test_a_group_comes_back_as_it_was_stored_with_its_members_sorted(database: Database) -> None:
    with database.writing() as unit:
        added = add_group(unit, "team", "bob", "ana", "bob", description="Bélow\nthe line")
        assert added.members == (ANA, BOB)
    with database.reading() as unit:
        assert unit.groups.get("team") == added
        assert unit.groups.all() == [added]
        assert unit.groups.get("Team") is None


def test_a_group_may_be_empty(database: Database) -> None:
    with database.writing() as unit:
        added = add_group(unit, "team")
    with database.reading() as unit:
        assert unit.groups.get("team") == added
        assert added.members == ()


def test_groups_are_sorted_by_name_and_keep_their_members_apart(database: Database) -> None:
    with database.writing() as unit:
        add_group(unit, "b", "ana")
        add_group(unit, "a-c")
        add_group(unit, "B", "ana", "bob")
        add_group(unit, "a.b", "bob")
    with database.reading() as unit:
        found = {group.name: group.members for group in unit.groups.all()}
    assert list(found) == ["B", "a-c", "a.b", "b"]
    assert found == {"B": (ANA, BOB), "a-c": (), "a.b": (BOB,), "b": (ANA,)}


def test_a_name_that_is_taken_is_a_conflict_and_the_unit_lives_on(database: Database) -> None:
    with database.writing() as unit:
        first = add_group(unit, "team", "ana")
        with pytest.raises(Conflict, match="team"):
            add_group(unit, "team", "bob")
        add_group(unit, "other")
    with database.reading() as unit:
        assert unit.groups.get("team") == first
        assert len(unit.groups.all()) == 2


def test_a_member_who_does_not_exist_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="nobody"), database.writing() as unit:
        unit.groups.add(Group(0, "team", NOW, None, (UserName("nobody"),)))
    with database.reading() as unit:
        assert unit.groups.all() == []
    with database.writing() as unit:
        group = add_group(unit, "team", "ana")
    with pytest.raises(NotFound, match="nobody"), database.writing() as unit:
        unit.groups.change(replace(group, members=(ANA, UserName("nobody"))))
    with database.reading() as unit:
        assert unit.groups.all() == [group]


def test_changing_a_group_stores_description_and_members(database: Database) -> None:
    with database.writing() as unit:
        group = add_group(unit, "team", "ana", description="old")
        other = add_group(unit, "other", "ana", "bob")
    with database.writing() as unit:
        unit.groups.change(replace(group, description=None, members=(BOB,), created=NOW + DAY))
    with database.reading() as unit:
        assert unit.groups.get("team") == replace(group, description=None, members=(BOB,))
        assert unit.groups.get("other") == other


def test_changing_a_group_that_is_gone_is_not_found(database: Database) -> None:
    with database.writing() as unit:
        group = add_group(unit, "team")
        unit.groups.delete(group)
        with pytest.raises(NotFound):
            unit.groups.change(group)


def test_deleting_a_group_leaves_its_members(database: Database) -> None:
    with database.writing() as unit:
        unit.groups.delete(add_group(unit, "team", "ana"))
    with database.reading() as unit:
        assert unit.groups.get("team") is None
        assert unit.groups.of_user(ANA) == frozenset()
        assert unit.users.get(ANA) is not None


def test_the_groups_of_a_user_are_found_by_the_name(database: Database) -> None:
    with database.writing() as unit:
        add_group(unit, "a", "ana", "bob")
        add_group(unit, "b", "ana")
    with database.reading() as unit:
        assert unit.groups.of_user(ANA) == {"a", "b"}
        assert unit.groups.of_user(BOB) == {"a"}
        assert unit.groups.of_user(DEV) == frozenset()


def test_a_deleted_user_is_in_no_group_and_a_new_one_of_that_name_neither(
    database: Database,
) -> None:
    with database.writing() as unit:
        add_group(unit, "team", "ana", "bob")
        ana = unit.users.get(ANA)
        assert ana is not None
        unit.users.delete(ana)
        unit.users.add(a_user("ana"))
    with database.reading() as unit:
        assert unit.groups.of_user(ANA) == frozenset()
        group = unit.groups.get("team")
        assert group is not None
        assert group.members == (BOB,)
