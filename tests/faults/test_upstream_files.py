"""Rows P-07 to P-10: files that are cut, wrong, or changed; and many who want the same one."""

import gzip
import hashlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from faults.asking import MIRROR, arrives, ask, asked, blobs, finish_fetching, wait_until
from stillroom_server.services import downloads
from stillroom_server.testing import Distribution, LocalUpstream
from support.distributions import make_wheel
from support.site import Site, file_url, filenames, page

NOISE = hashlib.shake_128(b"stillroom").digest(600_000)
SMALL = make_wheel("example", "1.0")
LARGE = make_wheel("example", "2.0", members={"data.bin": NOISE})
EITHER = pytest.mark.parametrize("wheel", [SMALL, LARGE], ids=["small", "large"])
HALF = len(LARGE.content) // 2


@pytest.fixture
def site(site: Site, upstream: LocalUpstream, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The mirror knows a wheel that is smaller than what is withheld, and a larger one.

    What was wrong is asked for again after a shorter time than usual.
    """
    monkeypatch.setattr(downloads, "COOLDOWN_SECONDS", 0.3)
    for wheel in (SMALL, LARGE):
        upstream.add(wheel)
    assert filenames(site.root, MIRROR, "example") == [SMALL.filename, LARGE.filename]
    return site


def path_of(wheel: Distribution) -> str:
    """Where the upstream has a file."""
    return f"/files/{wheel.sha256}/{wheel.filename}"


# P-07: cut short, reset, of a wrong length, coded


def cut(wheel: Distribution, what: str) -> dict[str, object]:
    """What goes wrong, for a file of that size."""
    size = len(wheel.content)
    return {
        "closed in the middle": {"then": "close", "after": size // 2},
        "closed before the last byte": {"then": "close", "after": size - 1},
        "reset in the middle": {"then": "reset", "after": size // 2},
        "a length that is too large": {"length": size + 7},
        "a length that is too small": {"length": size - 7},
        "a body that is too short": {"body": wheel.content[:-7]},
        "a body that is too long": {"body": wheel.content + b"x" * 7},
        "in gzip": {
            "body": gzip.compress(wheel.content),
            "headers": {"Content-Encoding": "gzip"},
        },
    }[what]


CUT = pytest.mark.parametrize(
    "what",
    [
        "closed in the middle",
        "closed before the last byte",
        "reset in the middle",
        "a length that is too large",
        "a length that is too small",
        "a body that is too short",
        "a body that is too long",
        "in gzip",
    ],
)


@EITHER
@CUT
def test_p07_a_file_that_is_always_cut_is_not_kept_and_never_looks_complete(
    site: Site, upstream: LocalUpstream, wheel: Distribution, what: str
) -> None:
    # Without ranges: with them, each attempt would bring the rest of what the last one lost.
    upstream.ranges = False
    upstream.fault(path_of(wheel), **cut(wheel, what))

    assert not arrives(site, wheel)

    assert blobs(site) == set()
    upstream.heal()
    wait_until(lambda: arrives(site, wheel))
    assert wheel.sha256 in blobs(site)


@EITHER
@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("after", [None, 0, 500], ids=["no answer", "no byte", "some bytes"])
def test_p07_a_file_that_is_cut_once_is_asked_for_again_and_arrives(
    site: Site, upstream: LocalUpstream, wheel: Distribution, then: str, after: int | None
) -> None:
    upstream.fault(path_of(wheel), then=then, after=after, times=1)

    assert arrives(site, wheel)

    assert asked(upstream, path_of(wheel)) == 2
    assert wheel.sha256 in blobs(site)


def ranges_of(upstream: LocalUpstream, wheel: Distribution) -> list[str | None]:
    """The Range of each request for a file."""
    return [
        request.headers.get("range")
        for request in list(upstream.requests)
        if request.matches(path_of(wheel))
    ]


@pytest.mark.parametrize("then", ["stall", "close", "reset"])
def test_p07_a_fetch_that_stalls_or_breaks_goes_on_where_it_stopped_on_a_new_connection(
    site: Site, upstream: LocalUpstream, then: str
) -> None:
    upstream.fault(path_of(LARGE), then=then, after=HALF, times=1)

    assert arrives(site, LARGE)

    first, second = ranges_of(upstream, LARGE)
    assert first is None
    assert second is not None
    start = int(second.removeprefix("bytes=").removesuffix("-"))
    # A reset takes with it what was not read yet; else nothing is sent twice.
    assert start == HALF or (then == "reset" and 0 < start < HALF)
    conditions = [r.headers.get("if-range") for r in upstream.requests if "range" in r.headers]
    assert conditions[-1] is not None


def test_p07_an_upstream_without_ranges_is_asked_for_all_of_it_again(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.ranges = False
    upstream.fault(path_of(LARGE), then="close", after=HALF, times=2)
    assert arrives(site, LARGE)
    assert asked(upstream, path_of(LARGE)) == 3


def test_p07_a_file_that_gets_on_a_little_each_time_arrives(
    site: Site, upstream: LocalUpstream
) -> None:
    # More failures in a row than would be borne without progress.
    upstream.fault(path_of(LARGE), then="close", after=70_000, times=7)
    assert arrives(site, LARGE)
    assert asked(upstream, path_of(LARGE)) == 8


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_p07_a_file_that_changes_between_two_attempts_is_refused(
    site: Site, upstream: LocalUpstream, ranges: bool
) -> None:
    upstream.ranges = ranges
    hold = threading.Event()
    upstream.fault(path_of(LARGE), then="close", after=HALF, times=1)
    upstream.fault(path_of(LARGE), hold=hold)
    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(arrives, site, LARGE)
        upstream.wait_for(path_of(LARGE), 2)
        upstream.replace_content(LARGE, LARGE.content[:HALF] + b"x" * HALF)
        hold.set()
        assert not receiving.result()
    assert blobs(site) == set()


# P-08, P-09: wrong bytes


@EITHER
def test_p08_a_file_with_another_digest_is_a_bad_gateway_and_not_kept(
    site: Site, upstream: LocalUpstream, caplog: pytest.LogCaptureFixture, wheel: Distribution
) -> None:
    upstream.fault(path_of(wheel), corrupt=True)

    assert not arrives(site, wheel)

    assert blobs(site) == set()
    assert any(wheel.filename in record.getMessage() for record in caplog.records)


def test_p08_a_wrong_file_is_not_fetched_again_at_once(
    site: Site, upstream: LocalUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real time
    upstream.fault(path_of(SMALL), corrupt=True)
    answers = [site.root.get(file_url(MIRROR, "example", SMALL)) for _ in range(10)]
    assert {answer.status_code for answer in answers} == {502}
    assert all(SMALL.content[:100] not in answer.content for answer in answers)
    assert asked(upstream, path_of(SMALL)) <= 2


def test_p09_of_files_of_which_one_in_ten_is_corrupt_only_right_ones_are_kept(
    site: Site, upstream: LocalUpstream
) -> None:
    wheels = [make_wheel("many", f"1.{number}") for number in range(20)]
    for wheel in wheels:
        upstream.add(wheel, core_metadata=False)
    ask(site, "many")
    upstream.fault("/files/*.whl", corrupt=True, every=10)

    first = [arrives(site, wheel) for wheel in wheels]

    assert first.count(False) == 2
    for wheel in wheels:
        wait_until(lambda wheel=wheel: arrives(site, wheel))
    assert {wheel.sha256 for wheel in wheels} <= blobs(site)
    upstream.stop()
    assert all(arrives(site, wheel) for wheel in wheels)


# P-10: another file under a name that is known


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "never fetched"])
def test_p10_the_first_content_of_a_file_name_stays_and_the_second_is_an_alarm(
    site: Site, upstream: LocalUpstream, caplog: pytest.LogCaptureFixture, kept: bool
) -> None:
    if kept:
        assert arrives(site, SMALL)
        finish_fetching()
    second = make_wheel("example", "1.0", body="something else under the same name")
    upstream.remove(SMALL)
    upstream.add(second)

    for _ in range(3):
        files = {f["filename"]: f for f in page(site.root, MIRROR, "example")["files"]}

    assert files[SMALL.filename]["hashes"] == {"sha256": SMALL.sha256}
    assert second.sha256 in files[SMALL.filename]["_refused"]
    assert site.root.get(file_url(MIRROR, "example", second)).status_code == 404
    first = site.root.get(file_url(MIRROR, "example", SMALL))
    assert first.content == SMALL.content if kept else first.status_code == 404
    assert second.sha256 not in blobs(site)
    alarms = [
        record
        for record in caplog.records
        if record.levelno >= logging.ERROR and SMALL.filename in record.getMessage()
    ]
    assert len(alarms) == 1  # once, and not at each refresh


def test_p10_content_that_changed_behind_an_unchanged_page_is_refused(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.replace_content(SMALL, b"x" * len(SMALL.content))
    assert not arrives(site, SMALL)
    assert blobs(site) == set()


# Many at once


@EITHER
def test_twenty_clients_at_once_are_one_transfer(
    site: Site, upstream: LocalUpstream, wheel: Distribution
) -> None:
    hold = threading.Event()
    upstream.fault(path_of(wheel), hold=hold)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(arrives, site, wheel) for _ in range(20)]
        upstream.wait_for(path_of(wheel))
        hold.set()
        assert all(answer.result() for answer in waiting)
    finish_fetching()
    assert asked(upstream, path_of(wheel)) == 1


def test_twenty_followers_stay_while_a_fetch_is_resumed(
    site: Site, upstream: LocalUpstream
) -> None:
    hold = threading.Event()
    upstream.fault(path_of(LARGE), hold=hold, then="reset", after=HALF, times=1)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(arrives, site, LARGE) for _ in range(20)]
        upstream.wait_for(path_of(LARGE))
        hold.set()
        assert all(answer.result() for answer in waiting)
    assert asked(upstream, path_of(LARGE)) == 2


def test_followers_get_bytes_while_the_rest_is_on_its_way(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    big = make_wheel("big", "1.0", members={"data.bin": NOISE * 2})
    upstream.add(big)
    site = make_site(upstream_url=upstream.url)
    ask(site, "big")
    # The second request, for the rest, waits until the first bytes have been read here.
    hold = threading.Event()
    upstream.fault(path_of(big), then="close", after=len(big.content) // 2, times=1)
    upstream.fault(path_of(big), hold=hold)
    with site.root.stream("GET", file_url(MIRROR, "big", big)) as answer:
        chunks = answer.iter_raw()
        received = next(chunks)
        assert 0 < len(received) < len(big.content)
        hold.set()
        received += b"".join(chunks)
    assert received == big.content
