"""Files of mirrors: fetched once, checked before their last byte leaves, kept."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from stillroom_server.domain.errors import StillroomError
from support.distributions import Distribution, make_sdist, make_wheel
from support.site import Site, file_url, new_index, page
from support.upstream import LocalUpstream

NOISE = hashlib.shake_128(b"stillroom").digest(400_000)
WHEEL = make_wheel("example", "1.0")
LARGE = make_wheel("example", "2.0", members={"data.bin": NOISE})
SDIST = make_sdist("example", "1.0")


@pytest.fixture
def site(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi mirrors an upstream with a small and a large wheel, and an sdist."""
    for distribution in (WHEEL, LARGE):
        upstream.add(distribution)
    upstream.add(SDIST, core_metadata=False)
    site = make_site(upstream_url=upstream.url)
    page(site.anonymous, "root/pypi", "example")
    return site


def url(distribution: Distribution, digest: str | None = None) -> str:
    path = file_url("root/pypi", "example", distribution)
    return path if digest is None else path.replace(distribution.sha256, digest)


def fetched(upstream: LocalUpstream) -> list[str]:
    """What was asked of the upstream beside pages."""
    return [path for path in upstream.paths if path.startswith("/files/")]


def finish_downloads() -> None:
    """Wait until every fetch has ended: one goes on when its reader hangs up."""
    for thread in threading.enumerate():
        if thread.name.startswith("fetch "):
            thread.join(10)


# Fetched and kept


@pytest.mark.parametrize("distribution", [WHEEL, LARGE, SDIST], ids=["small", "large", "sdist"])
def test_a_file_is_fetched_once_and_then_served_from_here(
    site: Site, upstream: LocalUpstream, distribution: Distribution
) -> None:
    for _ in range(3):
        answer = site.anonymous.get(url(distribution))
        assert answer.status_code == 200
        assert answer.content == distribution.content
        assert answer.headers["Content-Length"] == str(len(distribution.content))
        assert answer.headers["ETag"] == f'"{distribution.sha256}"'
        assert "immutable" in answer.headers["Cache-Control"]
        finish_downloads()
    assert len(fetched(upstream)) == 1


def test_what_was_fetched_is_served_without_the_upstream(
    site: Site, upstream: LocalUpstream, make_site: Callable[..., Site]
) -> None:
    for path in (url(WHEEL), url(LARGE), f"{url(WHEEL)}.metadata"):
        assert site.anonymous.get(path).status_code == 200
    finish_downloads()
    upstream.stop()
    for client in (site.anonymous, make_site().anonymous):
        names = [f["filename"] for f in page(client, "root/pypi", "example")["files"]]
        assert names == [WHEEL.filename, LARGE.filename, SDIST.filename]
        assert client.get(url(WHEEL)).content == WHEEL.content
        assert client.get(url(LARGE)).content == LARGE.content
        assert client.get(f"{url(WHEEL)}.metadata").content == WHEEL.metadata
        part = client.get(url(LARGE), headers={"Range": "bytes=-100"})
        assert part.content == LARGE.content[-100:]
        missing = client.get(url(SDIST))
        assert missing.status_code == 502
        assert missing.headers["Retry-After"].isdigit()


@pytest.mark.parametrize("distribution", [WHEEL, LARGE], ids=["small", "large"])
def test_however_many_ask_at_the_same_time_it_is_fetched_once(
    site: Site, upstream: LocalUpstream, distribution: Distribution
) -> None:
    hold = threading.Event()
    upstream.fault("/files/*", hold=hold)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(site.anonymous.get, url(distribution)) for _ in range(8)]
        upstream.wait_for("/files/*")
        hold.set()
        assert {answer.result().content for answer in waiting} == {distribution.content}
    finish_downloads()
    assert len(fetched(upstream)) == 1


def test_a_fetch_goes_on_when_its_reader_hangs_up(site: Site, upstream: LocalUpstream) -> None:
    with site.anonymous.stream("GET", url(LARGE)) as answer:
        assert next(answer.iter_raw())
    finish_downloads()
    assert site.anonymous.get(url(LARGE)).content == LARGE.content
    assert len(fetched(upstream)) == 1


def test_a_file_is_fetched_through_an_heir_of_the_mirror(
    site: Site, upstream: LocalUpstream
) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases="root/pypi")
    assert dev.get(file_url("dev/stage", "example", WHEEL)).content == WHEEL.content
    finish_downloads()
    assert site.anonymous.get(url(WHEEL)).content == WHEEL.content
    assert len(fetched(upstream)) == 1


def test_a_fetch_takes_no_serial(site: Site) -> None:
    before = site.database.serial()
    site.anonymous.get(url(WHEEL))
    finish_downloads()
    assert site.database.serial() == before


# Asked for in other ways


def test_head_asks_nothing_of_the_upstream(site: Site, upstream: LocalUpstream) -> None:
    before = site.anonymous.head(url(LARGE))
    assert before.status_code == 200
    assert before.headers["Content-Length"] == str(len(LARGE.content))
    assert before.headers["Accept-Ranges"] == "bytes"
    assert before.headers["ETag"] == f'"{LARGE.sha256}"'
    assert fetched(upstream) == []


def test_head_says_the_true_length_where_the_upstream_lists_none(
    make_site: Callable[..., Site],
) -> None:
    with LocalUpstream(forms=["html"]) as upstream:
        upstream.add(LARGE)
        site = make_site(upstream_url=upstream.url)
        answer = site.anonymous.head(url(LARGE))
        assert answer.headers["Content-Length"] == str(len(LARGE.content))
        finish_downloads()


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=-1000", len(LARGE.content) - 1000, len(LARGE.content)),
     ("bytes=100000-", 100_000, len(LARGE.content))],
)  # fmt: skip
def test_a_part_of_a_file_that_is_not_here_is_sent_and_the_whole_kept(
    site: Site, upstream: LocalUpstream, wanted: str, start: int, stop: int
) -> None:
    answer = site.anonymous.get(url(LARGE), headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == LARGE.content[start:stop]
    finish_downloads()
    assert site.anonymous.get(url(LARGE)).content == LARGE.content
    assert len(fetched(upstream)) == 1


def test_metadata_is_passed_on_and_kept(site: Site, upstream: LocalUpstream) -> None:
    [listed] = [
        f for f in page(site.anonymous, "root/pypi", "example")["files"]
        if f["filename"] == WHEEL.filename
    ]  # fmt: skip
    for _ in range(2):
        answer = site.anonymous.get(f"{url(WHEEL)}.metadata")
        assert answer.content == WHEEL.metadata
        digest = hashlib.sha256(answer.content).hexdigest()
        assert listed["core-metadata"] == {"sha256": digest}
        finish_downloads()
    # The wheel itself was not needed for it.
    assert fetched(upstream) == [f"/files/{WHEEL.sha256}/{WHEEL.filename}.metadata"]


def test_metadata_that_is_not_listed_is_not_asked_for(site: Site, upstream: LocalUpstream) -> None:
    assert site.anonymous.get(f"{url(SDIST)}.metadata").status_code == 404
    assert fetched(upstream) == []


@pytest.mark.parametrize(
    "path",
    [url(WHEEL, "0" * 64), url(WHEEL, "-"), url(make_wheel("example", "7.0")),
     url(WHEEL).replace("/example/", "/other/"), f"{url(WHEEL, '0' * 64)}.metadata"],
)  # fmt: skip
def test_what_the_page_does_not_list_is_not_found_and_not_fetched(
    site: Site, upstream: LocalUpstream, path: str
) -> None:
    assert site.anonymous.get(path).status_code == 404
    assert fetched(upstream) == []


# Content that is not what was promised

CORRUPT: dict[str, dict[str, object]] = {
    "another content": {"body": b"x" * len(WHEEL.content)},
    "one byte more": {"body": WHEEL.content + b"x"},
    "one byte less": {"body": WHEEL.content[:-1]},
    "nothing": {"body": b""},
    "half of it": {"then": "close", "after": len(WHEEL.content) // 2},
    "a reset": {"then": "reset", "after": 10},
    "no answer": {"then": "close"},
    "an error": {"status": 500},
    "a redirect in a circle": {"status": 302, "headers": {"Location": "/files/x"}},
}


@pytest.mark.parametrize("what", CORRUPT)
def test_a_small_file_that_is_not_right_is_a_bad_gateway_and_not_kept(
    site: Site, upstream: LocalUpstream, what: str
) -> None:
    before = site.stored()
    upstream.fault("/files/*", **CORRUPT[what])
    answer = site.anonymous.get(url(WHEEL))
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()
    assert WHEEL.content[:100] not in answer.content
    finish_downloads()
    assert site.stored() == before
    upstream.heal()
    assert site.anonymous.get(url(WHEEL)).content == WHEEL.content


@pytest.mark.parametrize(
    "fault",
    [
        {"body": LARGE.content[:-1] + b"x"},
        {"body": b"x" + LARGE.content[1:]},
        {"then": "close", "after": 300_000},
        {"then": "reset", "after": 300_000},
    ],
    ids=["the last byte", "the first byte", "it breaks off", "it is reset"],
)
def test_a_large_file_that_is_not_right_never_arrives_complete(
    site: Site, upstream: LocalUpstream, fault: dict[str, object]
) -> None:
    before = site.stored()
    upstream.fault("/files/*", times=1, **fault)
    # What is known before the first byte leaves is a 502; later, the transfer breaks off.
    received = 0
    with suppress(StillroomError), site.anonymous.stream("GET", url(LARGE)) as answer:
        if answer.status_code == 200:
            assert answer.headers["Content-Length"] == str(len(LARGE.content))
            for chunk in answer.iter_raw():
                received += len(chunk)
            pytest.fail("the transfer did not break off")
        assert answer.status_code == 502
    assert received < len(LARGE.content)
    finish_downloads()
    assert site.stored() == before
    assert site.anonymous.get(url(LARGE)).content == LARGE.content


def test_metadata_that_is_not_right_is_a_bad_gateway(site: Site, upstream: LocalUpstream) -> None:
    upstream.fault("*.metadata", body=b"Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    assert site.anonymous.get(f"{url(WHEEL)}.metadata").status_code == 502


def test_a_file_that_its_upstream_does_not_have_is_not_found(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.fault("/files/*", status=404)
    answer = site.anonymous.get(url(WHEEL))
    assert answer.status_code == 404
    assert "127.0.0.1" in answer.json()["message"]


def test_the_digest_that_was_seen_first_is_the_one_that_counts(
    site: Site, upstream: LocalUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    site.root.patch("/root/pypi", json=["mirror_cache_expiry=0"])
    evil = make_wheel("example", "1.0", body="something else under the same name")
    upstream.add(evil)
    files = {f["filename"]: f for f in page(site.anonymous, "root/pypi", "example")["files"]}
    assert files[WHEEL.filename]["hashes"] == {"sha256": WHEEL.sha256}
    assert "the upstream changed example-1.0" in caplog.text
    assert site.anonymous.get(url(evil)).status_code == 404
    assert site.anonymous.get(url(WHEEL)).content == WHEEL.content


# Without a SHA-256


@pytest.mark.parametrize("hashes", [{}, {"md5": hashlib.md5(WHEEL.content).hexdigest()}])
def test_a_file_without_a_sha256_has_a_url_without_one_and_is_not_immutable(
    make_site: Callable[..., Site], upstream: LocalUpstream, hashes: dict[str, str]
) -> None:
    upstream.add(WHEEL, row={"hashes": hashes}, core_metadata=False)
    site = make_site(upstream_url=upstream.url)
    [file] = page(site.anonymous, "root/pypi", "example")["files"]
    assert file["hashes"] == hashes
    assert file["url"] == f"../../+f/example/-/{WHEEL.filename}"
    for _ in range(2):
        answer = site.anonymous.get(url(WHEEL, "-"))
        assert answer.content == WHEEL.content
        assert answer.headers["Cache-Control"] == "private, no-cache"
        finish_downloads()
    assert len(fetched(upstream)) == 1


def test_another_digest_than_sha256_is_checked_as_well(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL, row={"hashes": {"md5": "0" * 32}})
    site = make_site(upstream_url=upstream.url)
    page(site.anonymous, "root/pypi", "example")
    assert site.anonymous.get(url(WHEEL, "-")).status_code == 502
