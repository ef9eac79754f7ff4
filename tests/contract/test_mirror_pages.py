"""What mirrors know, behind the port."""

from dataclasses import replace
from datetime import timedelta

from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import (
    CachedPage,
    KeptFile,
    Seen,
    UpstreamFile,
    Validators,
)
from stillroom_server.services.ports import Database
from support.rows import DAY, NOW, add_mirror, sha256_of

DEMO = ProjectName("demo")

FULL = UpstreamFile(
    filename="demo-1.0-py3-none-any.whl",
    url="http://127.0.0.1/files/demo-1.0-py3-none-any.whl?a=ü",
    hashes={"sha256": sha256_of("demo"), "md5": "0" * 32},
    size=12,
    uploaded=NOW,
    requires_python=">=3.11",
    yanked="broken",
    core_metadata={"sha256": sha256_of("metadata")},
)
BARE = UpstreamFile("demo-0.9.tar.gz", "http://127.0.0.1/demo-0.9.tar.gz")
ODD = replace(BARE, filename="demo-0.8.tar.gz", yanked=True, core_metadata={}, size=0)

PAGE = CachedPage(
    project=DEMO,
    files=(FULL, BARE, ODD),
    exists=True,
    validators=Validators('W/"tag"', "Sun, 01 Mar 2026 12:00:00 GMT"),
    checked=NOW,
    seen={
        FULL.filename: Seen(sha256_of("demo"), NOW),
        BARE.filename: Seen(None, NOW - DAY),
        "demo-0.1.tar.gz": Seen(sha256_of("gone"), NOW - DAY + timedelta(microseconds=7)),
    },
)


def test_a_page_comes_back_as_it_was_stored(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, PAGE)
    with database.reading() as unit:
        assert unit.mirror_pages.get(mirror, DEMO) == PAGE
        assert unit.mirror_pages.get(mirror, ProjectName("other")) is None


def test_a_page_replaces_the_one_before(database: Database) -> None:
    gone = CachedPage(DEMO, (), exists=False, validators=Validators(), checked=NOW, seen=PAGE.seen)
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, PAGE)
        unit.mirror_pages.put(mirror, gone)
    with database.reading() as unit:
        assert unit.mirror_pages.get(mirror, DEMO) == gone


def test_the_same_page_found_unchanged_keeps_all_but_the_time(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, PAGE)
    with database.writing() as unit:
        unit.mirror_pages.touch(mirror, DEMO, NOW + DAY)
    with database.reading() as unit:
        assert unit.mirror_pages.get(mirror, DEMO) == replace(PAGE, checked=NOW + DAY)


def test_names_are_the_projects_that_exist_upstream(database: Database) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for index, name, exists in (
            (mirror, "b", True),
            (other, "b", True),
            (other, "a", True),
            (mirror, "gone", False),
        ):
            page = replace(PAGE, project=ProjectName(name), exists=exists)
            unit.mirror_pages.put(index, page)
        assert unit.mirror_pages.names([mirror, other]) == ["a", "b"]
        assert unit.mirror_pages.names([mirror]) == ["b"]
        assert unit.mirror_pages.names([]) == []


def test_kept_files_are_listed_replaced_and_forgotten(database: Database) -> None:
    first = KeptFile("demo-1.0.tar.gz", sha256_of("1"), 5_000_000_000, NOW)
    second = KeptFile("demo-0.9.tar.gz", sha256_of("2"), 2, NOW)
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for file in (first, second):
            unit.mirror_pages.keep(mirror, DEMO, file)
    with database.writing() as unit:
        assert unit.mirror_pages.kept(mirror, DEMO) == [second, first]
        assert unit.mirror_pages.kept(other, DEMO) == []
        newer = replace(first, sha256=sha256_of("3"), size=3)
        unit.mirror_pages.keep(mirror, DEMO, newer)
        assert unit.mirror_pages.forget_kept(mirror, DEMO, second.filename) is True
        assert unit.mirror_pages.forget_kept(mirror, DEMO, second.filename) is False
        assert unit.mirror_pages.kept(mirror, DEMO) == [newer]


def test_deleting_a_project_forgets_its_page_and_kept_files(database: Database) -> None:
    kept = KeptFile("demo-1.0.tar.gz", sha256_of("1"), 1, NOW)
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, PAGE)
        unit.mirror_pages.keep(mirror, DEMO, kept)
        assert unit.mirror_pages.delete(mirror, DEMO) is True
        assert unit.mirror_pages.get(mirror, DEMO) is None
        assert unit.mirror_pages.kept(mirror, DEMO) == []
        assert unit.mirror_pages.delete(mirror, DEMO) is False


def test_the_list_of_all_names_is_kept_with_its_time(database: Database) -> None:
    names = [ProjectName(name) for name in ("zope", "abc", "b-c")]
    with database.writing() as unit:
        mirror = add_mirror(unit)
        assert unit.mirror_pages.get_names(mirror) is None
        unit.mirror_pages.put_names(mirror, [], NOW)
        unit.mirror_pages.put_names(mirror, names, NOW + DAY)
    with database.reading() as unit:
        assert unit.mirror_pages.get_names(mirror) == (names, NOW + DAY)


def test_expired_pages_are_as_if_never_checked_but_remember_what_was_seen(
    database: Database,
) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for index in (mirror, other):
            unit.mirror_pages.put(index, PAGE)
            unit.mirror_pages.put_names(index, [DEMO], NOW)
    with database.writing() as unit:
        unit.mirror_pages.expire(mirror)
    with database.reading() as unit:
        expired = unit.mirror_pages.get(mirror, DEMO)
        assert expired == replace(PAGE, checked=expired.checked, validators=Validators())
        assert expired.checked < NOW - 1_000 * DAY
        assert unit.mirror_pages.get_names(mirror) is None
        assert unit.mirror_pages.get(other, DEMO) == PAGE
        assert unit.mirror_pages.get_names(other) is not None
