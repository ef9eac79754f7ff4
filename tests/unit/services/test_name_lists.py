"""Lists of all names: read when somebody asks, kept, and replaced by good ones only."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from stillroom_server.domain.errors import (
    NotFound,
    StorageBusy,
    Trouble,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.upstream import NameList, Validators
from stillroom_server.services import name_lists
from stillroom_server.services.breakers import FAILURES, FIRST_PAUSE, BreakerState
from stillroom_server.services.name_lists import BATCH, NameLists
from support.fake_archives import an_archive
from support.fake_repositories import FakeMirrorNames
from support.fake_upstream import PATIENCE
from support.use_cases import ROOT, UseCases

EXPIRY = 600
FIRST, SECOND = "http://127.0.0.1:9/simple/", "http://127.0.0.1:9/second/"
TAG = Validators(etag='"tag"', last_modified="Sun, 01 Mar 2026 12:00:00 GMT")


@pytest.fixture
def mirror(cases: UseCases, mirror: Index) -> Index:
    """A mirror that shows its upstream's list, with a second upstream in reserve."""
    changes = {"mirror_no_project_list": False, "mirror_fallback_urls": [SECOND]}
    return cases.indexes.change(ROOT, mirror.name, changes)


@pytest.fixture
def lists(cases: UseCases) -> Iterator[NameLists]:
    """Requests wait for the background for as long as it takes."""
    made = NameLists(
        cases.database, cases.upstream, cases.clock, cases.breakers, patience=PATIENCE
    )
    yield made
    made.close()


def _read(cases: UseCases, names: NameList) -> list[str]:
    with cases.reading() as unit:
        return unit.mirror_names.after(names.id, "", 1_000_000)


def _shown(cases: UseCases, lists: NameLists, mirror: Index) -> list[str]:
    return _read(cases, lists.to_show(mirror).names)


def _stored_lists(cases: UseCases) -> int:
    return len(cases.database._committed.lists)


def _down(cases: UseCases) -> Trouble:
    cases.upstream.trouble = UpstreamFailed("it is down")
    return cases.upstream.trouble


def _fail_until_left_alone(cases: UseCases, *urls: str) -> None:
    for url in urls:
        for number in range(FAILURES):
            with pytest.raises(UpstreamFailed), cases.breakers.asking(url, f"page {number}"):
                raise UpstreamFailed("it is down")


# When the upstream is asked


def test_a_list_is_read_once_and_kept_for_its_expiry(cases: UseCases, lists, mirror):
    cases.upstream.names = ["one", "two"]
    assert _shown(cases, lists, mirror) == ["one", "two"]
    cases.upstream.names = ["one", "two", "three"]
    cases.clock.advance(seconds=EXPIRY - 1)
    assert _shown(cases, lists, mirror) == ["one", "two"]
    assert cases.upstream.asked == ["names"]
    cases.clock.advance(seconds=1)
    assert _shown(cases, lists, mirror) == ["one", "three", "two"]
    assert cases.upstream.asked == ["names"] * 2


def test_the_seconds_tell_when_the_upstream_will_be_asked(cases: UseCases, lists, mirror):
    cases.upstream.names = ["one"]
    assert lists.to_show(mirror).seconds == EXPIRY
    cases.clock.advance(seconds=EXPIRY - 7)
    assert lists.to_show(mirror).seconds == 7
    cases.clock.advance(seconds=100)
    _down(cases)
    assert lists.to_show(mirror).seconds == 0


def test_a_list_from_the_future_is_not_fresh(cases: UseCases, lists, mirror):
    cases.upstream.names = ["one"]
    lists.to_show(mirror)
    cases.clock.set_back(days=1)
    cases.upstream.names = ["two"]
    assert _shown(cases, lists, mirror) == ["two"]


def test_a_list_that_the_upstream_confirms_stays_and_is_fresh(cases: UseCases, lists, mirror):
    cases.upstream.names, cases.upstream.names_validators = ["one"], TAG
    first = lists.to_show(mirror).names
    assert first.validators == TAG
    cases.upstream.names = [UpstreamFailed("a list that is confirmed is not sent")]
    cases.clock.advance(seconds=EXPIRY)
    confirmed = lists.to_show(mirror)
    assert confirmed.names == replace(first, fetched=cases.clock())
    assert confirmed.seconds == EXPIRY
    assert _stored_lists(cases) == 1


def test_who_joins_waits_for_the_same_list(cases: UseCases, lists, mirror, wait_for_followers):
    cases.upstream.names = ["one"]
    with ThreadPoolExecutor() as pool, cases.upstream.held() as gate:
        answers = [pool.submit(lists.to_show, mirror) for _ in range(5)]
        gate.wait_for_one()
        wait_for_followers(4)
        gate.open()
        shown = {answer.result(PATIENCE).names.id for answer in answers}
    assert len(shown) == 1
    assert cases.upstream.asked == ["names"]


def test_an_expired_list_is_shown_while_the_new_one_is_on_its_way(cases: UseCases, mirror):
    impatient = NameLists(
        cases.database, cases.upstream, cases.clock, cases.breakers, patience=0.0
    )
    cases.upstream.names = ["one"]
    old = impatient.to_show(mirror).names
    cases.clock.advance(seconds=EXPIRY)
    cases.upstream.names = ["two"]
    with cases.upstream.held() as gate:
        for _ in range(3):
            assert impatient.to_show(mirror).names == old
        gate.wait_for_one()
        flight = impatient._imports.behind((mirror.id, mirror.upstream_urls), lambda: old)
    flight.future.result(PATIENCE)
    assert _shown(cases, impatient, mirror) == ["two"]
    assert cases.upstream.asked == ["names"] * 2
    impatient.close()


# Trouble


def test_without_a_kept_list_the_trouble_is_told_to_each_by_its_own(
    cases: UseCases, lists, mirror
):
    _down(cases)
    raised = []
    for _ in range(2):
        with pytest.raises(UpstreamFailed, match="it is down") as caught:
            lists.to_show(mirror)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert cases.upstream.asked == ["names"] * 2, "each upstream once, then a pause"
    cases.clock.advance(seconds=1)
    cases.upstream.trouble = None
    cases.upstream.names = ["one"]
    assert _shown(cases, lists, mirror) == ["one"]


def test_a_kept_list_is_shown_instead_and_the_upstream_gets_a_pause(
    cases: UseCases, lists, mirror
):
    cases.upstream.names = ["one"]
    lists.to_show(mirror)
    cases.clock.advance(seconds=EXPIRY)
    _down(cases)
    for _ in range(3):
        assert _shown(cases, lists, mirror) == ["one"]
    assert len(cases.upstream.asked) == 1 + 2
    cases.clock.advance(seconds=30)
    cases.upstream.trouble = None
    cases.upstream.names = ["two"]
    assert _shown(cases, lists, mirror) == ["two"]


@pytest.mark.parametrize("broken", [UpstreamFailed("reset"), UpstreamTimeout("stalled")])
def test_a_list_that_breaks_off_replaces_nothing_and_leaves_nothing(
    cases: UseCases, lists, mirror, broken: Trouble
):
    cases.upstream.names = ["one"]
    lists.to_show(mirror)
    cases.clock.advance(seconds=EXPIRY)
    cases.upstream.names = [*(f"name-{number}" for number in range(2 * BATCH + 1)), broken]
    assert _shown(cases, lists, mirror) == ["one"]
    assert _stored_lists(cases) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_an_empty_list_is_taken_for_none(cases: UseCases, lists, mirror, kept: bool):
    if kept:
        cases.upstream.names = ["one"]
        lists.to_show(mirror)
        cases.clock.advance(seconds=EXPIRY)
    cases.upstream.names = []
    if kept:
        assert _shown(cases, lists, mirror) == ["one"]
    else:
        with pytest.raises(UpstreamFailed, match="lists no projects at all"):
            lists.to_show(mirror)
    assert _stored_lists(cases) == int(kept)


@pytest.mark.parametrize(("count", "is_taken"), [(80, True), (79, False), (1, False)])
def test_a_list_that_lost_too_much_is_taken_only_when_it_is_confirmed(
    cases: UseCases, lists, mirror, caplog, count: int, is_taken: bool
):
    cases.upstream.names = [f"name-{number}" for number in range(100)]
    lists.to_show(mirror)
    cases.upstream.names = cases.upstream.names[:count]
    cases.clock.advance(seconds=EXPIRY)
    assert len(_shown(cases, lists, mirror)) == (count if is_taken else 100)
    if is_taken:
        return
    assert "mirror refresh root/pypi --names --accept-shrunk" in caplog.text
    assert _stored_lists(cases) == 1, "what was refused is not kept"
    with pytest.raises(UpstreamFailed, match=f"lists {count} projects and listed 100 before"):
        lists.refresh(mirror)
    assert lists.refresh(mirror, accept_shrunk=True).count == count
    assert len(_shown(cases, lists, mirror)) == count


def test_a_refused_list_is_not_read_again_for_an_hour(cases: UseCases, lists, mirror):
    cases.upstream.names = [f"name-{number}" for number in range(100)]
    lists.to_show(mirror)
    cases.upstream.names = ["name-1"]
    cases.clock.advance(seconds=EXPIRY)
    lists.to_show(mirror)
    asked = len(cases.upstream.asked)
    cases.clock.advance(minutes=59)
    lists.to_show(mirror)
    assert len(cases.upstream.asked) == asked
    cases.clock.advance(minutes=2)
    lists.to_show(mirror)
    assert len(cases.upstream.asked) > asked


def test_duplicates_do_not_make_a_list_longer(cases: UseCases, lists, mirror):
    cases.upstream.names = ["one"] * (2 * BATCH) + ["two"]
    names = lists.to_show(mirror).names
    assert names.count == 2
    assert _read(cases, names) == ["one", "two"]


def test_a_list_that_takes_too_long_is_given_up(cases: UseCases, lists, mirror):
    def endless() -> Iterator[str]:
        for number in range(10 * BATCH):
            cases.clock.advance(seconds=1)
            yield f"name-{number}"

    cases.upstream.names = endless()
    with pytest.raises(UpstreamTimeout):
        lists.to_show(mirror)
    assert name_lists.KEPT_FOR.total_seconds() > name_lists.LONGEST_IMPORT
    assert _stored_lists(cases) == 0


# Several upstreams


def test_the_next_upstream_is_asked_when_one_fails(cases: UseCases, lists, mirror):
    cases.upstream.troubles[FIRST] = UpstreamTimeout("it is slow")
    cases.upstream.names = ["one"]
    assert _shown(cases, lists, mirror) == ["one"]
    assert cases.upstream.bases == [FIRST, SECOND]


def test_the_next_upstream_is_asked_when_the_list_of_one_is_implausible(
    cases: UseCases, lists, mirror
):
    cases.upstream.names = iter([])
    with pytest.raises(UpstreamFailed, match="no projects at all"):
        lists.to_show(mirror)
    assert cases.upstream.bases == [FIRST, SECOND]


def test_what_one_upstream_confirms_is_not_asked_of_another(cases: UseCases, lists, mirror):
    """An ETag of the first could by chance be one of the second, for another list."""
    cases.upstream.names, cases.upstream.names_validators = ["one"], TAG
    assert lists.to_show(mirror).names.validators == TAG
    cases.upstream.names = ["one", "two"]
    cases.upstream.troubles[FIRST] = UpstreamFailed("it is down")
    cases.clock.advance(seconds=EXPIRY)
    second = lists.to_show(mirror).names
    assert _read(cases, second) == ["one", "two"]
    assert second.validators == Validators()


def test_an_upstream_that_is_left_alone_is_not_asked(cases: UseCases, lists, mirror):
    _fail_until_left_alone(cases, FIRST)
    cases.upstream.names = ["one"]
    assert _shown(cases, lists, mirror) == ["one"]
    assert cases.upstream.bases == [SECOND]


def test_if_all_are_left_alone_that_is_what_is_told(cases: UseCases, lists, mirror):
    _fail_until_left_alone(cases, FIRST, SECOND)
    with pytest.raises(UpstreamLeftAlone):
        lists.to_show(mirror)
    assert cases.upstream.asked == []


def test_a_list_that_is_the_probe_lets_pages_be_asked_for_once_it_has_begun(
    cases: UseCases, lists, mirror
):
    """It may take minutes to arrive."""
    _fail_until_left_alone(cases, FIRST)
    cases.clock.advance(seconds=FIRST_PAUSE)
    states = []

    def names() -> Iterator[str]:
        states.append((cases.breakers.left_alone(FIRST), cases.breakers.state(FIRST).state))
        yield "one"

    cases.upstream.names = names()
    assert _shown(cases, lists, mirror) == ["one"]
    assert cases.upstream.bases == [FIRST]
    assert states == [(None, BreakerState.CLOSED)]


def test_a_list_that_breaks_off_is_a_failure_of_its_upstream(cases: UseCases, lists, mirror):
    cases.upstream.names = iter(["one", UpstreamTimeout("stalled"), "two"])
    assert _shown(cases, lists, mirror) == ["two"]
    assert cases.breakers.state(FIRST).failures == 1


# What happens meanwhile


def _while_it_arrives(
    cases: UseCases, work: Callable[[], object], *, after: int = BATCH + 1
) -> None:
    """The upstream's next list has two batches; something happens after so many names."""

    def names() -> Iterator[str]:
        for number in range(2 * BATCH):
            if number == after:
                work()
            yield f"name-{number}"
        if after == 2 * BATCH:
            work()

    cases.upstream.names = names()


def test_others_can_write_while_a_list_arrives(cases: UseCases, lists, mirror):
    _while_it_arrives(cases, lambda: cases.upload("dev/base", an_archive()))
    cases.index("dev/base")
    assert lists.to_show(mirror).names.count == 2 * BATCH
    assert cases.filenames("dev/base") == [an_archive().filename]


@pytest.mark.parametrize("after", [1, BATCH + 1, 2 * BATCH])
def test_a_list_of_an_upstream_that_was_changed_meanwhile_is_thrown_away(
    cases: UseCases, lists, mirror, after: int
):
    other = {"mirror_url": "http://127.0.0.1:9/other/", "mirror_fallback_urls": []}
    _while_it_arrives(cases, lambda: cases.indexes.change(ROOT, mirror.name, other), after=after)
    with pytest.raises(UpstreamFailed, match="another upstream"):
        lists.to_show(mirror)
    assert _stored_lists(cases) == 0


def test_a_list_of_an_index_that_was_deleted_meanwhile_is_not_found(
    cases: UseCases, lists, mirror
):
    _while_it_arrives(cases, lambda: cases.indexes.delete(ROOT, mirror.name))
    with pytest.raises(NotFound):
        lists.to_show(mirror)
    assert _stored_lists(cases) == 0


def test_another_upstream_has_another_list(cases: UseCases, lists, mirror):
    cases.upstream.names = ["one"]
    lists.to_show(mirror)
    changed = cases.indexes.change(ROOT, mirror.name, {"mirror_url": "http://127.0.0.1:9/other/"})
    _down(cases)
    with pytest.raises(UpstreamFailed):
        lists.to_show(changed)


def test_two_processes_that_import_at_once_both_end_well(cases: UseCases, lists, mirror):
    other = NameLists(cases.database, cases.upstream, cases.clock, cases.breakers)
    cases.upstream.names = [f"name-{number}" for number in range(BATCH + 1)]
    with ThreadPoolExecutor() as pool, cases.upstream.held() as gate:
        answers = [pool.submit(one.to_show, mirror) for one in (lists, other)]
        for _ in answers:
            gate.wait_for_one()
        gate.open()
        ids = {answer.result(PATIENCE).names.id for answer in answers}
    assert len(ids) == 2
    assert len(_shown(cases, lists, mirror)) == BATCH + 1
    with cases.reading() as unit:
        assert unit.mirror_names.current(mirror).id in ids
    other.close()


def test_a_database_that_fails_meanwhile_leaves_what_holds(
    cases: UseCases, lists, mirror, monkeypatch
):
    cases.upstream.names = ["one"]
    lists.to_show(mirror)
    cases.clock.advance(seconds=EXPIRY)

    def busy(*_arguments: object) -> None:
        raise StorageBusy("it is busy")

    for method in ("add", "discard"):
        monkeypatch.setattr(FakeMirrorNames, method, busy)
    cases.upstream.names = ["two"]
    assert _shown(cases, lists, mirror) == ["one"]


# Old lists


def test_a_list_is_kept_for_an_hour_after_it_held(cases: UseCases, lists, mirror):
    cases.upstream.names = [f"name-{number}" for number in range(BATCH + 5)]
    old = lists.to_show(mirror).names
    cases.clock.advance(days=1)
    cases.upstream.names = [*cases.upstream.names, "new"]
    new = lists.to_show(mirror).names
    cases.clock.advance(minutes=60)
    assert lists.drop_old() == 0
    assert len(_read(cases, old)) == old.count
    cases.clock.advance(seconds=1)
    assert lists.drop_old() == old.count
    assert _read(cases, old) == []
    assert len(_read(cases, new)) == new.count
    assert _stored_lists(cases) == 1


def test_old_lists_are_dropped_in_short_steps(cases: UseCases, lists, mirror, monkeypatch):
    cases.upstream.names = [f"name-{number}" for number in range(2 * BATCH + 5)]
    lists.to_show(mirror)
    cases.indexes.change(ROOT, mirror.name, {"mirror_url": "http://127.0.0.1:9/other/"})
    cases.clock.advance(hours=2)
    steps = []
    real = FakeMirrorNames.drop

    def drop(self: FakeMirrorNames, before: Any, limit: int) -> int:
        steps.append(real(self, before, limit))
        return steps[-1]

    monkeypatch.setattr(FakeMirrorNames, "drop", drop)
    assert lists.drop_old() == 2 * BATCH + 5
    assert steps == [BATCH, BATCH, 5]


def test_the_background_is_quiet_at_the_end(cases: UseCases, mirror, caplog):
    """A server that stops closes its database under a list that is still read."""
    lists = NameLists(cases.database, cases.upstream, cases.clock, cases.breakers, patience=0.0)
    cases.upstream.names = ["one"]
    kept = lists.to_show(mirror).names
    cases.clock.advance(seconds=EXPIRY)
    closed = threading.Event()

    def names() -> Iterator[str]:
        yield "two"
        assert closed.wait(PATIENCE)
        raise RuntimeError("closed under it")

    cases.upstream.names = names()
    assert lists.to_show(mirror).names == kept
    flight = lists._imports.behind((mirror.id, mirror.upstream_urls), lambda: kept)
    lists.close()
    closed.set()
    with pytest.raises(RuntimeError):
        flight.future.result(PATIENCE)
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
