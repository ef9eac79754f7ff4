"""Projects with their releases, as devpi's JSON views show them."""

import pytest

from stillroom_server.domain.errors import NotFound
from stillroom_server.domain.names import IndexName, ProjectName
from support.fake_archives import an_archive
from support.use_cases import DEV, ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
TOP, BASE, PYPI = (IndexName.parse(name) for name in ("dev/top", "dev/base", "root/pypi"))


@pytest.fixture(autouse=True)
def _lineage(cases: UseCases):
    cases.index("dev/base", "root/pypi")
    cases.index("dev/top", "dev/base")


def _project(cases, index="dev/top", **options):
    return cases.catalog.project(cases.lineage(index), DEMO, **options)


def test_a_release_shows_its_metadata_and_files(cases: UseCases):
    sdist, wheel = an_archive(note="a demo"), an_archive(wheel=True)
    cases.upload("dev/base", sdist)
    cases.upload("dev/base", wheel)
    [view] = _project(cases)
    assert (view.index, view.version) == (BASE, "1.0")
    assert view.metadata["summary"] == "a demo"
    assert [entry.file.filename for entry in view.files] == [sdist.filename, wheel.filename]
    assert all(entry.held.uploader == "dev" for entry in view.files)


def test_the_first_index_that_has_a_release_shows_it_and_shadows_the_others(cases: UseCases):
    cases.upload("dev/top", an_archive("demo", "1.0", note="top"))
    cases.upload("dev/base", an_archive("demo", "1.0", note="base"))
    cases.upload("dev/base", an_archive("demo", "2.0"))
    views = {view.version: view for view in _project(cases)}
    assert views["1.0"].metadata["summary"] == "top"
    assert [(s.index, s.metadata["summary"]) for s in views["1.0"].shadows] == [(BASE, "base")]
    assert (views["2.0"].index, views["2.0"].shadows) == (BASE, ())


def test_bases_can_be_left_out(cases: UseCases):
    cases.upload("dev/top", an_archive("demo", "1.0"))
    cases.upload("dev/base", an_archive("demo", "2.0"))
    assert [view.version for view in _project(cases, ignore_bases=True)] == ["1.0"]
    cases.releases.remove_project(DEV, TOP, DEMO, force=False)
    with pytest.raises(NotFound):
        _project(cases, ignore_bases=True)


def test_releases_of_a_mirror_are_made_of_what_its_page_says(cases: UseCases):
    cases.upstream.offer(
        "demo",
        an_upstream_file("demo-1.0.tar.gz"),
        an_upstream_file("demo-1.0-py3-none-any.whl", requires_python=">=3.9"),
        an_upstream_file("demo-2.0.zip"),
        an_upstream_file("demo-manual.pdf"),
    )
    views = {view.version: view for view in _project(cases)}
    assert set(views) == {"1.0", "2.0"}
    assert len(views["1.0"].files) == 2
    expected = {"name": "demo", "version": "1.0", "requires_python": ">=3.9"}
    assert views["1.0"].metadata == expected
    assert views["2.0"].files[0].held is None
    assert views["2.0"].index == PYPI


def test_a_hidden_mirror_shows_nothing(cases: UseCases):
    cases.listed(an_archive("demo", "9.0"))
    cases.upload("dev/base", an_archive("demo", "1.0"))
    assert [view.version for view in _project(cases)] == ["1.0"]


def test_one_release(cases: UseCases):
    cases.upload("dev/base", an_archive("demo", "1.0rc1"))
    for version in ("1.0rc1", "v1.0-RC1"):
        view = cases.catalog.release(cases.lineage("dev/top"), DEMO, version)
        assert view.version == "1.0rc1"


@pytest.mark.parametrize("version", ["2.0", "nonsense", "1" * 5_000], ids=lambda v: v[:10])
def test_a_release_that_nobody_has_is_not_found(cases: UseCases, version):
    cases.upload("dev/base", an_archive("demo", "1.0"))
    with pytest.raises(NotFound, match="There is no release demo"):
        cases.catalog.release(cases.lineage("dev/top"), DEMO, version)


def test_a_project_that_nobody_has_is_not_found(cases: UseCases):
    with pytest.raises(NotFound, match="There is no project demo in dev/top"):
        _project(cases)


def test_a_reserved_name_exists_without_releases(cases: UseCases):
    cases.indexes.change(ROOT, PYPI, {"reserved": ["demo"]})
    assert _project(cases) == []
