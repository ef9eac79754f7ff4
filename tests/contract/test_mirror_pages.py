"""What mirrors know, behind the port."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.domain.upstream import (
    CachedPage,
    KeptFile,
    Seen,
    TimeSource,
    UpstreamFile,
    Validators,
)
from stillroom_server.services.ports import Database, FileKey
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
    provenance="http://127.0.0.1/files/demo-1.0-py3-none-any.whl.provenance",
    refused=f"sha256={sha256_of('other')}",
    time_source=TimeSource.LAST_MODIFIED,
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
        FULL.filename: Seen(
            NOW,
            {"sha256": sha256_of("demo"), "md5": "0" * 32},
            size=5_000_000_000,
            modified=NOW - DAY,
            metadata_sha256=sha256_of("metadata"),
        ),
        BARE.filename: Seen(NOW - DAY),
        "demo-0.1.tar.gz": Seen(NOW - DAY + timedelta(microseconds=7), {"md5": "1" * 32}, size=0),
    },
    status=ProjectStatus(Status.QUARANTINED, "Wörms"),
    delisted=(replace(FULL, filename="demo-0.1.tar.gz"), BARE),
    source="http://127.0.0.1/simple/",
    ranges=False,
)


def a_kept_file(filename: str = "demo-1.0.tar.gz", **values: Any) -> KeptFile:
    given = {"sha256": sha256_of(filename), "size": 1, "fetched": NOW, "used": NOW}
    return KeptFile(filename, **{**given, **values})


def test_a_page_comes_back_as_it_was_stored(database: Database) -> None:
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, PAGE)
    with database.reading() as unit:
        assert unit.mirror_pages.get(mirror, DEMO) == PAGE
        assert unit.mirror_pages.get(mirror, ProjectName("other")) is None


@pytest.mark.parametrize("ranges", [True, False, None])
def test_a_page_tells_whether_ranges_were_tried(database: Database, ranges: bool | None) -> None:
    page = CachedPage(DEMO, (), True, Validators(), NOW, ranges=ranges)
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, page)
    with database.reading() as unit:
        assert unit.mirror_pages.get(mirror, DEMO) == page


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
        assert unit.mirror_pages.names([mirror, other], "b") == ["b"]
        assert unit.mirror_pages.names([mirror, other], "_") == []
        assert unit.mirror_pages.names([mirror], "gon") == []
        assert unit.mirror_pages.names([]) == []


def test_kept_files_are_listed_replaced_and_forgotten(database: Database) -> None:
    first = a_kept_file("demo-1.0.tar.gz", size=5_000_000_000, used=NOW + DAY)
    second = a_kept_file("demo-0.9.tar.gz")
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for file in (first, second):
            unit.mirror_pages.keep(mirror, DEMO, file)
    with database.writing() as unit:
        assert unit.mirror_pages.kept(mirror, DEMO) == [second, first]
        assert unit.mirror_pages.kept(other, DEMO) == []
        newer = replace(first, sha256=sha256_of("3"), size=3, used=NOW)
        unit.mirror_pages.keep(mirror, DEMO, newer)
        assert unit.mirror_pages.forget_kept(mirror, DEMO, second.filename) is True
        assert unit.mirror_pages.forget_kept(mirror, DEMO, second.filename) is False
        assert unit.mirror_pages.kept(mirror, DEMO) == [newer]


def test_deleting_a_project_forgets_its_page_and_kept_files(database: Database) -> None:
    kept = a_kept_file()
    with database.writing() as unit:
        mirror = add_mirror(unit)
        unit.mirror_pages.put(mirror, PAGE)
        unit.mirror_pages.keep(mirror, DEMO, kept)
        assert unit.mirror_pages.delete(mirror, DEMO) is True
        assert unit.mirror_pages.get(mirror, DEMO) is None
        assert unit.mirror_pages.kept(mirror, DEMO) == []
        assert unit.mirror_pages.delete(mirror, DEMO) is False


def test_what_is_kept_takes_bytes_of_its_own_mirror_only(database: Database) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        assert unit.mirror_pages.kept_bytes(mirror) == 0
        unit.mirror_pages.keep(mirror, DEMO, a_kept_file(size=5_000_000_000))
        unit.mirror_pages.keep(mirror, ProjectName("more"), a_kept_file("more-1.zip", size=7))
        unit.mirror_pages.keep(other, DEMO, a_kept_file(size=11))
    with database.reading() as unit:
        assert unit.mirror_pages.kept_bytes(mirror) == 5_000_000_007
        assert unit.mirror_pages.kept_bytes(other) == 11


def test_the_least_used_files_come_first(database: Database) -> None:
    more = ProjectName("more")
    old = a_kept_file("demo-1.zip", used=NOW - DAY)
    same = [a_kept_file("demo-2.zip"), a_kept_file("demo-3.zip")]
    recent = a_kept_file("more-1.zip", used=NOW + DAY)
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for file in (*reversed(same), old):
            unit.mirror_pages.keep(mirror, DEMO, file)
        unit.mirror_pages.keep(mirror, more, recent)
        unit.mirror_pages.keep(other, DEMO, a_kept_file(used=NOW - 2 * DAY))
    with database.reading() as unit:
        in_order = [(DEMO, old), *((DEMO, file) for file in same), (more, recent)]
        assert unit.mirror_pages.least_used(mirror, 10) == in_order
        assert unit.mirror_pages.least_used(mirror, 2) == in_order[:2]
        assert unit.mirror_pages.least_used(mirror, 0) == []


def test_uses_are_noted_where_they_are_later_and_the_file_is_kept(database: Database) -> None:
    used, unused, gone = (a_kept_file(f"demo-{n}.zip") for n in (1, 2, 3))
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for index in (mirror, other):
            unit.mirror_pages.keep(index, DEMO, used)
            unit.mirror_pages.keep(index, DEMO, unused)
    with database.writing() as unit:
        unit.mirror_pages.note_uses({})
        unit.mirror_pages.note_uses(
            {
                FileKey(mirror.id, DEMO, used.filename): NOW + DAY,
                FileKey(mirror.id, DEMO, unused.filename): NOW - DAY,
                FileKey(mirror.id, DEMO, gone.filename): NOW + DAY,
                FileKey(mirror.id, ProjectName("other"), unused.filename): NOW + DAY,
            }
        )
    with database.reading() as unit:
        assert unit.mirror_pages.kept(mirror, DEMO) == [replace(used, used=NOW + DAY), unused]
        assert unit.mirror_pages.kept(other, DEMO) == [used, unused]


def test_expired_pages_are_as_if_never_checked_but_remember_what_was_seen(
    database: Database,
) -> None:
    with database.writing() as unit:
        mirror, other = add_mirror(unit), add_mirror(unit, "root/other")
        for index in (mirror, other):
            unit.mirror_pages.put(index, PAGE)
    with database.writing() as unit:
        unit.mirror_pages.expire(mirror)
    with database.reading() as unit:
        expired = unit.mirror_pages.get(mirror, DEMO)
        assert expired == replace(PAGE, checked=expired.checked, validators=Validators())
        assert expired.checked < NOW - 1_000 * DAY
        assert unit.mirror_pages.get(other, DEMO) == PAGE
