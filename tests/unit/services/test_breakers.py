"""Circuit breakers: five different failures in a row, a pause, a probe."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack

import pytest

from stillroom_server.domain.errors import (
    NotFound,
    StorageBusy,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.services.breakers import (
    FAILURES,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MAX_KNOWN,
    Breakers,
    BreakerState,
    UpstreamState,
)
from support.clock import SetClock
from support.fake_upstream import PATIENCE

URL, OTHER = "http://one.example/simple/", "http://two.example/simple/"
DOWN = UpstreamFailed("one.example answers with status 500")


@pytest.fixture
def time() -> SetClock:
    return SetClock()


@pytest.fixture
def breakers(time: SetClock) -> Breakers:
    return Breakers(time.monotonic)


def ask(breakers, question="demo", *, url=URL, outcome=None):
    with breakers.asking(url, question):
        if outcome is not None:
            raise outcome


def fail(breakers, number=FAILURES, *, url=URL, trouble=DOWN, names="project"):
    for count in range(number):
        with pytest.raises(type(trouble)):
            ask(breakers, f"{names}-{count}", url=url, outcome=trouble)


def test_an_upstream_that_was_never_asked_is_fine(breakers):
    assert breakers.state(URL) == UpstreamState(BreakerState.CLOSED, 0, None, 0)
    assert breakers.left_alone(URL) is None


@pytest.mark.parametrize("trouble", [DOWN, UpstreamTimeout("late")], ids=["failed", "late"])
def test_five_failures_in_a_row_open_it(breakers, trouble):
    fail(breakers, FAILURES - 1, trouble=trouble)
    state = UpstreamState(BreakerState.CLOSED, FAILURES - 1, trouble.message, 0)
    assert breakers.state(URL) == state
    assert breakers.left_alone(URL) is None
    with pytest.raises(type(trouble)):
        ask(breakers, "the last one", outcome=trouble)
    state = UpstreamState(BreakerState.OPEN, FAILURES, trouble.message, int(FIRST_PAUSE))
    assert breakers.state(URL) == state


def test_while_it_is_open_nobody_asks(breakers, time):
    fail(breakers)
    time.advance(seconds=10)
    entered = []
    with pytest.raises(UpstreamLeftAlone) as caught, breakers.asking(URL, "demo"):
        entered.append(1)
    assert entered == []
    assert caught.value.retry_after == FIRST_PAUSE - 10
    assert DOWN.message in caught.value.message
    assert URL in caught.value.message


@pytest.mark.parametrize("good", [None, NotFound("the project is not there")])
def test_a_good_answer_ends_the_row(breakers, good):
    fail(breakers, FAILURES - 1)
    if good is None:
        ask(breakers)
    else:
        with pytest.raises(NotFound):
            ask(breakers, outcome=good)
    fail(breakers, FAILURES - 1, names="other")
    assert breakers.state(URL).state is BreakerState.CLOSED


def test_a_single_page_that_fails_again_and_again_counts_once(breakers):
    for _ in range(3 * FAILURES):
        with pytest.raises(UpstreamFailed):
            ask(breakers, "broken", outcome=DOWN)
    assert breakers.state(URL).failures == 1
    assert breakers.state(URL).state is BreakerState.CLOSED


@pytest.mark.parametrize("ours", [StorageBusy("the database is busy"), ZeroDivisionError()])
def test_our_own_trouble_says_nothing_of_the_upstream(breakers, ours):
    for number in range(2 * FAILURES):
        with pytest.raises(type(ours)):
            ask(breakers, f"project-{number}", outcome=ours)
    assert breakers.state(URL) == UpstreamState()


def test_upstreams_do_not_concern_each_other(breakers):
    fail(breakers)
    ask(breakers, url=OTHER)
    assert breakers.left_alone(OTHER) is None
    assert breakers.left_alone(URL) is not None


def test_after_the_pause_one_probe_goes_through_and_closes_it(breakers, time):
    fail(breakers)
    time.advance(seconds=FIRST_PAUSE)
    assert breakers.state(URL).state is BreakerState.HALF_OPEN
    assert breakers.left_alone(URL) is None
    with breakers.asking(URL, "probe"):
        assert breakers.left_alone(URL) is not None
        with pytest.raises(UpstreamLeftAlone):
            ask(breakers, "another")
    assert breakers.state(URL) == UpstreamState()
    ask(breakers)


def test_of_many_at_once_one_is_the_probe(breakers, time):
    fail(breakers)
    time.advance(seconds=FIRST_PAUSE)
    inside, go_on = threading.Semaphore(0), threading.Event()

    def probe():
        with breakers.asking(URL, "demo"):
            inside.release()
            assert go_on.wait(PATIENCE)

    with ThreadPoolExecutor(8) as pool:
        probes = [pool.submit(probe) for _ in range(8)]
        assert inside.acquire(timeout=PATIENCE)
        ended = as_completed(probes, timeout=PATIENCE)
        refused = {type(next(ended).exception()) for _ in range(7)}
        go_on.set()
    assert refused == {UpstreamLeftAlone}
    assert [one.exception() for one in probes].count(None) == 1
    assert breakers.left_alone(URL) is None


def test_a_probe_whose_answer_has_begun_lets_the_others_ask(breakers, time):
    fail(breakers)
    time.advance(seconds=FIRST_PAUSE)
    with breakers.asking(URL, "a long list") as answered:
        answered()
        assert breakers.state(URL) == UpstreamState()
        ask(breakers)


def test_once_its_answer_has_begun_it_is_a_probe_no_more(breakers, time):
    fail(breakers)
    time.advance(seconds=FIRST_PAUSE)
    with ExitStack() as long:
        long.enter_context(pytest.raises(UpstreamFailed))
        answered = long.enter_context(breakers.asking(URL, "a long list"))
        answered()
        fail(breakers)
        raise DOWN
    assert breakers.state(URL).retry_in == FIRST_PAUSE


def test_an_answer_that_breaks_off_after_it_has_begun_is_a_failure(breakers):
    fail(breakers, FAILURES - 1)
    with ExitStack() as long:
        long.enter_context(pytest.raises(UpstreamFailed))
        answered = long.enter_context(breakers.asking(URL, "a long list"))
        answered()
        raise DOWN
    state = breakers.state(URL)
    assert (state.state, state.failures, state.last_error) == (BreakerState.CLOSED, 1, str(DOWN))


def test_each_probe_that_fails_doubles_the_pause_up_to_the_longest(breakers, time):
    fail(breakers)
    pauses = []
    for _ in range(6):
        pauses.append(breakers.state(URL).retry_in)
        time.advance(seconds=pauses[-1])
        with pytest.raises(UpstreamFailed):
            ask(breakers, "probe", outcome=DOWN)
    assert pauses == [30, 60, 120, 240, 300, 300]
    time.advance(seconds=LONGEST_PAUSE)
    ask(breakers, "probe")
    fail(breakers)
    assert breakers.state(URL).retry_in == FIRST_PAUSE


def test_a_probe_that_ends_in_our_own_trouble_lets_another_one_try(breakers, time):
    fail(breakers)
    time.advance(seconds=FIRST_PAUSE)
    with pytest.raises(StorageBusy):
        ask(breakers, "probe", outcome=StorageBusy("the database is busy"))
    assert breakers.state(URL).state is BreakerState.HALF_OPEN
    ask(breakers, "probe")
    assert breakers.state(URL) == UpstreamState()


def test_a_failure_that_began_before_it_opened_does_not_prolong_the_pause(breakers, time):
    with ExitStack() as slow:
        slow.enter_context(pytest.raises(UpstreamFailed))
        slow.enter_context(breakers.asking(URL, "slow"))
        fail(breakers)
        time.advance(seconds=20)
        raise DOWN
    assert breakers.state(URL).retry_in == FIRST_PAUSE - 20


def test_an_answer_that_was_on_its_way_closes_it(breakers):
    with breakers.asking(URL, "slow"):
        fail(breakers)
    assert breakers.state(URL) == UpstreamState()


def test_the_upstreams_own_wish_makes_the_pause_longer_but_never_shorter(breakers, time):
    fail(breakers, trouble=UpstreamFailed("too busy", retry_after=900))
    assert breakers.state(URL).retry_in == 900
    fail(breakers, url=OTHER, trouble=UpstreamFailed("too busy", retry_after=1))
    assert breakers.state(OTHER).retry_in == FIRST_PAUSE


def test_it_is_logged_when_it_opens_and_when_it_closes_and_not_between(breakers, time, caplog):
    with caplog.at_level(logging.INFO):
        fail(breakers)
        for _ in range(50):
            time.advance(seconds=LONGEST_PAUSE)
            with pytest.raises(UpstreamFailed):
                ask(breakers, "probe", outcome=DOWN)
            for _ in range(20):
                with pytest.raises(UpstreamLeftAlone):
                    ask(breakers)
        time.advance(seconds=LONGEST_PAUSE)
        ask(breakers)
    assert [record.getMessage() for record in caplog.records] == [
        f"{URL} failed {FAILURES} times in a row and is left alone for a while: {DOWN}",
        f"{URL} answers again",
    ]


def test_only_so_many_upstreams_are_remembered(breakers):
    fail(breakers)
    for number in range(MAX_KNOWN):
        fail(breakers, 1, url=f"http://{number}.example/")
    assert breakers.state(URL) == UpstreamState()
    assert breakers.state(f"http://{MAX_KNOWN - 1}.example/").failures == 1
