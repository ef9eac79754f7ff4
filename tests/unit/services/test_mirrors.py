"""Mirrors' pages: kept, revalidated, served stale."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from stillroom_server.domain.errors import NotFound, UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.mirrors import ABSENT_SECONDS, PAUSE_SECONDS
from support.fake_upstream import PATIENCE
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")
ONE, TWO = an_upstream_file("demo-1.0.tar.gz"), an_upstream_file("demo-2.0.tar.gz")
EXPIRY = 600


def _page(cases, mirror, **options):
    return cases.mirrors.page(mirror, DEMO, **options)


def _down(cases):
    cases.upstream.trouble = UpstreamFailed("the upstream is down", retry_after=7)


# Fresh and expired


def test_a_page_is_fetched_once_and_kept_for_its_expiry(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    first = _page(cases, mirror)
    assert (first.files, first.exists, first.seconds, first.stale) == ((ONE,), True, EXPIRY, False)
    cases.clock.advance(seconds=EXPIRY - 1)
    assert _page(cases, mirror).seconds == 1
    assert cases.upstream.asked == ["page demo"]
    cases.clock.advance(seconds=1)
    _page(cases, mirror)
    assert cases.upstream.asked == ["page demo"] * 2


def test_a_clock_that_was_set_back_does_not_keep_a_page_for_ever(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.clock.set_back(days=400)
    cases.upstream.offer("demo", ONE, TWO)
    assert _page(cases, mirror).files == (ONE, TWO)


def test_a_refresh_asks_in_any_case(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.upstream.offer("demo", ONE, TWO)
    assert _page(cases, mirror).files == (ONE,)
    assert _page(cases, mirror, refresh=True).files == (ONE, TWO)


def test_an_unchanged_page_is_confirmed_by_its_validators_and_takes_no_serial(cases, mirror):
    cases.upstream.offer("demo", ONE, etag="v1")
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    with cases.recorded() as events:
        confirmed = _page(cases, mirror)
    assert (confirmed.files, confirmed.seconds, confirmed.stale) == ((ONE,), EXPIRY, False)
    assert events == []
    assert len(cases.upstream.asked) == 2
    _page(cases, mirror)
    assert len(cases.upstream.asked) == 2


def test_a_page_that_says_the_same_again_takes_no_serial(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    with cases.recorded() as events:
        _page(cases, mirror)
    assert events == []


def test_a_page_that_changed_is_an_event(cases: UseCases, mirror):
    with cases.recorded() as events:
        cases.upstream.offer("demo", ONE)
        _page(cases, mirror)
        cases.upstream.offer("demo", ONE, TWO)
        _page(cases, mirror, refresh=True)
    assert events == ["mirror-page-changed"] * 2


# What the upstream does not have


def test_an_absent_project_is_remembered_for_a_while_without_a_trace(cases: UseCases, mirror):
    with cases.recorded() as events:
        absent = _page(cases, mirror)
    assert (absent.exists, absent.files, absent.seconds) == (False, (), ABSENT_SECONDS)
    cases.clock.advance(seconds=ABSENT_SECONDS - 1)
    assert _page(cases, mirror).seconds == 1
    assert cases.upstream.asked == ["page demo"]
    cases.clock.advance(seconds=1)
    _page(cases, mirror)
    assert cases.upstream.asked == ["page demo"] * 2
    assert events == []


def test_a_project_that_appears_is_seen_after_the_while_or_at_once_by_a_refresh(cases, mirror):
    _page(cases, mirror)
    cases.upstream.offer("demo", ONE)
    assert not _page(cases, mirror).exists
    assert _page(cases, mirror, refresh=True).exists
    assert _page(cases, mirror).files == (ONE,)


def test_a_project_that_vanishes_upstream_is_gone_here_and_may_come_back(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, etag="v1")
    _page(cases, mirror)
    cases.upstream.withdraw("demo")
    with cases.recorded() as events:
        gone = _page(cases, mirror, refresh=True)
    assert (gone.exists, gone.files, gone.seconds) == (False, (), ABSENT_SECONDS)
    assert events == ["mirror-page-changed"]
    cases.clock.advance(seconds=ABSENT_SECONDS)
    cases.upstream.offer("demo", ONE, etag="v1")
    assert _page(cases, mirror).files == (ONE,)


# Trouble


def test_a_kept_page_is_served_stale_and_the_upstream_left_alone_for_a_while(cases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    _down(cases)
    stale = _page(cases, mirror)
    assert (stale.files, stale.exists, stale.stale) == ((ONE,), True, True)
    assert stale.seconds == PAUSE_SECONDS
    cases.clock.advance(seconds=PAUSE_SECONDS - 1)
    assert _page(cases, mirror).stale
    assert len(cases.upstream.asked) == 2
    cases.clock.advance(seconds=1)
    _page(cases, mirror)
    assert len(cases.upstream.asked) == 3


def test_after_the_trouble_pages_are_fresh_again(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    _down(cases)
    _page(cases, mirror)
    cases.upstream.trouble = None
    cases.upstream.offer("demo", ONE, TWO)
    refreshed = _page(cases, mirror, refresh=True)
    assert (refreshed.files, refreshed.stale) == ((ONE, TWO), False)


def test_a_gone_project_stays_gone_while_the_upstream_is_down(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.upstream.withdraw("demo")
    _page(cases, mirror, refresh=True)
    cases.clock.advance(seconds=ABSENT_SECONDS)
    _down(cases)
    stale = _page(cases, mirror)
    assert (stale.exists, stale.stale) == (False, True)


@pytest.mark.parametrize("kind", [UpstreamFailed, UpstreamTimeout])
def test_without_anything_kept_the_trouble_is_told_and_never_taken_for_absence(
    cases: UseCases, mirror, kind
):
    cases.upstream.trouble = kind("down", retry_after=7)
    told = []
    for _ in range(3):
        with pytest.raises(kind, match="down") as caught:
            _page(cases, mirror)
        told.append(caught.value)
    assert {error.retry_after for error in told} == {7}
    assert len(cases.upstream.asked) == 1
    assert len({id(error) for error in told}) == 3
    cases.clock.advance(seconds=1)
    cases.upstream.trouble = None
    assert not _page(cases, mirror).exists


def test_a_pause_of_one_project_is_none_of_another(cases: UseCases, mirror):
    _down(cases)
    with pytest.raises(UpstreamFailed):
        _page(cases, mirror)
    cases.upstream.trouble = None
    cases.upstream.offer("other", an_upstream_file("other-1.0.tar.gz"))
    assert cases.mirrors.page(mirror, ProjectName("other")).exists


# Digests that were seen first


CHANGED = an_upstream_file("demo-1.0.tar.gz", hashes={"sha256": "f" * 64}, url="http://evil.test/")


def test_a_file_whose_digest_changes_stays_as_it_was(cases: UseCases, mirror, caplog):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.upstream.offer("demo", CHANGED, TWO)
    with caplog.at_level(logging.ERROR):
        assert _page(cases, mirror, refresh=True).files == (ONE, TWO)
    assert f"sha256 {ONE.hashes['sha256']} was first seen, {'f' * 64} is refused" in caplog.text


def test_a_file_that_comes_back_with_another_digest_does_not_come_back(cases: UseCases, mirror):
    for files in ((ONE, TWO), (TWO,), (CHANGED, TWO)):
        cases.upstream.offer("demo", *files)
        last = _page(cases, mirror, refresh=True)
    assert last.files == (TWO,)


def test_a_file_whose_digest_is_no_longer_said_is_still_held_to_it(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.upstream.offer("demo", an_upstream_file("demo-1.0.tar.gz", hashes={}))
    [file] = _page(cases, mirror, refresh=True).files
    assert file.hashes == ONE.hashes


def test_a_digest_that_is_said_later_holds_from_then_on(cases: UseCases, mirror):
    cases.upstream.offer("demo", an_upstream_file("demo-1.0.tar.gz", hashes={}))
    _page(cases, mirror)
    for offered in (ONE, CHANGED):
        cases.upstream.offer("demo", offered)
        assert _page(cases, mirror, refresh=True).files == (ONE,)


def test_other_changes_of_a_file_are_taken(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    yanked = an_upstream_file("demo-1.0.tar.gz", yanked="broken")
    cases.upstream.offer("demo", yanked)
    assert _page(cases, mirror, refresh=True).files == (yanked,)


# Many at once


def test_however_many_wait_for_a_page_the_upstream_is_asked_once(
    cases: UseCases, mirror, wait_for_followers
):
    cases.upstream.offer("demo", ONE)
    with cases.upstream.held() as gate, ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(_page, cases, mirror)]
        gate.wait_for_one()
        waiting += [pool.submit(_page, cases, mirror) for _ in range(4)]
        wait_for_followers(4)
        gate.open()
        assert [page.result(PATIENCE).files for page in waiting] == [(ONE,)] * 5
    assert cases.upstream.asked == ["page demo"]


def test_who_came_too_late_to_join_finds_what_was_stored(cases: UseCases, mirror, monkeypatch):
    # The page is stored between this one's look and its turn.
    cases.upstream.offer("demo", ONE)
    look = cases.mirrors._known_answer
    looks = []

    def late(index, project, kept):
        if not looks:
            looks.append(1)
            monkeypatch.setattr(cases.mirrors, "_known_answer", look)
            cases.mirrors.page(index, project)
            return None
        return look(index, project, kept)

    monkeypatch.setattr(cases.mirrors, "_known_answer", late)
    assert _page(cases, mirror).files == (ONE,)
    assert cases.upstream.asked == ["page demo"]


def test_all_who_wait_are_told_of_the_trouble(cases: UseCases, mirror, wait_for_followers):
    _down(cases)
    with cases.upstream.held() as gate, ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(_page, cases, mirror)]
        gate.wait_for_one()
        waiting += [pool.submit(_page, cases, mirror) for _ in range(2)]
        wait_for_followers(2)
        gate.open()
        kinds = {type(page.exception(PATIENCE)) for page in waiting}
    assert kinds == {UpstreamFailed}


def test_a_mirror_that_was_deleted_meanwhile_is_not_written_to(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    cases.indexes.delete(ROOT, PYPI)
    with pytest.raises(NotFound, match="There is no index root/pypi"):
        _page(cases, mirror)


# Lists of projects


@pytest.fixture
def listing(cases: UseCases):
    return cases.indexes.change(ROOT, PYPI, {"mirror_no_project_list": False})


def test_a_mirror_lists_what_is_known_here_and_asks_nobody(cases: UseCases, mirror):
    cases.upstream.names = ["one", "two"]
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    assert cases.mirrors.names(mirror) == ["demo"]
    assert cases.upstream.asked == ["page demo"]


def test_a_mirror_that_lists_everything_keeps_the_list_for_its_expiry(cases: UseCases, listing):
    cases.upstream.names = ["one", "two"]
    assert cases.mirrors.names(listing) == ["one", "two"]
    cases.upstream.names = ["three"]
    cases.clock.advance(seconds=EXPIRY - 1)
    assert cases.mirrors.names(listing) == ["one", "two"]
    cases.clock.advance(seconds=1)
    assert cases.mirrors.names(listing) == ["three"]
    assert cases.upstream.asked == ["names"] * 2


def test_a_kept_list_is_served_stale(cases: UseCases, listing):
    cases.upstream.names = ["one"]
    cases.mirrors.names(listing)
    cases.clock.advance(seconds=EXPIRY)
    _down(cases)
    assert cases.mirrors.names(listing) == ["one"]


def test_without_a_kept_list_the_trouble_is_told(cases: UseCases, listing):
    _down(cases)
    with pytest.raises(UpstreamFailed):
        cases.mirrors.names(listing)


def test_an_empty_list_that_is_kept_is_served_stale_too(cases: UseCases, listing):
    assert cases.mirrors.names(listing) == []
    cases.clock.advance(seconds=EXPIRY)
    _down(cases)
    assert cases.mirrors.names(listing) == []
