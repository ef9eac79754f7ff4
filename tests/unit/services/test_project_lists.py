"""What an index lists: merged over its lineage, in bounded memory, and searched by prefix."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from stillroom_server.domain.errors import StorageBusy, UpstreamFailed
from stillroom_server.domain.names import IndexName
from stillroom_server.services import project_lists
from stillroom_server.services.project_lists import ListView
from support.fake_archives import an_archive
from support.fake_repositories import FakeMirrorNames
from support.use_cases import DEV, ROOT, UseCases

PYPI = IndexName.parse("root/pypi")
OTHER = IndexName.parse("root/other")


@pytest.fixture
def cases(cases: UseCases) -> UseCases:
    """Two stages, the second of which inherits from the first, and that from two mirrors.

    `root/pypi` shows what is known here, `root/other` what its upstream has.
    """
    url = {"mirror_url": "http://127.0.0.1:9/other/", "mirror_no_project_list": False}
    cases.indexes.create(ROOT, OTHER, {"type": "mirror", **url})
    cases.index("dev/base", "root/pypi", "root/other")
    cases.index("dev/top", "dev/base")
    cases.upload("dev/base", an_archive("zebra"))
    for name in ("dev/top", "dev/base"):
        cases.upload(name, an_archive("ape"))
    cases.listed(an_archive("six"))
    cases.filenames("root/pypi", "six")
    cases.upstream.asked.clear()
    cases.upstream.names = ["ape", "bee", "six", "zoo"]
    return cases


def _view(cases: UseCases, index: str = "dev/top") -> ListView:
    return cases.lists.view(cases.lineage(index))


def _search(cases: UseCases, prefix: str, limit: int = 10, index: str = "dev/top") -> list[str]:
    return cases.lists.search(cases.lineage(index), prefix, limit)


def test_a_list_shows_what_stages_hold_mirrors_know_and_upstreams_list(cases: UseCases):
    view = _view(cases)
    assert list(view.names()) == ["ape", "bee", "six", "zebra", "zoo"]
    assert list(view.names()) == ["ape", "bee", "six", "zebra", "zoo"], "as often as one likes"
    assert view.serial == cases.database.serial()
    assert cases.upstream.asked == ["names"]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_the_pages_that_are_read_leave_nothing_out(cases: UseCases, monkeypatch, size: int):
    monkeypatch.setattr(project_lists, "PAGE", size)
    cases.upstream.names = ["bee", "bat", "c", "d"]
    assert list(_view(cases, "root/other").names()) == ["bat", "bee", "c", "d"]


def test_a_mirror_without_the_upstreams_list_shows_what_is_known_here(cases: UseCases):
    view = _view(cases, "root/pypi")
    assert list(view.names()) == ["six"]
    assert view.seconds == math.inf
    assert cases.upstream.asked == []


def test_a_list_holds_as_long_as_the_youngest_of_its_parts(cases: UseCases):
    assert _view(cases).seconds == 600
    cases.clock.advance(seconds=400)
    assert _view(cases).seconds == 200


def test_own_projects_are_those_that_are_here_and_no_upstream_is_asked(cases: UseCases):
    cases.listed(an_archive("wheel"))
    cases.filenames("root/other", "wheel")
    cases.upstream.asked.clear()
    names = ("dev/top", "dev/base", "root/pypi", "root/other")
    own = {name: cases.lists.own(cases.lineage(name).asked) for name in names}
    assert own == {
        "dev/top": ["ape"],
        "dev/base": ["ape", "zebra"],
        "root/pypi": ["six"],
        "root/other": ["wheel"],
    }
    assert cases.upstream.asked == []


def test_without_the_list_of_a_mirror_there_is_none_at_all(cases: UseCases):
    cases.upstream.trouble = UpstreamFailed("it is down")
    for ask in (_view, lambda cases: _search(cases, "a")):
        with pytest.raises(UpstreamFailed):
            ask(cases)


def test_a_list_that_vanishes_does_not_end_as_if_it_were_whole(cases: UseCases, monkeypatch):
    monkeypatch.setattr(project_lists, "PAGE", 2)
    names = _view(cases, "root/other").names()
    assert next(names) == "ape"
    cases.indexes.delete(DEV, IndexName.parse("dev/top"))
    cases.indexes.delete(DEV, IndexName.parse("dev/base"))
    cases.indexes.delete(ROOT, OTHER)
    assert next(names) == "bee"
    with pytest.raises(StorageBusy, match="ask again"):
        next(names)


def test_a_list_that_is_replaced_is_read_to_its_end(cases: UseCases, monkeypatch):
    monkeypatch.setattr(project_lists, "PAGE", 1)
    names = _view(cases, "root/other").names()
    assert next(names) == "ape"
    cases.upstream.names = ["a", "bat", "bee", "z", "zz"]
    cases.clock.advance(seconds=600)
    assert next(_view(cases, "root/other").names()) == "a"
    cases.lists.drop_old()
    assert list(names) == ["bee", "six", "zoo"]


# Search


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ["ape", "bee", "six", "zebra", "zoo"]),
        ("z", ["zebra", "zoo"]),
        ("ape", ["ape"]),
        ("apes", []),
        ("s", ["six"]),
        ("%", []),
    ],
)
def test_a_search_finds_each_name_once_in_order(cases: UseCases, prefix: str, found: list[str]):
    assert _search(cases, prefix) == found
    assert _search(cases, prefix, 1) == found[:1]


def test_a_search_reads_no_more_of_a_list_than_it_shows(cases: UseCases, monkeypatch):
    asked = []
    real = FakeMirrorNames.with_prefix

    def with_prefix(self: FakeMirrorNames, *arguments: Any) -> list[str]:
        asked.append(arguments)
        return real(self, *arguments)

    monkeypatch.setattr(FakeMirrorNames, "with_prefix", with_prefix)
    assert _search(cases, "z", 1) == ["zebra"]
    [(_list_id, prefix, limit)] = asked
    assert (prefix, limit) == ("z", 1)


# The tag

CHANGES: dict[str, Callable[[UseCases], object]] = {
    "an upload": lambda cases: cases.upload("dev/base", an_archive("new")),
    "a page that the mirror learns": lambda cases: (
        cases.listed(an_archive("learned")),
        cases.filenames("root/pypi", "learned"),
    ),
    "a project that is deleted": lambda cases: cases.releases.remove_project(
        DEV, IndexName.parse("dev/base"), "zebra", force=False
    ),
    "another list of the upstream": lambda cases: (
        setattr(cases.upstream, "names", ["ape", "bee", "bug", "six", "zoo"]),
        cases.clock.advance(seconds=600),
    ),
    "a base less": lambda cases: cases.indexes.change(
        DEV, IndexName.parse("dev/top"), {"bases": []}
    ),
    "a mirror that lists no more": lambda cases: cases.indexes.change(
        ROOT, OTHER, {"mirror_no_project_list": True}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_tag_is_another_one_after_a_change(
    cases: UseCases, change: Callable[[UseCases], object]
):
    before = _view(cases)
    tag, names = before.tag, list(before.names())
    assert _view(cases).tag == tag
    change(cases)
    after = _view(cases)
    assert list(after.names()) != names
    assert after.tag != tag


def test_the_tag_stays_when_something_else_changes(cases: UseCases):
    cases.index("dev/elsewhere")
    tag = _view(cases).tag
    cases.upload("dev/elsewhere", an_archive("new"))
    cases.upstream.asked.clear()
    assert _view(cases).tag == tag


def test_what_an_old_lineage_shows_is_not_taken_for_the_new_state(cases: UseCases):
    """The lineage changes between its reading and that of the names."""
    cases.index("dev/side")
    cases.upload("dev/side", an_archive("side"))
    cases.index("dev/heir", "dev/side")
    old = cases.lineage("dev/heir")
    cases.indexes.change(DEV, IndexName.parse("dev/heir"), {"bases": []})
    late = cases.lists.view(old)
    new = _view(cases, "dev/heir")
    assert list(late.names()) != list(new.names())
    assert late.tag != new.tag
