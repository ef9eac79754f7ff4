"""Projects, releases and files of stages, behind the ports."""

from dataclasses import replace

import pytest

from stillroom_server.domain.distributions import FileType
from stillroom_server.domain.errors import Conflict
from stillroom_server.domain.files import Release
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status
from stillroom_server.services.ports import Database
from support.rows import DEV, NOW, a_new_file, add_project, add_stage, sha256_of

DEMO = ProjectName("demo")


def test_a_project_lives_where_it_was_first_seen_and_stays_the_same(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        first = unit.projects.ensure(base, DEMO, "Demo", NOW)
        assert unit.projects.ensure(base, DEMO, "DEMO", NOW) == first
    with database.reading() as unit:
        assert unit.projects.get(base, DEMO) == first
        assert unit.projects.get(other, DEMO) is None


@pytest.mark.parametrize(
    "status",
    [ProjectStatus(Status.ARCHIVED, "Use dëmo2"), *(ProjectStatus(one) for one in Status)],
    ids=str,
)
def test_a_status_is_kept_until_another_is_set(database: Database, status: ProjectStatus) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project = add_project(unit, index)
        other = add_project(unit, index, "other")
        assert project.status == ACTIVE
        unit.projects.set_status(project, ProjectStatus(Status.DEPRECATED, "Old"))
        unit.projects.set_status(project, status)
        assert unit.projects.ensure(index, DEMO, "Demo", NOW).status == status
    with database.reading() as unit:
        assert unit.projects.get(index, DEMO) == replace(project, status=status)
        assert unit.projects.get(index, other.name) == other


def test_a_project_in_an_index_that_is_gone_is_a_conflict(database: Database) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        unit.indexes.delete(index)
    with pytest.raises(Conflict), database.writing() as unit:
        add_project(unit, index)


def test_names_are_sorted_and_each_comes_once(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        for index, name in ((base, "b"), (other, "b"), (other, "a-c"), (base, "ab")):
            add_project(unit, index, name)
        assert unit.projects.names([base, other]) == ["a-c", "ab", "b"]
        assert unit.projects.names([base]) == ["ab", "b"]
        assert unit.projects.names([base, other], "a") == ["a-c", "ab"]
        assert unit.projects.names([base, other], "a_") == []
        assert unit.projects.names([base, other], "b") == ["b"]
        assert unit.projects.names([]) == []


def test_holders_are_the_stages_in_which_a_project_lives(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        third = add_stage(unit, "dev/third")
        add_project(unit, base)
        add_project(unit, third)
        assert unit.projects.holders([base, other, third], DEMO) == {base.id, third.id}
        assert unit.projects.holders([other], DEMO) == set()
        assert unit.projects.holders([], DEMO) == set()


def test_releases_keep_their_metadata_and_order(database: Database) -> None:
    metadata = {"name": "Demo", "classifiers": ["a", "b"], "description": "Long\n" * 1000}
    with database.writing() as unit:
        project = add_project(unit, add_stage(unit))
        unit.projects.set_release(project, "2.0", metadata)
        unit.projects.set_release(project, "1.0", {"name": "old"})
        unit.projects.set_release(project, "1.0", {"name": "new"})
    with database.reading() as unit:
        assert unit.projects.releases(project) == [
            Release(DEMO, "2.0", metadata),
            Release(DEMO, "1.0", {"name": "new"}),
        ]


def test_a_file_comes_back_as_it_was_stored(database: Database) -> None:
    new = a_new_file(
        "Demo-1.0-py3-none-any.whl",
        key="demo-1.0-any-none-py3.whl",
        filetype=FileType.WHEEL,
        python_tag="py3",
        size=5_000_000_000,
        requires_python=">=3.11",
        metadata_sha256=sha256_of("metadata"),
        metadata_size=77,
        yanked="broken",
        pushed_from=IndexName(DEV, "other"),
    )
    with database.writing() as unit:
        index = add_stage(unit)
        added = unit.files.add(add_project(unit, index), new)
    with database.reading() as unit:
        assert unit.files.get(index, new.filename) == added
        assert unit.files.by_key(index, new.key) == added
        assert unit.files.of_project(index, DEMO) == [added]
        assert unit.files.get(index, new.key) is None
        assert unit.files.by_key(index, new.filename) is None
    assert (added.index, added.project, added.size) == (index.name, "demo", 5_000_000_000)
    assert added.filetype is FileType.WHEEL


def test_files_of_a_project_come_oldest_first_and_from_one_stage(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        for index in (base, other):
            project = add_project(unit, index)
            for name in ("demo-2.0.tar.gz", "demo-1.0.tar.gz"):
                unit.files.add(project, a_new_file(name))
        names = [file.filename for file in unit.files.of_project(base, DEMO)]
        assert names == ["demo-2.0.tar.gz", "demo-1.0.tar.gz"]


@pytest.mark.parametrize(
    "second",
    [
        a_new_file("demo-1.0.tar.gz"),
        a_new_file("Demo-1.0.tar.gz"),
        a_new_file("demo-1.0.tar.gz", key="another-key"),
    ],
)
def test_a_key_or_name_that_is_taken_is_a_conflict(database: Database, second) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project = add_project(unit, index)
        first = unit.files.add(project, a_new_file())
        with pytest.raises(Conflict, match="File already exists"):
            unit.files.add(project, replace(second, sha256=sha256_of("other")))
    with database.reading() as unit:
        assert unit.files.of_project(index, DEMO) == [first]


def test_a_file_for_a_project_that_is_gone_is_a_conflict(database: Database) -> None:
    with database.writing() as unit:
        project = add_project(unit, add_stage(unit))
        unit.projects.delete(project)
    with pytest.raises(Conflict), database.writing() as unit:
        unit.files.add(project, a_new_file())


def test_a_deleted_file_leaves_its_release_and_its_name_is_remembered(database: Database) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project = add_project(unit, index)
        unit.projects.set_release(project, "1.0", {"name": "demo"})
        file = unit.files.add(project, a_new_file())
        assert not unit.files.was_deleted(index, file.key)
        unit.files.delete(file, NOW)
        assert unit.files.was_deleted(index, file.key)
        assert unit.files.get(index, file.filename) is None
        assert len(unit.projects.releases(project)) == 1
        assert unit.projects.get(index, DEMO) == project


def test_a_name_may_be_used_and_deleted_again(database: Database) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project = add_project(unit, index)
        for _ in range(2):
            file = unit.files.add(project, a_new_file())
            unit.files.delete(file, NOW)
        unit.files.delete(file, NOW)
        assert unit.files.was_deleted(index, file.key)


def test_deleting_a_release_takes_its_files_and_remembers_their_names(database: Database) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project = add_project(unit, index)
        for version in ("1.0", "2.0"):
            unit.projects.set_release(project, version, {})
            unit.files.add(project, a_new_file(f"demo-{version}.tar.gz", version=version))
        unit.projects.delete_release(project, "1.0")
        assert [release.version for release in unit.projects.releases(project)] == ["2.0"]
        assert [file.version for file in unit.files.of_project(index, DEMO)] == ["2.0"]
        assert unit.files.was_deleted(index, "demo-1.0.tar.gz")
        assert not unit.files.was_deleted(index, "demo-2.0.tar.gz")


def test_deleting_a_project_takes_all_of_it_and_remembers_the_names(database: Database) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project, other = add_project(unit, index), add_project(unit, index, "other")
        for owner, filename in ((project, "demo-1.0.tar.gz"), (other, "other-1.0.tar.gz")):
            unit.projects.set_release(owner, "1.0", {})
            unit.files.add(owner, a_new_file(filename))
        unit.projects.delete(project)
        assert unit.projects.names([index]) == ["other"]
        assert unit.projects.releases(project) == []
        assert unit.files.get(index, "demo-1.0.tar.gz") is None
        assert unit.files.was_deleted(index, "demo-1.0.tar.gz")
        assert unit.files.get(index, "other-1.0.tar.gz") is not None


@pytest.mark.parametrize("yanked", [True, "a reason", False])
def test_files_are_yanked_together(database: Database, yanked: bool | str) -> None:
    with database.writing() as unit:
        index = add_stage(unit)
        project = add_project(unit, index)
        files = [
            unit.files.add(project, a_new_file(f"demo-{n}.tar.gz", yanked="first"))
            for n in range(3)
        ]
        unit.files.set_yanked(files[:2], yanked)
    with database.reading() as unit:
        stored = unit.files.of_project(index, DEMO)
        assert [file.yanked for file in stored] == [yanked, yanked, "first"]
