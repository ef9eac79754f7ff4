"""Mirrors' pages: kept, revalidated, served stale."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from stillroom_server.domain.errors import (
    NotFound,
    StorageBusy,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.services.breakers import FAILURES, FIRST_PAUSE
from stillroom_server.services.mirrors import STALE_SECONDS, Mirrors
from stillroom_server.services.page_memory import ABSENT_SECONDS, PAUSE_SECONDS
from stillroom_server.services.page_requests import WARNINGS, WARNINGS_SECONDS
from support.fake_upstream import PATIENCE
from support.rows import NOW
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")
ONE = an_upstream_file("demo-1.0.tar.gz", uploaded=NOW)
TWO = an_upstream_file("demo-2.0.tar.gz", uploaded=NOW)
EXPIRY = 600


def _page(cases, mirror, **options):
    return cases.mirrors.page(mirror, DEMO, **options)


def _expired(cases, mirror, *files, **values):
    """The page is kept, and has expired."""
    cases.upstream.offer("demo", *files, **values)
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)


def _down(cases, **values):
    cases.upstream.trouble = UpstreamFailed("the upstream is down", **values)


def _open_breaker(cases, mirror):
    """As many other projects fail as it takes."""
    _down(cases)
    for number in range(FAILURES):
        with pytest.raises(UpstreamFailed):
            cases.mirrors.page(mirror, ProjectName(f"other-{number}"))
    cases.upstream.asked.clear()


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
    _expired(cases, mirror, ONE, etag="v1")
    with cases.recorded() as events:
        confirmed = _page(cases, mirror)
    assert (confirmed.files, confirmed.seconds, confirmed.stale) == ((ONE,), EXPIRY, False)
    assert events == []
    assert [known.etag for known in cases.upstream.known] == [None, "v1"]
    _page(cases, mirror)
    assert len(cases.upstream.asked) == 2


def test_a_page_that_says_the_same_again_takes_no_serial(cases: UseCases, mirror):
    _expired(cases, mirror, ONE)
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


# Revalidated in the background


@pytest.fixture
def hasty(cases: UseCases):
    """Mirrors that wait but a moment."""
    return Mirrors(cases.database, cases.upstream, cases.clock, cases.breakers, patience=0.05)


def test_who_cannot_wait_gets_the_kept_page_and_the_next_one_what_has_come(
    cases: UseCases, mirror, hasty
):
    _expired(cases, mirror, ONE)
    cases.clock.advance(seconds=11)
    cases.upstream.offer("demo", ONE, TWO)
    with cases.upstream.held() as gate:
        stale = hasty.page(mirror, DEMO)
        gate.wait_for_one()
        assert (stale.files, stale.stale, stale.seconds) == ((ONE,), True, STALE_SECONDS)
        assert stale.age == EXPIRY + 11
        # It waits for the end of what goes on behind.
        with ThreadPoolExecutor(1) as pool:
            refreshed = pool.submit(hasty.page, mirror, DEMO, refresh=True)
            gate.open()
            assert refreshed.result(PATIENCE).files == (ONE, TWO)
    fresh = hasty.page(mirror, DEMO)
    assert (fresh.files, fresh.stale, fresh.age) == ((ONE, TWO), False, 0)
    assert cases.upstream.asked == ["page demo"] * 2


def test_however_many_ask_for_an_expired_page_one_asks_the_upstream(cases, mirror, hasty):
    _expired(cases, mirror, ONE)
    with cases.upstream.held(), ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: hasty.page(mirror, DEMO), range(20)))
        assert {page.stale for page in pages} == {True}
        assert cases.upstream.asked == ["page demo"] * 2


def test_time_is_counted_from_the_beginning_of_what_goes_on_behind(cases, mirror):
    # Or else each of many requests would wait anew, and hold a thread, while an upstream stalls.
    patient = Mirrors(cases.database, cases.upstream, cases.clock, cases.breakers, patience=1.0)
    _expired(cases, mirror, ONE)
    with cases.upstream.held() as gate:
        assert patient.page(mirror, DEMO).stale
        gate.wait_for_one()
        waited = threading.Thread(target=lambda: [patient.page(mirror, DEMO) for _ in range(50)])
        waited.start()
        waited.join(PATIENCE)
        assert not waited.is_alive()


def test_what_fails_behind_is_served_stale_to_those_who_come_later(cases, mirror, hasty):
    _expired(cases, mirror, ONE)
    _down(cases)
    assert hasty.page(mirror, DEMO).stale
    cases.upstream.trouble = None
    assert hasty.page(mirror, DEMO).stale
    assert len(cases.upstream.asked) == 2


def test_trouble_with_the_database_behind_serves_stale_too(cases, mirror, hasty, monkeypatch):
    _expired(cases, mirror, ONE)

    def busy():
        raise StorageBusy("the database is busy")

    monkeypatch.setattr(cases.database, "writing", busy)
    stale = hasty.page(mirror, DEMO)
    assert (stale.files, stale.stale) == ((ONE,), True)


def test_an_error_in_the_background_is_logged_unless_the_server_ends(
    cases, mirror, monkeypatch, caplog
):
    _expired(cases, mirror, ONE)
    monkeypatch.setattr(cases.upstream, "project_page", lambda *_: 1 // 0)
    _fails_behind(cases, mirror)
    assert [record.getMessage() for record in caplog.records] == ["Work in the background failed."]
    caplog.clear()
    cases.mirrors.close()
    _fails_behind(cases, mirror)
    assert caplog.records == []


def _fails_behind(cases, mirror):
    with pytest.raises(ZeroDivisionError):
        _page(cases, mirror)
    for thread in threading.enumerate():
        if thread.name == "behind":
            thread.join(PATIENCE)


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
    _expired(cases, mirror, ONE)
    _down(cases)
    stale = _page(cases, mirror)
    assert (stale.files, stale.exists, stale.stale) == ((ONE,), True, True)
    assert (stale.seconds, stale.age) == (PAUSE_SECONDS, EXPIRY)
    cases.clock.advance(seconds=PAUSE_SECONDS - 1)
    assert _page(cases, mirror).stale
    assert len(cases.upstream.asked) == 2
    cases.clock.advance(seconds=1)
    _page(cases, mirror)
    assert len(cases.upstream.asked) == 3


def test_the_upstreams_wish_to_be_left_alone_is_granted(cases: UseCases, mirror):
    _expired(cases, mirror, ONE)
    _down(cases, retry_after=PAUSE_SECONDS + 60)
    assert _page(cases, mirror).seconds == PAUSE_SECONDS + 60
    with pytest.raises(UpstreamFailed):
        cases.mirrors.page(mirror, ProjectName("other"))
    cases.clock.advance(seconds=PAUSE_SECONDS + 59)
    with pytest.raises(UpstreamFailed):
        cases.mirrors.page(mirror, ProjectName("other"))
    assert _page(cases, mirror).stale
    assert cases.upstream.asked == ["page demo", "page demo", "page other"]


def test_after_the_trouble_pages_are_fresh_again(cases: UseCases, mirror):
    _expired(cases, mirror, ONE)
    _down(cases)
    _page(cases, mirror)
    cases.upstream.trouble = None
    cases.upstream.offer("demo", ONE, TWO)
    refreshed = _page(cases, mirror, refresh=True)
    assert (refreshed.files, refreshed.stale) == ((ONE, TWO), False)


def test_a_good_answer_ends_the_pause_of_a_page(cases: UseCases, mirror):
    mirror = cases.indexes.change(ROOT, PYPI, {"mirror_cache_expiry": 5})
    _expired(cases, mirror, ONE)
    _down(cases)
    assert _page(cases, mirror).stale
    cases.upstream.trouble = None
    _page(cases, mirror, refresh=True)
    cases.clock.advance(seconds=5)
    assert not _page(cases, mirror).stale


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
    cases.upstream.trouble = kind("down")
    told = []
    for _ in range(3):
        with pytest.raises(kind, match="down") as caught:
            _page(cases, mirror)
        told.append(caught.value)
    assert len(cases.upstream.asked) == 1
    assert len({id(error) for error in told}) == 3
    cases.clock.advance(seconds=1)
    cases.upstream.trouble = None
    assert not _page(cases, mirror).exists


def test_a_page_that_cannot_be_had_is_asked_for_less_and_less_often(cases: UseCases, mirror):
    _down(cases)
    waits = []
    for _ in range(7):
        asked, seconds = len(cases.upstream.asked), 0
        while len(cases.upstream.asked) == asked:
            with pytest.raises(UpstreamFailed):
                _page(cases, mirror)
            cases.clock.advance(seconds=1)
            seconds += 1
        waits.append(seconds - 1)
    assert waits == [0, 0, 1, 3, 7, 15, 29]


def test_a_pause_of_one_project_is_none_of_another(cases: UseCases, mirror):
    _down(cases)
    with pytest.raises(UpstreamFailed):
        _page(cases, mirror)
    cases.upstream.trouble = None
    cases.upstream.offer("other", an_upstream_file("other-1.0.tar.gz"))
    assert cases.mirrors.page(mirror, ProjectName("other")).exists


def test_an_upstream_that_is_left_alone_is_not_asked_for_any_page(cases: UseCases, mirror):
    _expired(cases, mirror, ONE)
    _open_breaker(cases, mirror)
    stale = _page(cases, mirror)
    assert (stale.files, stale.stale, stale.seconds) == ((ONE,), True, FIRST_PAUSE)
    with pytest.raises(UpstreamLeftAlone):
        cases.mirrors.page(mirror, ProjectName("new"))
    assert _page(cases, mirror, refresh=True).stale
    assert cases.upstream.asked == []


def test_for_an_upstream_that_is_left_alone_no_thread_is_begun(cases, mirror, monkeypatch):
    _expired(cases, mirror, ONE)
    _open_breaker(cases, mirror)
    monkeypatch.setattr(cases.mirrors._refreshes, "behind", lambda *_: pytest.fail("one is"))
    assert _page(cases, mirror).stale


def test_being_left_alone_puts_no_page_on_pause(cases: UseCases, mirror):
    # The one who comes while the probe is on its way must not be served stale long after it.
    _expired(cases, mirror, ONE)
    cases.upstream.offer("other", an_upstream_file("other-1.0.tar.gz"))
    _open_breaker(cases, mirror)
    cases.clock.advance(seconds=FIRST_PAUSE - 1)
    assert _page(cases, mirror, refresh=True).stale
    cases.clock.advance(seconds=1)
    cases.upstream.trouble = None
    cases.mirrors.page(mirror, ProjectName("other"))
    assert not _page(cases, mirror).stale


def test_failing_pages_do_not_fill_the_log(cases: UseCases, mirror, caplog):
    _down(cases)
    with caplog.at_level(logging.INFO):
        for number in range(10 * WARNINGS):
            with pytest.raises(UpstreamFailed):
                cases.mirrors.page(mirror, ProjectName(f"demo-{number}"), refresh=True)
            cases.clock.advance(seconds=1)
    assert len(caplog.records) <= WARNINGS + FAILURES


def test_what_is_logged_is_bounded_and_not_just_once(cases: UseCases, mirror, caplog):
    def fail(name):
        with pytest.raises(UpstreamFailed):
            cases.mirrors.page(mirror, ProjectName(name))

    cases.upstream.offer("good", ONE)
    for period in range(2):
        for number in range(2 * WARNINGS):
            _down(cases)
            fail(f"bad-{period}-{number}")
            # One that is neither up nor down: the breaker never opens.
            cases.upstream.trouble = None
            cases.mirrors.page(mirror, ProjectName("good"), refresh=True)
        warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(warnings) == WARNINGS * (period + 1)
        cases.clock.advance(seconds=WARNINGS_SECONDS)
    assert "root/pypi: no page of bad-0-0 from http://127.0.0.1:9/simple/" in caplog.text


# Status


def test_the_status_is_passed_on_and_a_change_of_it_is_an_event(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    assert _page(cases, mirror).status == ProjectStatus()
    archived = ProjectStatus(Status.ARCHIVED, "moved")
    cases.upstream.offer("demo", ONE, status=archived)
    with cases.recorded() as events:
        page = _page(cases, mirror, refresh=True)
    assert (page.status, page.files) == (archived, (ONE,))
    assert events == ["mirror-page-changed"]


def test_a_quarantined_project_exists_and_offers_no_file(cases: UseCases, mirror):
    quarantined = ProjectStatus(Status.QUARANTINED, "malware")
    cases.upstream.offer("demo", ONE, status=quarantined)
    page = _page(cases, mirror)
    assert (page.exists, page.files, page.status) == (True, (), quarantined)
    cases.upstream.offer("demo", ONE)
    assert _page(cases, mirror, refresh=True).files == (ONE,)


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

    def late(index, project, held):
        if not looks:
            looks.append(1)
            monkeypatch.setattr(cases.mirrors, "_known_answer", look)
            cases.mirrors.page(index, project)
            return None
        return look(index, project, held)

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
