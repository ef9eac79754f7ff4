"""Projects over a lineage, as installers see them."""

import math
from dataclasses import replace

import pytest

from stillroom_server.domain.errors import NotFound, UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.domain.upstream import TimeSource
from support.fake_archives import an_archive
from support.use_cases import DEV, ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")


@pytest.fixture(autouse=True)
def _lineage(cases: UseCases):
    cases.index("dev/base", "root/pypi")
    cases.index("dev/top", "dev/base")


def _view(cases, index="dev/top", project=DEMO):
    return cases.pages.project(cases.lineage(index), project)


def test_the_files_of_all_stages_are_merged_in_the_order_of_resolution(cases: UseCases):
    cases.upload("dev/base", an_archive("demo", "1.0", note="base"))
    cases.upload("dev/base", an_archive("demo", "2.0"))
    mine = an_archive("demo", "1.0", note="top")
    cases.upload("dev/top", mine)
    page = _view(cases).page
    assert [file.filename for file in page.files] == ["demo-1.0.tar.gz", "demo-2.0.tar.gz"]
    assert page.files[0].hashes == {"sha256": mine.sha256}
    assert [str(file.index) for file in page.files] == ["dev/top", "dev/base"]
    assert page.versions == ("1.0", "2.0")


def test_a_page_of_stages_alone_holds_until_something_changes(cases: UseCases):
    cases.upload("dev/top", an_archive())
    view = _view(cases)
    assert (view.seconds, view.stale) == (math.inf, False)
    assert view.serial == cases.database.serial()


def test_a_page_with_a_mirror_holds_as_long_as_the_mirrors_part(cases: UseCases):
    cases.listed(an_archive())
    view = _view(cases)
    assert view.seconds == 600
    assert [str(file.index) for file in view.page.files] == ["root/pypi"]
    cases.clock.advance(seconds=590)
    assert _view(cases).seconds == 10


def test_the_serial_of_a_page_is_from_before_it_was_read(cases: UseCases):
    cases.listed(an_archive())
    before = cases.database.serial()
    assert _view(cases).serial == before
    assert cases.database.serial() > before
    assert _view(cases).serial == cases.database.serial()


def test_a_stale_page_says_so(cases: UseCases):
    cases.listed(an_archive())
    _view(cases)
    cases.clock.advance(seconds=600)
    cases.upstream.trouble = UpstreamFailed("down")
    assert _view(cases).stale


def test_a_mirror_that_must_be_asked_and_cannot_be_is_trouble_and_no_shorter_page(cases):
    cases.upload("dev/top", an_archive())
    cases.indexes.change(DEV, IndexName.parse("dev/top"), {"mirror_whitelist": ["demo"]})
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        _view(cases)


def test_a_private_project_is_not_even_asked_for_upstream(cases: UseCases):
    cases.listed(an_archive("demo", "9.0"))
    cases.upload("dev/base", an_archive("demo", "1.0"))
    assert cases.filenames("dev/top") == ["demo-1.0.tar.gz"]
    assert cases.upstream.asked == []


def test_a_whitelisted_project_gets_the_files_of_the_mirror_too(cases: UseCases):
    cases.listed(an_archive("demo", "9.0"))
    cases.upload("dev/base", an_archive("demo", "1.0"))
    cases.indexes.change(DEV, IndexName.parse("dev/base"), {"mirror_whitelist": ["demo"]})
    assert cases.filenames("dev/top") == ["demo-1.0.tar.gz", "demo-9.0.tar.gz"]


def test_a_project_that_nobody_has_is_not_found(cases: UseCases):
    with pytest.raises(NotFound, match="There is no project demo in dev/top"):
        _view(cases)


def test_a_reserved_name_has_an_empty_page_and_is_not_asked_upstream(cases: UseCases):
    cases.listed(an_archive())
    cases.indexes.change(ROOT, PYPI, {"reserved": ["dem*"]})
    assert _view(cases).page.files == ()
    assert cases.upstream.asked == []


# Status


def _set_status(cases, index, status, reason=None):
    stage = cases.lineage(index).asked
    with cases.database.writing() as unit:
        held = unit.projects.get(stage, DEMO)
        unit.projects.set_status(held, ProjectStatus(Status(status), reason))


@pytest.fixture
def everywhere(cases: UseCases):
    """A project with a file in each of the two stages and in the mirror."""
    for name, version in (("dev/top", "1.0"), ("dev/base", "2.0")):
        cases.upload(name, an_archive("demo", version))
        cases.indexes.change(DEV, IndexName.parse(name), {"mirror_whitelist": ["demo"]})
    cases.listed(an_archive("demo", "3.0"))
    assert cases.filenames("dev/top") == [TOP, BASE, MIRRORED]


TOP, BASE, MIRRORED = (f"demo-{number}.0.tar.gz" for number in (1, 2, 3))


@pytest.mark.parametrize("status", ["active", "deprecated", "archived"])
def test_a_page_shows_the_status_of_the_first_index_that_has_the_project(
    cases: UseCases, everywhere, status
):
    _set_status(cases, "dev/top", status, "so it is")
    _set_status(cases, "dev/base", "archived", "not this one")
    page = _view(cases).page
    assert page.status == ProjectStatus(Status(status), "so it is")
    assert [file.filename for file in page.files] == [TOP, BASE, MIRRORED]


def test_an_index_without_the_project_has_no_say(cases: UseCases):
    file = an_upstream_file("demo-3.0.tar.gz")
    archived = ProjectStatus(Status.ARCHIVED, "moved")
    cases.upstream.offer("demo", file, status=archived)
    assert _view(cases).page.status == archived
    other = {"type": "mirror", "mirror_url": "http://other.example/simple/"}
    cases.indexes.create(ROOT, IndexName.parse("root/empty"), other)
    cases.index("dev/two", "root/empty", "root/pypi")
    cases.upstream.offer("demo", file, status=archived, base="http://127.0.0.1:9/simple/")
    cases.upstream.withdraw("demo")
    assert _view(cases, "dev/two").page.status == archived


def test_what_the_first_index_quarantines_has_no_files_at_all(cases: UseCases, everywhere):
    _set_status(cases, "dev/top", "quarantined", "malware")
    page = _view(cases).page
    assert (page.files, page.versions) == ((), ())
    assert page.status == ProjectStatus(Status.QUARANTINED, "malware")


@pytest.mark.parametrize(
    ("index", "left"), [("dev/base", [TOP, MIRRORED]), ("root/pypi", [TOP, BASE])]
)
def test_what_a_later_index_quarantines_lacks_the_files_of_that(
    cases: UseCases, everywhere, index, left
):
    quarantined = ProjectStatus(Status.QUARANTINED)
    if index == "root/pypi":
        cases.upstream.offer("demo", status=quarantined)
        cases.mirrors.page(cases.lineage(index).asked, DEMO, refresh=True)
    else:
        _set_status(cases, index, "quarantined")
    view = _view(cases)
    assert [file.filename for file in view.page.files] == left
    assert view.page.status == ProjectStatus()


def test_a_mirrors_file_shows_where_its_time_is_from_and_what_was_refused(cases: UseCases):
    file = an_upstream_file("demo-3.0.tar.gz", provenance="http://127.0.0.1:9/p")
    cases.upstream.offer("demo", file)
    _view(cases)
    cases.clock.advance(seconds=600)
    cases.upstream.offer("demo", replace(file, hashes={"sha256": "f" * 64}))
    [shown] = _view(cases).page.files
    assert shown.time_source is TimeSource.FIRST_SEEN
    assert shown.refused == f"sha256={'f' * 64}"
    assert shown.has_provenance


def test_a_stale_page_tells_its_age(cases: UseCases):
    cases.listed(an_archive())
    assert _view(cases).age == 0
    cases.clock.advance(seconds=700)
    cases.upstream.trouble = UpstreamFailed("down")
    assert _view(cases).age == 700


# Refreshed on demand


@pytest.fixture
def two_mirrors(cases: UseCases):
    """A stage over two mirrors, the second of which has another upstream; its URL."""
    url = "http://other.example/simple/"
    body = {"type": "mirror", "mirror_url": url}
    cases.indexes.create(ROOT, IndexName.parse("root/other"), body)
    cases.index("dev/two", "root/pypi", "root/other")
    cases.upstream.offer("demo", an_upstream_file())
    return url


def _refresh(cases, index="dev/two"):
    cases.upstream.asked.clear()
    cases.pages.refresh(cases.lineage(index), DEMO)


def test_a_refresh_asks_all_mirrors_of_the_lineage(cases: UseCases, two_mirrors):
    _view(cases, "dev/two")
    _refresh(cases)
    assert cases.upstream.asked == ["page demo"] * 2


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_refresh_fails_only_if_nobody_could_be_asked(cases: UseCases, two_mirrors, is_kept):
    if is_kept:
        _view(cases, "dev/two")
    cases.upstream.troubles["http://127.0.0.1:9/simple/"] = UpstreamFailed("down")
    _refresh(cases)
    assert cases.upstream.asked == ["page demo"] * 2
    cases.upstream.troubles[two_mirrors] = UpstreamFailed("down as well")
    with pytest.raises(UpstreamFailed):
        _refresh(cases)


def test_a_refresh_asks_for_no_private_name(cases: UseCases):
    cases.upload("dev/top", an_archive())
    cases.upstream.trouble = UpstreamFailed("down")
    _refresh(cases, "dev/top")
    assert cases.upstream.asked == []


# What concerns a page


CHANGES = {
    "an upload to it": lambda cases: cases.upload("dev/top", an_archive("demo", "2.0")),
    "an upload to its base": lambda cases: cases.upload("dev/base", an_archive("demo", "2.0")),
    "a change of its index": lambda cases: cases.indexes.change(
        DEV, IndexName.parse("dev/top"), {"title": "x"}
    ),
    "a change of a base": lambda cases: cases.indexes.change(
        ROOT, PYPI, {"reserved": ["x"]}
    ),
    "a page of the mirror": lambda cases: (
        cases.upstream.offer("demo", an_upstream_file()),
        cases.filenames("root/pypi"),
    ),
}  # fmt: skip
OTHER_CHANGES = {
    "an upload of another project": lambda cases: cases.upload("dev/top", an_archive("other")),
    "another user": lambda cases: cases.login(),
    "another index": lambda cases: cases.index("dev/else"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_page_could_show_concerns_it(cases: UseCases, change):
    cases.upload("dev/top", an_archive())
    serial = cases.database.serial()
    lineage = cases.lineage("dev/top")
    assert not cases.pages.changed_since(lineage, DEMO, serial)
    CHANGES[change](cases)
    assert cases.pages.changed_since(lineage, DEMO, serial)
    assert cases.pages.changed_since(lineage, None, serial)


@pytest.mark.parametrize("change", OTHER_CHANGES)
def test_what_a_page_does_not_show_does_not_concern_it(cases: UseCases, change):
    cases.upload("dev/top", an_archive())
    serial = cases.database.serial()
    OTHER_CHANGES[change](cases)
    assert cases.database.serial() > serial
    assert not cases.pages.changed_since(cases.lineage("dev/top"), DEMO, serial)
