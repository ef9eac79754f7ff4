"""Mirrors whose upstreams fail, stall, or are away: stale pages, equivalents, breakers."""

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.testing import LocalUpstream
from stillroom_server.upstream.client import HttpUpstream, Limits
from support.mirroring import ASKED, NEWER, PATH, WHEEL, ask, expire, short_memories
from support.servers import LOOPBACK
from support.site import JSON, Site, file_url, filenames, new_index


@pytest.fixture
def site(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi mirrors an upstream with `example`; its pages expire at once."""
    upstream.add(WHEEL)
    site = make_site(upstream_url=upstream.url)
    expire(site, 0)
    return site


# One upstream

TROUBLE: dict[str, dict[str, object]] = {
    "an error of its own": {"status": 500},
    "too busy": {"status": 503},
    "too many requests": {"status": 429},
    "no access": {"status": 403},
    "a login": {"status": 401},
    "a page of another kind": {"status": 200, "headers": {"Content-Type": "image/png"}},
    "broken JSON": {"status": 200, "body": b'{"files": ['},
    "nothing": {"status": 200, "body": b""},
    "half a page": {"status": 200, "body": b"x" * 50, "then": "close", "after": 20},
    "no answer": {"then": "close"},
    "a reset connection": {"then": "reset"},
}


@pytest.mark.parametrize("what", TROUBLE)
def test_a_kept_page_is_served_stale_and_says_so(
    site: Site, upstream: LocalUpstream, what: str
) -> None:
    first = ask(site)
    assert "Cache-Status" not in first.headers
    upstream.fault("/simple/*", **TROUBLE[what])
    asked = len(upstream.paths)
    for path in (PATH, PATH, f"{PATH}?past-the-gate"):
        stale = ask(site, path)
        assert stale.status_code == 200
        assert stale.content == first.content
        assert stale.headers["Cache-Status"] == "stillroom; hit; detail=stale"
    # It is not asked again with every request while it is in trouble.
    assert len(set(upstream.paths[asked:])) == 1
    assert len(upstream.paths) - asked <= 3


@pytest.mark.parametrize("what", TROUBLE)
def test_without_a_kept_page_it_is_a_bad_gateway_and_never_a_404(
    site: Site, upstream: LocalUpstream, what: str
) -> None:
    upstream.fault("/simple/*", **TROUBLE[what])
    for path in (PATH, "/root/pypi/simple/absent/", "/root/pypi/example"):
        answer = ask(site, path, "application/json" if path.endswith("example") else JSON)
        assert answer.status_code == 502
        assert 1 <= int(answer.headers["Retry-After"]) <= 3600
        assert "127.0.0.1" in answer.text


def test_an_upstream_that_is_down_is_asked_again_when_it_is_back(
    site: Site, upstream: LocalUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(site)
    upstream.stop()
    assert "Cache-Status" in ask(site).headers
    upstream.start()
    upstream.add(NEWER)
    assert "Cache-Status" in ask(site).headers
    later = short_memories(monkeypatch)
    later.set()
    fresh = ask(site)
    assert "Cache-Status" not in fresh.headers
    assert NEWER.filename in fresh.text


def test_the_upstreams_wish_to_be_left_alone_is_passed_on(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.fault("/simple/*", status=503, headers={"Retry-After": "7"})
    for _ in range(2):
        answer = ask(site)
        assert (answer.status_code, answer.headers["Retry-After"]) == (502, "7")


@pytest.mark.parametrize("fault", [{"then": "stall"}, {"then": "stall", "after": 5}])
def test_an_upstream_that_stalls_is_a_gateway_timeout(
    make_site: Callable[..., Site], upstream: LocalUpstream, fault: dict[str, object]
) -> None:
    upstream.add(WHEEL)
    upstream.fault("/simple/*", **fault)
    limits = Limits(connect=0.2, read=0.2, page=0.3)
    client = HttpUpstream(
        user_agent="stillroom/test", limits=limits, private=PrivateUpstreams.parse(LOOPBACK)
    )
    site = make_site(upstream_url=upstream.url, upstream=client)
    answer = ask(site)
    assert answer.status_code == 504
    assert answer.headers["Retry-After"].isdigit()


def test_a_slow_upstream_does_not_hold_up_who_asks_for_a_kept_page(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL)
    limits = Limits(connect=30, read=30, page=30)
    client = HttpUpstream(
        user_agent="stillroom/test", limits=limits, private=PrivateUpstreams.parse(LOOPBACK)
    )
    site = make_site(upstream_url=upstream.url, upstream=client)
    expire(site, 0)
    first = ask(site)
    upstream.add(NEWER)
    hold = threading.Event()
    upstream.fault(ASKED, hold=hold)
    begun = time.monotonic()
    stale = ask(site)
    assert time.monotonic() - begun < 10
    assert stale.content == first.content
    assert stale.headers["Cache-Status"] == "stillroom; hit; detail=stale"
    expire(site, 600)
    hold.set()
    # What goes on behind is stored when it has come, without anybody waiting for it.
    assert NEWER.filename in eventually(lambda: ask(site).text, NEWER.filename)
    assert len(upstream.paths) == 2


def eventually(look: Callable[[], str], expected: str) -> str:
    """What is seen once the expected is in it, or at the end of patience."""
    deadline = time.monotonic() + 10
    while expected not in (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen


# Several upstreams


@pytest.fixture
def fallback(site: Site) -> Iterator[LocalUpstream]:
    """A second upstream of root/pypi, with the same project and one more file."""
    with LocalUpstream() as second:
        second.add(WHEEL)
        second.add(NEWER)
        site.root.patch("/root/pypi", json=[f"mirror_fallback_urls={second.url}"])
        yield second


def test_the_next_upstream_is_asked_when_one_fails(
    site: Site, upstream: LocalUpstream, fallback: LocalUpstream
) -> None:
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert fallback.paths == []
    upstream.stop()
    answer = ask(site)
    assert "Cache-Status" not in answer.headers
    assert [file["filename"] for file in answer.json()["files"]] == [
        WHEEL.filename,
        NEWER.filename,
    ]
    [request] = fallback.requests
    assert "if-none-match" not in request.headers
    # From where the page was, the files are fetched as well.
    path = file_url("root/pypi", "example", NEWER)
    assert site.anonymous.get(path).content == NEWER.content
    upstream.start()
    ask(site)
    assert "if-none-match" not in upstream.requests[-1].headers


# Circuit breakers


def shown_upstreams(client: httpx.Client) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = client.get("/+status").json()["result"]["upstreams"]
    return shown


def test_the_status_shows_how_upstreams_do_to_who_is_logged_in(
    site: Site, upstream: LocalUpstream, fallback: LocalUpstream
) -> None:
    new_index(site.root, "root/other", type="mirror", mirror_url=upstream.url)
    dev = site.new_user("dev")
    well = {"state": "closed", "failures": 0, "last_error": None, "retry_in": 0}
    expected = [
        {"url": upstream.url, "indexes": ["root/other", "root/pypi"], **well},
        {"url": fallback.url, "indexes": ["root/pypi"], **well},
    ]
    for client in (dev, site.root):
        assert shown_upstreams(client) == sorted(expected, key=lambda shown: str(shown["url"]))
    assert "upstreams" not in site.anonymous.get("/+status").json()["result"]


def test_an_upstream_that_fails_again_and_again_is_left_alone_for_a_while(
    site: Site, upstream: LocalUpstream
) -> None:
    first = ask(site)
    upstream.fault("/simple/*", status=500)
    for number in range(5):
        assert ask(site, f"/root/pypi/simple/other-{number}/").status_code == 502
    [shown] = shown_upstreams(site.root)
    assert (shown["state"], shown["failures"]) == ("open", 5)
    assert "status 500" in str(shown["last_error"])
    assert shown["retry_in"] in range(20, 31)
    asked = len(upstream.paths)
    for number in range(20):
        refused = ask(site, f"/root/pypi/simple/another-{number}/")
        assert refused.status_code == 502
        assert int(refused.headers["Retry-After"]) in range(20, 31)
        stale = ask(site)
        assert stale.content == first.content
        assert stale.headers["Cache-Status"] == "stillroom; hit; detail=stale"
    assert len(upstream.paths) == asked
