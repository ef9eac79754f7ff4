"""Files of mirrors: fetched once, checked before their last byte leaves, kept."""

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from stillroom_server.domain.errors import StillroomError
from stillroom_server.services import downloads
from stillroom_server.testing import LocalUpstream
from support.distributions import Distribution, make_sdist, make_wheel
from support.site import Site, file_url, lasting_headers, new_index, page

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
    """The files that were fetched from the upstream, without what lies beside them.

    A page whose wheels come without metadata makes us try whether they can be read in parts, by
    a request for one byte: that is no fetch.
    """
    return [
        request.path
        for request in upstream.requests
        if request.path.startswith("/files/")
        and not request.path.endswith((".metadata", ".provenance"))
        and request.headers.get("range") != "bytes=0-0"
    ]


def beside(upstream: LocalUpstream, suffix: str) -> int:
    """How often the upstream was asked for what lies beside a file."""
    return sum(path.endswith(suffix) for path in upstream.paths)


@pytest.fixture
def no_cooldown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came wrong is asked for again at once."""
    monkeypatch.setattr(downloads, "COOLDOWN_SECONDS", 0.0)


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


def test_head_says_the_true_length_where_the_upstream_lists_none_and_fetches_nothing(
    make_site: Callable[..., Site],
) -> None:
    with LocalUpstream(forms=["html"]) as upstream:
        upstream.add(LARGE)
        site = make_site(upstream_url=upstream.url)
        before = site.stored()
        answer = site.anonymous.head(url(LARGE))
        assert answer.headers["Content-Length"] == str(len(LARGE.content))
        assert site.stored().blobs == before.blobs


def test_head_leaves_out_a_length_that_nobody_says(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL, row={"size": None})
    upstream.fault("/files/*", headers={"Transfer-Encoding": "chunked"}, body=iter([b"x"]))
    site = make_site(upstream_url=upstream.url)
    answer = site.anonymous.head(url(WHEEL))
    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers


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
        assert "immutable" in answer.headers["Cache-Control"]
    assert beside(upstream, ".metadata") == 1
    # The wheel itself was not needed for it.
    assert fetched(upstream) == []


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
    "a reset": {"then": "reset", "after": 0},
    "no answer": {"then": "close"},
    "an error": {"status": 500},
    "a redirect in a circle": {"status": 302, "headers": {"Location": "/files/x"}},
}


@pytest.mark.parametrize("what", CORRUPT)
def test_a_small_file_that_is_not_right_is_a_bad_gateway_and_not_kept(
    site: Site, upstream: LocalUpstream, no_cooldown: None, what: str
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
        {"body": LARGE.content[:-1]},
    ],
    ids=["the last byte", "the first byte", "a byte less"],
)
def test_a_large_file_that_is_not_right_never_arrives_complete(
    site: Site, upstream: LocalUpstream, no_cooldown: None, fault: dict[str, object]
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


def test_what_came_wrong_is_not_asked_for_again_for_a_moment(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.fault("/files/*", corrupt=True, times=1)
    for _ in range(3):
        assert site.anonymous.get(url(WHEEL)).status_code == 502
    assert len(fetched(upstream)) == 1


@pytest.mark.parametrize("end", ["close", "reset", "stall"])
def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
    site: Site, upstream: LocalUpstream, end: str
) -> None:
    upstream.fault("/files/*", then=end, after=300_000, times=1)
    assert site.anonymous.get(url(LARGE)).content == LARGE.content
    finish_downloads()
    _first, second = [r for r in upstream.requests if r.path == fetched(upstream)[0]]
    [start] = re.findall(r"bytes=([0-9]+)-", second.headers["range"])
    assert 0 < int(start) <= 300_000
    assert second.headers["if-range"].startswith('"')
    assert site.anonymous.get(url(LARGE)).content == LARGE.content
    assert len(fetched(upstream)) == 2


@pytest.mark.parametrize("end", ["close", "stall"])
def test_an_upstream_without_ranges_begins_anew(
    site: Site, upstream: LocalUpstream, end: str
) -> None:
    upstream.ranges = False
    upstream.fault("/files/*", then=end, after=300_000, times=1)
    assert site.anonymous.get(url(LARGE)).content == LARGE.content


def test_a_file_that_changes_between_two_attempts_never_arrives_complete(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.fault("/files/*", then="close", after=300_000, times=1)
    upstream.fault("/files/*", status=200, body=b"x" + LARGE.content[1:])
    received = 0
    with suppress(StillroomError), site.anonymous.stream("GET", url(LARGE)) as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
    assert received < len(LARGE.content)
    finish_downloads()
    assert site.stored().blobs == frozenset()


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


OTHER = make_wheel("example", "2.0", members={"data.bin": NOISE[::-1]})
"""Another file of the same name and size as the large one."""


def test_what_was_fetched_of_a_project_that_was_deleted_is_not_served_as_another_file(
    site: Site, upstream: LocalUpstream
) -> None:
    hold = threading.Event()
    upstream.fault("/files/*", hold=hold)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(site.anonymous.get, url(LARGE))
        upstream.wait_for("/files/*")
        assert site.root.delete("/root/pypi/example").status_code == 200
        hold.set()
        assert waiting.result().content == LARGE.content
    finish_downloads()
    upstream.heal()
    upstream.remove(LARGE)
    upstream.add(OTHER)
    page(site.anonymous, "root/pypi", "example")
    assert site.anonymous.get(url(OTHER)).content == OTHER.content


# Without a SHA-256


def test_a_digest_that_comes_while_a_file_is_fetched_is_never_that_of_other_bytes(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(LARGE, hashes=())
    site = make_site(upstream_url=upstream.url)
    page(site.anonymous, "root/pypi", "example")
    hold = threading.Event()
    upstream.fault("/files/*", hold=hold)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(site.anonymous.get, url(LARGE, "-"))
        upstream.wait_for("/files/*")
        upstream.add(OTHER)
        assert site.root.post("/root/pypi/simple/example/refresh").status_code == 302
        hold.set()
        # Complete it must not be; whether it ends in 502 or breaks off depends on the moment.
        with suppress(StillroomError):
            assert waiting.result().content != LARGE.content
    finish_downloads()
    [file] = page(site.anonymous, "root/pypi", "example")["files"]
    assert file["hashes"] == {"sha256": OTHER.sha256}
    upstream.heal()
    assert site.anonymous.get(url(OTHER)).content == OTHER.content


@pytest.mark.parametrize("hashes", [(), ("md5",)], ids=["nothing", "MD5"])
def test_a_file_without_a_sha256_gets_one_when_it_is_fetched(
    make_site: Callable[..., Site], upstream: LocalUpstream, hashes: tuple[str, ...]
) -> None:
    upstream.add(WHEEL, hashes=hashes, core_metadata=False)
    site = make_site(upstream_url=upstream.url)
    [before] = page(site.anonymous, "root/pypi", "example")["files"]
    assert before["hashes"].keys() == set(hashes)
    assert before["url"] == f"../../+f/example/-/{WHEEL.filename}"
    for _ in range(2):
        answer = site.anonymous.get(url(WHEEL, "-"))
        assert answer.content == WHEEL.content
        assert answer.headers["Cache-Control"] == "private, no-cache"
        finish_downloads()
    [after] = page(site.anonymous, "root/pypi", "example")["files"]
    assert after["hashes"] == before["hashes"] | {"sha256": WHEEL.sha256}
    assert "immutable" in site.anonymous.get(url(WHEEL)).headers["Cache-Control"]
    # Lock files and links that were made before go on to work.
    assert site.anonymous.get(url(WHEEL, "-")).content == WHEEL.content
    assert site.anonymous.get(f"{url(WHEEL, '-')}.metadata").content == WHEEL.metadata
    assert len(fetched(upstream)) == 1


def test_another_digest_than_sha256_is_checked_as_well(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL, row={"hashes": {"md5": "0" * 32}})
    site = make_site(upstream_url=upstream.url)
    page(site.anonymous, "root/pypi", "example")
    assert site.anonymous.get(url(WHEEL, "-")).status_code == 502


def test_size_and_upload_time_are_learned_with_the_file(make_site: Callable[..., Site]) -> None:
    with LocalUpstream(forms=["html"]) as upstream:
        upstream.add(WHEEL)
        site = make_site(upstream_url=upstream.url)
        [before] = page(site.anonymous, "root/pypi", "example")["files"]
        assert "size" not in before
        assert before["_upload-time-source"] == "first-seen"
        site.anonymous.get(url(WHEEL))
        finish_downloads()
        [after] = page(site.anonymous, "root/pypi", "example")["files"]
    assert after["size"] == len(WHEEL.content)
    assert after["upload-time"] == "2024-01-02T03:04:06.000000Z"
    assert after["_upload-time-source"] == "last-modified"


# Metadata that the upstream has not


@pytest.fixture
def bare(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi mirrors an upstream whose wheels come without metadata."""
    upstream.add(LARGE, core_metadata=False)
    return make_site(upstream_url=upstream.url)


def listed_metadata(site: Site) -> object:
    [file] = page(site.anonymous, "root/pypi", "example")["files"]
    return file["core-metadata"]


def test_metadata_is_read_from_the_end_of_the_upstreams_wheel(
    bare: Site, upstream: LocalUpstream
) -> None:
    assert listed_metadata(bare) is True
    answer = bare.anonymous.get(f"{url(LARGE)}.metadata")
    assert answer.content == LARGE.metadata
    assert answer.headers["Cache-Control"] == "private, no-cache"
    requests = [r for r in upstream.requests if r.path.endswith(".whl")]
    assert all("range" in request.headers for request in requests)
    assert LARGE.sha256 not in bare.stored().blobs


def test_an_upstream_without_ranges_is_advertised_for_what_is_here_only(
    bare: Site, upstream: LocalUpstream
) -> None:
    upstream.ranges = False
    assert listed_metadata(bare) is False
    assert bare.anonymous.get(f"{url(LARGE)}.metadata").status_code == 404
    bare.anonymous.get(url(LARGE))
    finish_downloads()
    digest = hashlib.sha256(LARGE.metadata).hexdigest()
    assert listed_metadata(bare) == {"sha256": digest}
    answer = bare.anonymous.get(f"{url(LARGE)}.metadata")
    assert answer.content == LARGE.metadata
    assert "immutable" in answer.headers["Cache-Control"]
    assert len(fetched(upstream)) == 1


def test_an_upstream_that_stops_to_send_parts_costs_a_whole_wheel(
    bare: Site, upstream: LocalUpstream
) -> None:
    assert listed_metadata(bare) is True
    upstream.ranges = False
    assert bare.anonymous.head(f"{url(LARGE)}.metadata").status_code == 200
    assert bare.anonymous.get(f"{url(LARGE)}.metadata").content == LARGE.metadata
    finish_downloads()
    assert LARGE.sha256 in bare.stored().blobs


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("zstd, gzip", "zstd"), ("identity", None), ("", None), ("br", None),
     ("identity;q=0, *;q=0", None)],
)  # fmt: skip
def test_metadata_is_coded_for_those_who_take_it(
    site: Site, accepted: str, coding: str | None
) -> None:
    headers = {"Accept-Encoding": accepted}
    answer = site.anonymous.get(f"{url(WHEEL)}.metadata", headers=headers)
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.content == WHEEL.metadata
    assert answer.headers["Vary"] == "Accept-Encoding"
    plain = f'"{hashlib.sha256(WHEEL.metadata).hexdigest()}"'
    etag = plain if coding is None else f'{plain[:-1]}-{coding}"'
    assert answer.headers["ETag"] == etag
    head = site.anonymous.head(f"{url(WHEEL)}.metadata", headers=headers)
    assert lasting_headers(head) == lasting_headers(answer)
    held = {"If-None-Match": etag, **headers}
    assert site.anonymous.get(f"{url(WHEEL)}.metadata", headers=held).status_code == 304


def test_a_part_of_metadata_is_never_coded(site: Site) -> None:
    headers = {"Accept-Encoding": "gzip", "Range": "bytes=3-9"}
    answer = site.anonymous.get(f"{url(WHEEL)}.metadata", headers=headers)
    assert (answer.status_code, answer.content) == (206, WHEEL.metadata[3:10])


@pytest.mark.parametrize("coding", ["gzip", "zstd", "*"])
def test_files_are_never_coded(site: Site, coding: str) -> None:
    for _ in range(2):
        answer = site.anonymous.get(url(WHEEL), headers={"Accept-Encoding": coding})
        assert "Content-Encoding" not in answer.headers
        assert answer.content == WHEEL.content
        finish_downloads()


# Provenance

ATTESTED = {"version": 1, "attestation_bundles": [{"publisher": {"kind": "example"}}]}
INTEGRITY = "application/vnd.pypi.integrity.v1+json"


@pytest.fixture
def attested(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi mirrors an upstream with attestations."""
    upstream.add(WHEEL, provenance=ATTESTED)
    return make_site(upstream_url=upstream.url)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (INTEGRITY, INTEGRITY),
        ("application/json", "application/json"),
        ("*/*", INTEGRITY),
        ("application/*", INTEGRITY),
        (f"application/json, {INTEGRITY};q=0.5", "application/json"),
        (f"application/json, {INTEGRITY}", INTEGRITY),
        ("", INTEGRITY),
    ],
)
def test_provenance_comes_in_the_type_that_the_client_prefers(
    attested: Site, accept: str, media_type: str
) -> None:
    answer = attested.anonymous.get(f"{url(WHEEL)}.provenance", headers={"Accept": accept})
    assert answer.json() == ATTESTED
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    head = attested.anonymous.head(f"{url(WHEEL)}.provenance", headers={"Accept": accept})
    assert lasting_headers(head) == lasting_headers(answer)


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", f"{INTEGRITY};q=0"])
def test_provenance_in_no_type_that_suits_is_not_acceptable(
    attested: Site, upstream: LocalUpstream, accept: str
) -> None:
    answer = attested.anonymous.get(f"{url(WHEEL)}.provenance", headers={"Accept": accept})
    assert answer.status_code == 406
    assert beside(upstream, ".provenance") == 0


def test_provenance_is_served_when_the_upstream_is_gone(
    attested: Site, upstream: LocalUpstream, make_site: Callable[..., Site]
) -> None:
    attested.anonymous.get(url(WHEEL))
    finish_downloads()
    attested.root.patch("/root/pypi", json=["mirror_cache_expiry=0"])
    upstream.stop()
    for client in (attested.anonymous, make_site().anonymous):
        answer = client.get(f"{url(WHEEL)}.provenance")
        assert answer.json() == ATTESTED


def test_a_file_without_attestations_has_none(site: Site) -> None:
    assert site.anonymous.get(f"{url(WHEEL)}.provenance").status_code == 404


def test_too_long_or_foolish_provenance_is_a_bad_gateway(
    attested: Site, upstream: LocalUpstream
) -> None:
    for body in (b"[]", b"{" + b" " * 3_000_000 + b"}"):
        upstream.fault("*.provenance", body=body, times=1)
        assert attested.anonymous.get(f"{url(WHEEL)}.provenance").status_code == 502
    assert attested.anonymous.get(f"{url(WHEEL)}.provenance").status_code == 200


# Mirrors that keep no files


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_clients_are_sent_to_the_upstream_where_the_index_says_so(
    site: Site, upstream: LocalUpstream, method: str
) -> None:
    site.root.patch("/root/pypi", json=["mirror_use_external_urls=true"])
    answer = site.anonymous.request(method, url(WHEEL))
    assert answer.status_code == 302
    assert answer.headers["Location"] == upstream.file_url(WHEEL)
    assert answer.headers["Cache-Control"] == "no-store"
    assert fetched(upstream) == []
    assert site.anonymous.get(url(WHEEL, "0" * 64)).status_code == 404
    assert site.anonymous.get(f"{url(WHEEL)}.metadata").content == WHEEL.metadata


def test_a_mirror_of_metadata_passes_files_through_verified(
    site: Site, upstream: LocalUpstream
) -> None:
    site.root.patch("/root/pypi", json=["mirror_metadata_only=true"])
    for number in (1, 2):
        answer = site.anonymous.get(url(LARGE))
        assert answer.content == LARGE.content
        finish_downloads()
        assert len(fetched(upstream)) == number
    upstream.fault("/files/*", corrupt=True)
    assert site.anonymous.get(url(WHEEL)).status_code == 502
    upstream.stop()
    assert site.anonymous.get(f"{url(LARGE)}.metadata").content == LARGE.metadata


def test_files_over_the_bound_are_refused(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(LARGE)
    site = make_site(upstream_url=upstream.url, max_mirrored_file_size=100_000)
    answer = site.anonymous.get(url(LARGE))
    assert answer.status_code == 502
    assert "max_mirrored_file_size" in answer.json()["message"]


def test_a_quarantined_project_hands_out_nothing(site: Site, upstream: LocalUpstream) -> None:
    site.anonymous.get(url(WHEEL))
    finish_downloads()
    upstream.set_status("example", "quarantined", "it is malware")
    site.root.patch("/root/pypi", json=["mirror_cache_expiry=0"])
    page(site.anonymous, "root/pypi", "example")
    for path in (url(WHEEL), f"{url(WHEEL)}.metadata"):
        answer = site.anonymous.get(path)
        assert answer.status_code == 403
        assert "it is malware" in answer.json()["message"]
