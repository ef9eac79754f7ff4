"""Projects over a lineage, as installers see them."""

import math

import pytest

from stillroom_server.domain.errors import NotFound, UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
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


def test_a_list_shows_what_stages_hold_and_mirrors_know(cases: UseCases):
    cases.upload("dev/base", an_archive("zebra"))
    cases.upload("dev/top", an_archive("ape"))
    cases.upload("dev/base", an_archive("ape"))
    cases.listed(an_archive("six"))
    cases.filenames("root/pypi", "six")
    view = cases.pages.projects(cases.lineage("dev/top"))
    assert view.projects.names == ("ape", "six", "zebra")
    assert view.serial == cases.database.serial()


def test_an_index_knows_its_own_projects(cases: UseCases):
    for name in ("zebra", "ape"):
        cases.upload("dev/base", an_archive(name))
    cases.listed(an_archive("six"))
    cases.filenames("root/pypi", "six")
    own = {
        name: cases.pages.own_projects(cases.lineage(name).asked)
        for name in ("dev/top", "dev/base", "root/pypi")
    }
    assert own == {"dev/top": [], "dev/base": ["ape", "zebra"], "root/pypi": ["six"]}


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
