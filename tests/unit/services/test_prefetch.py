"""Fetching ahead: what is selected, and what becomes of it."""

import pytest

from stillroom_server.domain.errors import InvalidRequest, UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.services.prefetch import Outcome, Prefetched, Selection
from support.downloads import wait_for_the_end
from support.fake_archives import an_archive
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

PYPI = IndexName.parse("root/pypi")
DEMO = ProjectName("demo")
FILES = [
    an_upstream_file("demo-0.9.tar.gz"),
    an_upstream_file("demo-1.0.tar.gz"),
    an_upstream_file("demo-1.0.0-py3-none-any.whl"),
    an_upstream_file("demo-1.1-py3-none-any.whl", yanked="broken"),
    an_upstream_file("demo-2.0rc1.tar.gz"),
    an_upstream_file("other-3.0.tar.gz"),
    an_upstream_file("demo-docs.zip"),
]


def selected(text: str, **options) -> list[str]:
    return [file.filename for file in Selection.parse(text, **options).of(FILES)]


@pytest.mark.parametrize(
    ("text", "options", "names"),
    [
        ("demo", {}, ["demo-0.9.tar.gz", "demo-1.0.tar.gz", "demo-1.0.0-py3-none-any.whl"]),
        ("Demo>=1", {}, ["demo-1.0.tar.gz", "demo-1.0.0-py3-none-any.whl"]),
        ("demo", {"latest": True}, ["demo-1.0.tar.gz", "demo-1.0.0-py3-none-any.whl"]),
        ("demo<1", {"latest": True}, ["demo-0.9.tar.gz"]),
        ("demo", {"only_wheels": True}, ["demo-1.0.0-py3-none-any.whl"]),
        ("demo==1.1", {}, ["demo-1.1-py3-none-any.whl"]),
        ("demo>=1.1", {}, ["demo-2.0rc1.tar.gz"]),
        ("demo==2.0rc1", {}, ["demo-2.0rc1.tar.gz"]),
        ('demo[extra]<1; python_version < "3"', {}, ["demo-0.9.tar.gz"]),
        ("demo>9", {}, []),
    ],
)
def test_files_are_selected_as_installers_would(text, options, names):
    assert selected(text, **options) == names


@pytest.mark.parametrize(
    "text", ["", "!", "demo @ https://example.com/demo.whl", "./demo.whl", "demo=1"]
)
def test_what_is_no_requirement_is_refused(text):
    with pytest.raises(InvalidRequest, match=r"^requirement: "):
        Selection.parse(text)


WHEEL = an_archive(wheel=True)


def run(cases: UseCases, *texts: str, **options) -> list[Prefetched]:
    mirror = cases.lineage("root/pypi").asked
    done = list(cases.prefetch.run(mirror, [Selection.parse(t) for t in texts], **options))
    wait_for_the_end()
    return done


def kept(cases: UseCases) -> list[str]:
    mirror = cases.lineage("root/pypi").asked
    with cases.reading() as unit:
        return [file.filename for file in unit.mirror_pages.kept(mirror, DEMO)]


def test_files_are_fetched_with_what_lies_beside_them(cases: UseCases):
    somewhere = "http://up.test/provenance"
    cases.listed(WHEEL, provenance=somewhere)
    cases.upstream.put_url(somewhere, b"{}")
    size = len(WHEEL.content)
    assert run(cases, "demo") == [Prefetched(DEMO, WHEEL.filename, size, Outcome.FETCHED)]
    name = WHEEL.filename
    assert kept(cases) == [name, f"{name}.metadata", f"{name}.provenance"]
    assert run(cases, "demo") == [Prefetched(DEMO, WHEEL.filename, size, Outcome.HERE)]


def test_a_dry_run_reads_pages_only(cases: UseCases):
    cases.listed(WHEEL)
    [one] = run(cases, "demo", dry_run=True)
    assert one.outcome is Outcome.MISSING
    assert kept(cases) == []
    assert [q.split()[0] for q in cases.upstream.asked] == ["page", "ranges"]


def test_pages_are_asked_for_anew(cases: UseCases):
    cases.listed(an_archive("demo", "0.1"))
    cases.filenames("root/pypi")
    cases.listed(WHEEL)
    [one] = run(cases, "demo")
    assert one.filename == WHEEL.filename


def test_what_fails_is_told_and_ends_nothing(cases: UseCases):
    broken = an_archive("broken")
    file = cases.listed(broken)
    cases.upstream.put(file, b"something else" * 2)
    cases.listed(WHEEL)
    done = run(cases, "absent", "broken", "demo>9", "demo")
    assert [one.outcome for one in done] == [Outcome.FAILED] * 3 + [Outcome.FETCHED]
    assert done[0].why == "There is nothing of absent in root/pypi to fetch."
    assert done[1].filename == broken.filename
    assert "bytes for broken-1.0.tar.gz" in done[1].why
    assert done[2].why == "There is nothing of demo>9 in root/pypi to fetch."


def test_an_upstream_in_trouble_is_told(cases: UseCases):
    cases.upstream.trouble = UpstreamFailed("it is down")
    [one] = run(cases, "demo")
    assert (one.filename, one.why) == (None, "it is down")


def test_a_reserved_name_is_not_asked_for(cases: UseCases):
    cases.indexes.change(ROOT, PYPI, {"reserved": ["demo"]})
    [one] = run(cases, "demo")
    assert "is reserved" in one.why
    assert cases.upstream.asked == []


def test_a_quarantined_project_is_not_fetched(cases: UseCases):
    file = cases.listed(WHEEL)
    cases.upstream.offer("demo", file, status=ProjectStatus(Status.QUARANTINED, "malware"))
    [one] = run(cases, "demo")
    assert "quarantined" in one.why
    assert kept(cases) == []


def test_of_a_mirror_that_keeps_no_files_the_metadata_is_fetched(cases: UseCases):
    cases.indexes.change(ROOT, PYPI, {"mirror_metadata_only": True})
    cases.upstream.ranges = True
    cases.listed(WHEEL)
    [one] = run(cases, "demo")
    assert one.why is None
    assert kept(cases) == [f"{WHEEL.filename}.metadata"]
    assert not any(asked.startswith("file ") for asked in cases.upstream.asked)
