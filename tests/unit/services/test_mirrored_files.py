"""What a mirror's page says of its files: pinned, delisted, learned, found for a URL."""

import logging
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from stillroom_server.domain.errors import Forbidden, NotFound, UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.domain.upstream import KeptFile, TimeSource
from stillroom_server.services.breakers import Breakers
from stillroom_server.services.mirrors import RECENT_PAGES, Mirrors, note_learned
from stillroom_server.services.page_memory import PAUSE_SECONDS, page_id
from support.fake_upstream import PATIENCE, Gate
from support.rows import NOW
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")
URL = "http://127.0.0.1:9/simple/"
ONE = an_upstream_file("demo-1.0.tar.gz", uploaded=NOW)
TWO = an_upstream_file("demo-2.0.tar.gz", uploaded=NOW)
WHEEL = an_upstream_file("demo-1.0-py3-none-any.whl", uploaded=NOW)
CHANGED = replace(ONE, hashes={"sha256": "f" * 64}, url="http://evil.test/")
QUARANTINED = ProjectStatus(Status.QUARANTINED, "malware")
EXPIRY = 600


def _page(cases, mirror, **options):
    return cases.mirrors.page(mirror, DEMO, **options)


def _said(cases, mirror, *files, **values):
    """The upstream says this now, and is asked."""
    cases.upstream.offer("demo", *files, **values)
    return _page(cases, mirror, refresh=True)


def _keep(cases, mirror, *files):
    """The content of the files is here."""
    with cases.database.writing() as unit:
        for file in files:
            kept = KeptFile(file.filename, file.hashes["sha256"], 3, fetched=NOW, used=NOW)
            unit.mirror_pages.keep(mirror, DEMO, kept)


def _events(cases, kind):
    with cases.reading() as unit:
        events = [entry.event for entry in unit.journal.since(0, 1000)]
    return [event for event in events if event.kind.value == kind]


# Digests that were seen first


def test_a_file_whose_digest_changes_stays_as_it_was_and_shows_the_other_one(cases, mirror):
    _said(cases, mirror, ONE)
    page = _said(cases, mirror, CHANGED, TWO)
    assert page.files == (replace(ONE, refused=f"sha256={'f' * 64}"), TWO)


def test_a_second_digest_is_an_event_and_an_error_in_the_log_once(cases, mirror, caplog):
    _said(cases, mirror, ONE)
    with caplog.at_level(logging.ERROR):
        for files in ((CHANGED,), (CHANGED, TWO), (CHANGED,)):
            _said(cases, mirror, *files)
    [event] = _events(cases, "mirror-file-refused")
    assert (event.index, event.project) == (PYPI, DEMO)
    assert event.details == {
        "filename": ONE.filename,
        "first": f"sha256={ONE.hashes['sha256']}",
        "refused": f"sha256={'f' * 64}",
    }
    [record] = caplog.records
    assert f"the upstream changed {ONE.filename}: sha256={'f' * 64}" in record.getMessage()
    _said(cases, mirror, replace(ONE, hashes={"sha256": "e" * 64}))
    assert len(_events(cases, "mirror-file-refused")) == 2


def test_a_file_that_comes_back_with_another_digest_comes_back_as_it_was(cases, mirror):
    for files in ((ONE, TWO), (TWO,), (CHANGED, TWO)):
        last = _said(cases, mirror, *files)
    assert last.files == (replace(ONE, refused=f"sha256={'f' * 64}"), TWO)


def test_a_file_whose_digest_is_no_longer_said_is_still_held_to_it(cases: UseCases, mirror):
    _said(cases, mirror, ONE)
    [file] = _said(cases, mirror, replace(ONE, hashes={})).files
    assert file.hashes == ONE.hashes


def test_a_digest_that_is_said_later_holds_from_then_on(cases: UseCases, mirror):
    _said(cases, mirror, replace(ONE, hashes={}))
    assert _said(cases, mirror, ONE).files == (ONE,)
    [file] = _said(cases, mirror, CHANGED).files
    assert file.hashes == ONE.hashes


def test_other_changes_of_a_file_are_taken(cases: UseCases, mirror):
    _said(cases, mirror, ONE)
    yanked = replace(ONE, yanked="broken")
    assert _said(cases, mirror, yanked).files == (yanked,)


def test_what_another_process_saw_first_holds_here_too(cases: UseCases, mirror, monkeypatch):
    # It stores its page while ours is on its way.
    process = Mirrors(cases.database, cases.upstream, cases.clock, Breakers())
    page = cases.upstream.project_page

    def overtaken(*args):
        answer = page(*args)
        monkeypatch.undo()
        cases.upstream.offer("demo", ONE)
        process.page(mirror, DEMO)
        return answer

    cases.upstream.offer("demo", CHANGED)
    monkeypatch.setattr(cases.upstream, "project_page", overtaken)
    [file] = _page(cases, mirror).files
    assert (file.hashes, file.refused) == (ONE.hashes, f"sha256={'f' * 64}")


# Delisted


@pytest.fixture
def keeping(cases: UseCases, mirror):
    """The mirror goes on listing what it keeps."""
    return cases.indexes.change(ROOT, PYPI, {"mirror_keep_delisted": True})


def test_a_delisted_file_leaves_the_page(cases: UseCases, mirror):
    _said(cases, mirror, ONE, TWO)
    _keep(cases, mirror, ONE)
    assert _said(cases, mirror, TWO).files == (TWO,)


def test_with_the_option_a_delisted_file_stays_if_its_content_is_here(cases, keeping):
    _said(cases, keeping, ONE, TWO)
    _keep(cases, keeping, ONE)
    assert _said(cases, keeping).files == (ONE,)
    assert _page(cases, keeping).files == (ONE,)


def test_with_the_option_a_project_that_is_gone_stays_with_what_is_here(cases, keeping):
    _said(cases, keeping, ONE, TWO)
    _keep(cases, keeping, TWO)
    cases.upstream.withdraw("demo")
    gone = _page(cases, keeping, refresh=True)
    assert (gone.exists, gone.files) == (True, (TWO,))


def test_without_anything_kept_a_project_that_is_gone_is_gone(cases: UseCases, keeping):
    _said(cases, keeping, ONE)
    cases.upstream.withdraw("demo")
    assert not _page(cases, keeping, refresh=True).exists


def test_what_is_quarantined_does_not_stay_not_even_after_it_was_deleted(cases, keeping):
    _said(cases, keeping, ONE)
    _keep(cases, keeping, ONE)
    page = _said(cases, keeping, status=QUARANTINED)
    assert (page.exists, page.files) == (True, ())
    cases.upstream.withdraw("demo")
    gone = _page(cases, keeping, refresh=True)
    assert (gone.exists, gone.files) == (False, ())


# For a file URL


def _listed(cases, mirror, file=ONE):
    return cases.mirrors.listed(mirror, DEMO, file.filename)


def test_a_listed_file_comes_with_what_is_known_and_what_was_said(cases: UseCases, mirror):
    bare = replace(ONE, hashes={}, size=None)
    cases.upstream.offer("demo", bare)
    _page(cases, mirror)
    with cases.database.writing() as unit:
        note_learned(unit, mirror, DEMO, ONE.filename, now=NOW, sha256="a" * 64, size=7)
    listed = _listed(cases, mirror)
    assert (listed.file.hashes, listed.file.size) == ({"sha256": "a" * 64}, 7)
    assert listed.said == bare
    assert listed.source == URL


def test_a_page_that_has_expired_will_do_if_it_lists_the_file(cases: UseCases, mirror):
    _said(cases, mirror, ONE)
    cases.clock.advance(seconds=EXPIRY)
    cases.upstream.asked.clear()
    assert _listed(cases, mirror).said == ONE
    assert cases.upstream.asked == []
    cases.upstream.offer("demo", ONE, TWO)
    assert _listed(cases, mirror, TWO).said == TWO
    assert cases.upstream.asked == ["page demo"]


def test_a_fresh_page_that_does_not_list_it_is_the_answer(cases: UseCases, mirror):
    _said(cases, mirror, ONE)
    cases.upstream.asked.clear()
    assert _listed(cases, mirror, TWO) is None
    assert cases.upstream.asked == []


def test_without_a_page_the_upstream_is_asked(cases: UseCases, mirror):
    assert _listed(cases, mirror) is None
    cases.clock.advance(minutes=2)
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        _listed(cases, mirror)


def test_a_delisted_file_stays_downloadable_if_its_content_is_here(cases: UseCases, mirror):
    _said(cases, mirror, ONE, TWO)
    _keep(cases, mirror, ONE)
    _said(cases, mirror)
    assert _listed(cases, mirror).said == ONE
    assert _listed(cases, mirror, TWO) is None


@pytest.mark.parametrize("files", [(ONE,), ()], ids=["listed", "not listed"])
def test_no_file_of_a_quarantined_project_is_handed_out(cases: UseCases, mirror, files):
    _said(cases, mirror, ONE)
    _keep(cases, mirror, ONE)
    _said(cases, mirror, *files, status=QUARANTINED)
    with pytest.raises(Forbidden, match=r"quarantined, .*: malware"):
        _listed(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    cases.upstream.offer("demo", ONE)
    assert _listed(cases, mirror).said == ONE


def test_what_another_upstream_listed_is_looked_up_anew(cases: UseCases, mirror):
    _said(cases, mirror, ONE)
    mirror = cases.indexes.change(ROOT, PYPI, {"mirror_url": "http://other.example/simple/"})
    assert _said(cases, mirror, TWO).files == (TWO,)
    mirror = cases.indexes.change(ROOT, PYPI, {"mirror_url": URL})
    assert _listed(cases, mirror, TWO).source == URL
    cases.upstream.trouble = UpstreamFailed("down")
    mirror = cases.indexes.change(ROOT, PYPI, {"mirror_url": "http://other.example/simple/"})
    assert _listed(cases, mirror, TWO).source == URL


def test_a_page_is_read_once_for_a_burst_of_files(cases: UseCases, mirror, monkeypatch):
    _said(cases, mirror, ONE, TWO)
    read = []
    held = cases.mirrors._held
    monkeypatch.setattr(cases.mirrors, "_held", lambda *page: read.append(page) or held(*page))
    for file in (ONE, TWO, ONE):
        assert _listed(cases, mirror, file).said == file
    assert len(read) == 1


@pytest.mark.parametrize(
    "change", [{"yanked": True}, {"url": "http://127.0.0.1:9/moved"}], ids=["yanked", "moved"]
)
def test_what_another_process_is_told_counts_for_the_next_file_url(cases, mirror, change):
    process = Mirrors(cases.database, cases.upstream, cases.clock, Breakers())
    _said(cases, mirror, ONE)
    assert _listed(cases, mirror).said == ONE
    changed = replace(ONE, **change)
    cases.upstream.offer("demo", changed)
    process.page(mirror, DEMO, refresh=True)
    assert _listed(cases, mirror).said == changed


def test_few_pages_are_held_ready(cases: UseCases, mirror, monkeypatch):
    names = [ProjectName(f"demo-{number}") for number in range(RECENT_PAGES + 1)]
    for name in names:
        cases.upstream.offer(name, ONE)
        cases.mirrors.page(mirror, name)
    read = []
    held = cases.mirrors._held
    monkeypatch.setattr(cases.mirrors, "_held", lambda *page: read.append(page) or held(*page))
    for _ in range(2):
        for name in names:
            cases.mirrors.listed(mirror, name, ONE.filename)
    assert len(read) > len(names)


def test_of_a_project_that_was_gone_the_upstream_is_asked_again(cases: UseCases, mirror):
    """It may have come back as quarantined."""
    _said(cases, mirror, ONE)
    _keep(cases, mirror, ONE)
    cases.upstream.withdraw("demo")
    _page(cases, mirror, refresh=True)
    assert cases.mirrors.listed(mirror, DEMO, ONE.filename).file == ONE
    cases.clock.advance(seconds=EXPIRY)
    cases.upstream.offer("demo", ONE, status=QUARANTINED)
    with pytest.raises(Forbidden):
        cases.mirrors.listed(mirror, DEMO, ONE.filename)


# What is learned


def _learn(cases, mirror, file, **facts):
    with cases.recorded() as events, cases.database.writing() as unit:
        note_learned(unit, mirror, DEMO, file.filename, now=NOW, **facts)
    return events


BARE = replace(WHEEL, hashes={"md5": "1" * 32}, size=None, uploaded=None)


@pytest.mark.parametrize(
    ("fact", "shown"),
    [
        ({"sha256": "a" * 64}, {"hashes": {"md5": "1" * 32, "sha256": "a" * 64}}),
        ({"size": 7}, {"size": 7}),
        (
            {"modified": NOW - timedelta(days=9)},
            {"uploaded": NOW - timedelta(days=9), "time_source": TimeSource.LAST_MODIFIED},
        ),
        ({"metadata_sha256": "b" * 64}, {"core_metadata": {"sha256": "b" * 64}}),
    ],
    ids=["sha256", "size", "modified", "metadata"],
)
def test_what_installers_see_of_it_is_a_change(cases: UseCases, mirror, fact, shown):
    [before] = _said(cases, mirror, BARE).files
    assert (before.uploaded, before.time_source) == (cases.clock(), TimeSource.FIRST_SEEN)
    assert _learn(cases, mirror, BARE, **fact) == ["mirror-page-changed"]
    assert _page(cases, mirror).files == (replace(before, **shown),)
    assert _learn(cases, mirror, BARE, **fact) == []


def test_what_the_upstream_says_itself_costs_no_write(cases: UseCases, mirror, monkeypatch):
    said = replace(WHEEL, core_metadata={"sha256": "c" * 64})
    _said(cases, mirror, said)
    facts = {"sha256": "a" * 64, "size": 7, "modified": NOW, "metadata_sha256": "b" * 64}
    with cases.database.writing() as unit:
        monkeypatch.setattr(unit.mirror_pages, "put", lambda *_: pytest.fail("it is written"))
        note_learned(unit, mirror, DEMO, said.filename, now=NOW, **facts)
    assert _page(cases, mirror).files == (said,)


def test_what_nobody_sees_is_no_change(cases: UseCases, mirror):
    _said(cases, mirror, BARE)
    later = cases.clock() + timedelta(days=1)
    assert _learn(cases, mirror, BARE, modified=later) == []


def test_nothing_is_learned_of_a_file_or_project_that_is_not_known(cases: UseCases, mirror):
    assert _learn(cases, mirror, ONE, sha256="a" * 64) == []
    _said(cases, mirror, ONE)
    assert _learn(cases, mirror, TWO, sha256="a" * 64) == []
    assert _page(cases, mirror).files == (ONE,)


def test_what_was_learned_while_a_page_was_on_its_way_is_not_lost(cases, mirror, monkeypatch):
    _said(cases, mirror, BARE)
    page = cases.upstream.project_page

    def meanwhile(*args):
        _learn(cases, mirror, BARE, sha256="a" * 64)
        return page(*args)

    monkeypatch.setattr(cases.upstream, "project_page", meanwhile)
    [file] = _said(cases, mirror, BARE).files
    assert file.hashes["sha256"] == "a" * 64


# Whether files can be read in parts


@pytest.mark.parametrize("ranges", [True, False])
def test_a_wheel_without_metadata_is_tried_once(cases: UseCases, mirror, ranges):
    cases.upstream.ranges = ranges
    [file] = _said(cases, mirror, WHEEL).files
    assert file.core_metadata == ({} if ranges else None)
    _said(cases, mirror, WHEEL)
    question = f"ranges {WHEEL.url}"
    assert cases.upstream.asked == ["page demo", question, "page demo"]
    assert cases.upstream.bases == [URL] * 3


@pytest.mark.parametrize("file", [ONE, replace(WHEEL, core_metadata={})], ids=["sdist", "known"])
def test_nothing_is_tried_where_no_wheel_needs_it(cases: UseCases, mirror, file):
    cases.upstream.ranges = True
    _said(cases, mirror, file)
    assert cases.upstream.asked == ["page demo"]


@pytest.mark.parametrize("error", [UpstreamFailed("no"), NotFound("no such file")])
@pytest.mark.parametrize("etag", [None, "v1"], ids=["said anew", "confirmed"])
def test_what_could_not_be_tried_is_tried_again_after_a_while(
    cases: UseCases, mirror, monkeypatch, error, etag
):
    def fails(*_):
        raise error

    cases.upstream.ranges = True
    with monkeypatch.context() as patch:
        patch.setattr(cases.upstream, "takes_ranges", fails)
        [file] = _said(cases, mirror, WHEEL, etag=etag).files
    assert file.core_metadata is None
    cases.clock.advance(seconds=PAUSE_SECONDS - 1)
    [file] = _page(cases, mirror, refresh=True).files
    assert file.core_metadata is None
    assert f"ranges {WHEEL.url}" not in cases.upstream.asked
    cases.clock.advance(seconds=1)
    with cases.recorded() as events:
        [file] = _page(cases, mirror, refresh=True).files
    assert file.core_metadata == {}
    assert events == ["mirror-page-changed"]
    assert not _page(cases, mirror).stale


@pytest.fixture
def stalled(cases: UseCases, monkeypatch):
    """Where the file host of the first upstream stalls, before it takes ranges."""
    gate, told = Gate(), cases.upstream.takes_ranges

    def takes_ranges(base_url, url):
        if base_url != URL:
            return told(base_url, url)
        gate.pass_through()
        return True

    monkeypatch.setattr(cases.upstream, "takes_ranges", takes_ranges)
    yield gate
    gate.open()


@pytest.fixture
def hasty(cases: UseCases):
    """Mirrors that wait but a moment."""
    return Mirrors(cases.database, cases.upstream, cases.clock, cases.breakers, patience=0.05)


def _probe(mirror, mirrors):
    """What goes on in the background."""
    return mirrors._probes.behind(page_id(mirror, DEMO), lambda: None).future


def test_a_file_host_that_stalls_does_not_hold_up_the_page(cases, mirror, stalled, hasty):
    cases.upstream.offer("demo", WHEEL)
    with cases.recorded() as events:
        page = hasty.page(mirror, DEMO)
        stalled.wait_for_one()
        assert (page.files, page.stale) == ((WHEEL,), False)
        assert _page(cases, mirror).files == (WHEEL,), "it was stored before the host was asked"
        probe = _probe(mirror, hasty)
        stalled.open()
        probe.result(PATIENCE)
    assert _page(cases, mirror).files == (replace(WHEEL, core_metadata={}),)
    assert events == ["mirror-page-changed"] * 2


def test_what_a_file_host_tells_late_is_not_taken_for_that_of_another(
    cases: UseCases, mirror, stalled, hasty
):
    options = {"mirror_fallback_urls": ["http://two.example/simple/"]}
    mirror = cases.indexes.change(ROOT, PYPI, options)
    cases.upstream.offer("demo", WHEEL)
    hasty.page(mirror, DEMO)
    cases.upstream.troubles[URL] = UpstreamFailed("down")
    assert _page(cases, mirror, refresh=True).files == (WHEEL,)
    probe = _probe(mirror, hasty)
    stalled.open()
    probe.result(PATIENCE)
    assert _page(cases, mirror).files == (WHEEL,)


def test_a_file_host_that_is_asked_while_the_server_ends_is_no_error(
    cases: UseCases, mirror, stalled, hasty, caplog, monkeypatch
):
    cases.upstream.offer("demo", WHEEL)
    hasty.page(mirror, DEMO)
    probe = _probe(mirror, hasty)

    def closed(*_):
        raise RuntimeError("closed under it")

    hasty.close()
    monkeypatch.setattr(cases.database, "writing", closed)
    stalled.open()
    with pytest.raises(RuntimeError):
        probe.result(PATIENCE)
    for thread in threading.enumerate():
        if thread.name == "behind":
            thread.join(PATIENCE)
    assert caplog.records == []


def test_another_upstreams_files_are_tried_anew(cases: UseCases, mirror):
    options = {"mirror_fallback_urls": ["http://two.example/simple/"]}
    mirror = cases.indexes.change(ROOT, PYPI, options)
    cases.upstream.ranges = True
    _said(cases, mirror, WHEEL)
    cases.upstream.ranges = False
    cases.upstream.troubles[URL] = UpstreamFailed("down")
    [file] = _said(cases, mirror, WHEEL).files
    assert file.core_metadata is None
