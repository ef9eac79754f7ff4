"""Indexes and their bases, behind the port."""

import pytest

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.upstream import CachedPage, NameList, Validators
from stillroom_server.services.ports import Database
from support.rows import (
    DEV,
    NOW,
    a_new_file,
    a_user,
    add_mirror,
    add_project,
    add_stage,
)

BASE = IndexName(DEV, "base")


def test_an_index_comes_back_with_the_types_of_its_options(database: Database) -> None:
    options = {
        "bases": ("root/mirror", "dev/base"),
        "volatile": False,
        "acl_upload": ("dev", ":team"),
        "acl_read": (),
        "title": "Ünïcode",
        "seconds": 600,
    }
    with database.writing() as unit:
        add_mirror(unit)
        add_stage(unit)
        added = unit.indexes.add(IndexName(DEV, "top"), "stage", options, NOW, has_upstream=False)
    with database.reading() as unit:
        stored = unit.indexes.get(IndexName(DEV, "top"))
    assert stored == added
    assert stored is not None
    assert stored.options == options
    assert stored.bases == (IndexName(UserName("root"), "mirror"), BASE)


def test_an_index_without_bases_still_has_the_option(database: Database) -> None:
    with database.writing() as unit:
        stage, mirror = add_stage(unit), add_mirror(unit)
    with database.reading() as unit:
        assert unit.indexes.get(stage.name) == stage
        assert stage.options["bases"] == ()
        assert unit.indexes.get(mirror.name) == mirror
        assert "bases" not in mirror.options
        assert unit.indexes.get(IndexName(DEV, "none")) is None


def test_indexes_are_listed_by_user_and_name(database: Database) -> None:
    with database.writing() as unit:
        for name in ("dev/b", "Zoe/x", "dev/a-b", "dev/a.a", "dev/a"):
            add_stage(unit, name)
        names = ["Zoe/x", "dev/a", "dev/a-b", "dev/a.a", "dev/b"]
        assert [str(index.name) for index in unit.indexes.all()] == names
        assert [str(index.name) for index in unit.indexes.of_user(DEV)] == names[1:]


def test_a_name_that_is_taken_is_a_conflict(database: Database) -> None:
    with database.writing() as unit:
        first = add_stage(unit, title="first")
        with pytest.raises(Conflict, match="dev/base"):
            add_stage(unit, title="second")
        assert unit.indexes.get(BASE) == first


def test_an_index_for_nobody_is_not_found(database: Database) -> None:
    with database.writing() as unit, pytest.raises(NotFound, match="dev"):
        unit.indexes.add(BASE, "stage", {}, NOW, has_upstream=False)


def test_a_base_that_is_missing_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="dev/none"), database.writing() as unit:
        add_stage(unit, "dev/top", "dev/none")
    with database.reading() as unit:
        assert unit.indexes.all() == []


def test_changed_options_replace_the_old_ones(database: Database) -> None:
    with database.writing() as unit:
        for name in ("dev/a", "dev/b"):
            add_stage(unit, name)
        top = add_stage(unit, "dev/top", "dev/a", "dev/b", title="old")
    with database.writing() as unit:
        options = {"bases": ("dev/b", "dev/a"), "volatile": False}
        changed = unit.indexes.change(top, options)
    with database.reading() as unit:
        assert unit.indexes.get(top.name) == changed
        assert changed.options == options
        assert changed.id == top.id


def test_changing_an_index_that_is_gone_is_not_found(database: Database) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        unit.indexes.delete(index)
        with pytest.raises(NotFound):
            unit.indexes.change(index, {"bases": ()})


def test_heirs_are_those_that_inherit_directly(database: Database) -> None:
    with database.writing() as unit:
        add_stage(unit)
        add_stage(unit, "dev/z", "dev/base")
        add_stage(unit, "dev/middle", "dev/base")
        add_stage(unit, "dev/top", "dev/middle")
        assert unit.indexes.heirs(BASE) == [IndexName(DEV, "middle"), IndexName(DEV, "z")]
        assert unit.indexes.heirs(IndexName(DEV, "top")) == []
        assert unit.indexes.heirs(IndexName(DEV, "none")) == []


def test_an_index_comes_with_all_that_it_inherits_from(database: Database) -> None:
    with database.writing() as unit:
        mirror, base = add_mirror(unit), add_stage(unit)
        other = add_stage(unit, "dev/other", str(mirror.name), "dev/base")
        middle = add_stage(unit, "dev/middle", "dev/base", str(mirror.name))
        top = add_stage(unit, "dev/top", "dev/middle", "dev/other", title="top")
        add_stage(unit, "dev/heir", "dev/top")
    with database.reading() as unit:
        found = {index.name: index for index in unit.indexes.with_bases(top.name)}
        assert found == {index.name: index for index in (top, middle, other, base, mirror)}
        assert unit.indexes.with_bases(mirror.name) == [mirror]
        assert unit.indexes.with_bases(IndexName(DEV, "none")) == []


def test_an_index_that_others_inherit_from_cannot_be_deleted(database: Database) -> None:
    with database.writing() as unit:
        base = add_stage(unit)
        add_stage(unit, "dev/top", "dev/base")
    with pytest.raises(Conflict), database.writing() as unit:
        unit.indexes.delete(base)
    with database.reading() as unit:
        assert unit.indexes.get(BASE) == base


def test_deleting_a_stage_deletes_all_that_it_holds(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other", "dev/base")
        for index in (base, other):
            project = add_project(unit, index)
            unit.projects.set_release(project, "1.0", {"name": "demo"})
            unit.files.add(project, a_new_file())
            gone = unit.files.add(project, a_new_file("demo-0.9.tar.gz", version="0.9"))
            unit.files.delete(gone, NOW)
    with database.writing() as unit:
        unit.indexes.delete(other)
    with database.writing() as unit:
        assert unit.indexes.get(other.name) is None
        again = add_stage(unit, "dev/other")
        assert again.id != other.id
        assert unit.projects.names([again]) == []
        assert unit.files.get(again, "demo-1.0.tar.gz") is None
        assert not unit.files.was_deleted(again, "demo-0.9.tar.gz")
        assert unit.files.get(base, "demo-1.0.tar.gz") is not None
        assert unit.files.was_deleted(base, "demo-0.9.tar.gz")


def test_deleting_a_mirror_forgets_its_pages_and_names(database: Database) -> None:
    name = ProjectName("demo")
    page = CachedPage(name, (), exists=True, validators=Validators(), checked=NOW)
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, page)
        names = unit.mirror_names.begin(mirror, NOW)
        unit.mirror_names.add(names, [name])
        unit.mirror_names.complete(mirror, NameList(names, NOW, 1))
        unit.indexes.delete(mirror)
        again = add_mirror(unit)
        assert unit.mirror_pages.get(again, name) is None
        assert unit.mirror_names.current(again) is None
        assert unit.mirror_names.count(names) == 0


def test_two_users_may_have_indexes_of_one_name(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user("other"))
        first, second = add_stage(unit, "dev/base"), add_stage(unit, "other/base")
        assert first.id != second.id
        assert unit.indexes.get(second.name) == second


def test_indexes_are_found_by_whom_their_lists_name(database: Database) -> None:
    lists = {
        "dev/a": {"acl_read": ("dev", ":team"), "acl_upload": ()},
        "dev/b": {"acl_read": (), "acl_upload": (":team",)},
        "dev/c": {"acl_read": (":team2", "team", "x:team"), "acl_upload": (":teams",)},
        "dev/d": {"acl_read": ("a_b",), "acl_upload": ()},
        "dev/e": {"acl_read": ("aXb",), "acl_upload": ()},
    }
    with database.writing() as unit:
        unit.users.add(a_user())
        for name, options in lists.items():
            unit.indexes.add(IndexName.parse(name), "stage", options, NOW, has_upstream=False)
    with database.reading() as unit:
        for principal, names in ((":team", "ab"), ("team", "c"), ("a_b", "d"), ("nobody", "")):
            found = [index.name.index for index in unit.indexes.naming(principal)]
            assert found == list(names), principal


def test_options_of_many_change_at_once_and_their_bases_stay(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        options = {"bases": ("dev/base",), "acl_read": ("dev", ":team")}
        top = unit.indexes.add(IndexName(DEV, "top"), "stage", options, NOW, has_upstream=False)
        unit.indexes.change_lists([])
        unit.indexes.change_lists(
            [
                (top, {**top.options, "acl_read": ("dev",)}),
                (other, {**other.options, "title": "x"}),
            ]
        )
    with database.reading() as unit:
        changed = unit.indexes.get(top.name)
        assert changed is not None
        assert changed.options == {"bases": ("dev/base",), "acl_read": ("dev",)}
        assert unit.indexes.heirs(base.name) == [top.name]
        assert unit.indexes.get(base.name) == base
        titled = unit.indexes.get(other.name)
        assert titled is not None
        assert titled.options["title"] == "x"


def test_a_list_names_somebody_in_an_index_and_perhaps_in_its_bases(database: Database) -> None:
    everyone, anna = (":ANONYMOUS:",), ("anna", "a_na")
    made = {
        "dev/open": {"acl_read": everyone, "acl_upload": ()},
        "dev/closed": {"acl_read": anna, "acl_upload": everyone},
        "dev/heir": {"bases": ("dev/open",), "acl_read": everyone},
        "dev/half": {"bases": ("dev/open", "dev/closed"), "acl_read": everyone},
        "dev/deep": {"bases": ("dev/half",), "acl_read": everyone},
        "dev/without": {},
        "dev/last": {"bases": ("dev/without",), "acl_read": everyone},
    }
    with database.writing() as unit:
        unit.users.add(a_user())
        for name, options in made.items():
            unit.indexes.add(IndexName.parse(name), "stage", options, NOW, has_upstream=False)

    def named(option: str, principal: str, *, with_bases: bool) -> set[str]:
        with database.reading() as unit:
            return {
                name
                for name in [*made, "dev/none", "none/open"]
                if unit.indexes.lists(
                    IndexName.parse(name), option, principal, with_bases=with_bases
                )
            }

    itself = {"dev/open", "dev/heir", "dev/half", "dev/deep", "dev/last"}
    assert named("acl_read", ":ANONYMOUS:", with_bases=False) == itself
    assert named("acl_read", ":ANONYMOUS:", with_bases=True) == {"dev/open", "dev/heir"}
    assert named("acl_upload", ":ANONYMOUS:", with_bases=False) == {"dev/closed"}
    assert named("acl_read", "anna", with_bases=True) == {"dev/closed"}
    assert named("acl_read", "ann", with_bases=False) == set()
