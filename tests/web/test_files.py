"""Files of stages: whole, in part, unchanged; cached for ever; closed in any case."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from wsgiref.util import FileWrapper

import httpx
import pytest

from stillroom_server.storage.disk import DiskBlobStore
from support.distributions import make_sdist, make_wheel
from support.site import Site, file_url, filenames, lasting_headers, new_index, upload

WHEEL = make_wheel("example", "1.0", members={"data.bin": bytes(range(256)) * 20})
SDIST = make_sdist("example", "1.0")
OTHER = make_wheel("example", "1.0", body="another wheel of that name")
PATH = file_url("dev/open", "example", WHEEL)
SIZE = len(WHEEL.content)
YEAR = 365 * 24 * 3600


@pytest.fixture(scope="module")
def anyone(shared_site: Site) -> httpx.Client:
    """A client of `dev/open`, which everyone may read."""
    dev = shared_site.user("dev")
    new_index(dev, "dev/open", acl_read=":ANONYMOUS:")
    upload(dev, "dev/open", WHEEL, SDIST)
    return shared_site.anonymous


# Whole


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_is_sent_with_all_that_clients_need(anyone: httpx.Client, method: str) -> None:
    answer = anyone.request(method, PATH, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.content == (WHEEL.content if method == "GET" else b"")
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["ETag"] == f'"{WHEEL.sha256}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Last-Modified"].endswith(" GMT")
    assert "Content-Encoding" not in answer.headers
    assert "Content-Disposition" not in answer.headers


def test_only_what_everyone_may_read_is_kept_by_shared_caches(
    shared_site: Site, anyone: httpx.Client
) -> None:
    said = anyone.get(PATH).headers["Cache-Control"]
    assert said == f"public, max-age={YEAR}, immutable"
    said = shared_site.user("dev").get(PATH).headers["Cache-Control"]
    assert said == f"private, max-age={YEAR}, immutable"


@pytest.mark.parametrize("distribution", [WHEEL, SDIST], ids=["wheel", "sdist"])
def test_metadata_is_that_of_the_archive_byte_for_byte(anyone: httpx.Client, distribution) -> None:
    path = file_url("dev/open", "example", distribution) + ".metadata"
    plain = {"Accept-Encoding": "identity"}
    answer = anyone.get(path, headers=plain)
    assert answer.content == distribution.metadata
    assert answer.headers["ETag"] == f'"{hashlib.sha256(distribution.metadata).hexdigest()}"'
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "immutable" in answer.headers["Cache-Control"]
    assert lasting_headers(anyone.head(path, headers=plain)) == lasting_headers(answer)
    part = anyone.get(path, headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, distribution.metadata[3:10])


# In part

PARTS = {
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, SIZE),
    f"bytes=0-{SIZE - 1}": (0, SIZE),
    f"bytes=0-{SIZE + 1000}": (0, SIZE),
    "bytes=100-199": (100, 200),
    f"bytes={SIZE - 1}-": (SIZE - 1, SIZE),
    "bytes=-1": (SIZE - 1, SIZE),
    "bytes=-100": (SIZE - 100, SIZE),
    f"bytes=-{SIZE + 1000}": (0, SIZE),
}


@pytest.mark.parametrize("wanted", PARTS)
def test_a_part_is_sent_as_asked(anyone: httpx.Client, wanted: str) -> None:
    start, stop = PARTS[wanted]
    answer = anyone.get(PATH, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.content == WHEEL.content[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["ETag"] == f'"{WHEEL.sha256}"'


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=3-9"}], ids=["whole", "part"])
def test_the_engine_gets_a_file_that_it_can_send_without_a_thread(
    anyone: httpx.Client, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    wrapped: list[tuple[int, int]] = []

    def wrap(file: Any, block_size: int) -> FileWrapper:
        # What waitress does to find out how much there is to send.
        start, end = file.tell(), file.seek(0, os.SEEK_END)
        file.seek(start)
        wrapped.append((start, end))
        return FileWrapper(file, block_size)

    monkeypatch.setattr("support.wsgi.FileWrapper", wrap)
    answer = anyone.get(PATH, headers=headers)
    assert wrapped == [(0, len(answer.content))]


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 5}", "bytes=-0"])
def test_a_part_beyond_the_end_is_not_satisfiable(anyone: httpx.Client, wanted: str) -> None:
    answer = anyone.get(PATH, headers={"Range": wanted})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.content == b""
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=5-2", "bytes=a-b", "bytes=", "bytes", "items=0-1", "bytes=0-1,4-5", "bytes=--1",
     "bytes=1", "", "bytes=0-" + "9" * 5_000, "\xff"],
    ids=range(11),
)  # fmt: skip
def test_a_part_that_is_not_understood_is_never_wrong(anyone: httpx.Client, wanted: str) -> None:
    answer = anyone.get(PATH, headers={"Range": wanted.encode("latin-1")})
    assert answer.status_code in {200, 206}
    assert answer.content == WHEEL.content


def test_head_knows_no_parts(anyone: httpx.Client) -> None:
    answer = anyone.head(PATH, headers={"Range": "bytes=0-0"})
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(SIZE))


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (f'"{WHEEL.sha256}"', 206),
        (f'"{OTHER.sha256}"', 200),
        (f'W/"{WHEEL.sha256}"', 200),
        ("LAST-MODIFIED", 206),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("nonsense", 200),
    ],
)
def test_a_part_of_something_else_is_not_sent(
    anyone: httpx.Client, condition: str, status: int
) -> None:
    modified = anyone.head(PATH).headers["Last-Modified"]
    if_range = condition.replace("LAST-MODIFIED", modified)
    answer = anyone.get(PATH, headers={"Range": "bytes=10-19", "If-Range": if_range})
    assert answer.status_code == status
    assert answer.content == (WHEEL.content[10:20] if status == 206 else WHEEL.content)


# Unchanged


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("condition", ['"{}"', 'W/"{}"', '"x", "{}"', "*"])
def test_a_file_that_the_client_has_is_not_sent_again(
    anyone: httpx.Client, condition: str, method: str
) -> None:
    headers = {"If-None-Match": condition.format(WHEEL.sha256), "Range": "bytes=0-0"}
    answer = anyone.request(method, PATH, headers=headers)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == f'"{WHEEL.sha256}"'
    assert "immutable" in answer.headers["Cache-Control"]


def test_a_file_that_the_client_has_in_another_state_is_sent(anyone: httpx.Client) -> None:
    answer = anyone.get(PATH, headers={"If-None-Match": f'"{OTHER.sha256}"'})
    assert (answer.status_code, answer.content) == (200, WHEEL.content)


# Which file a URL means


@pytest.mark.parametrize(
    "path",
    [
        PATH.replace(WHEEL.sha256, "0" * 64),
        PATH.replace(WHEEL.sha256, WHEEL.sha256.upper()),
        PATH.replace(WHEEL.sha256, WHEEL.sha256[:16]),
        PATH.replace(WHEEL.sha256, SDIST.sha256),
        PATH.replace(WHEEL.sha256, "-"),
        PATH.replace("/example/", "/other/"),
        PATH.replace("-1.0-", "-2.0-"),
        PATH.replace("example-1.0", "Example-1.0"),
        PATH.replace("dev/open", "dev/stage"),
        f"{PATH}.metadata.metadata",
        f"{PATH}.asc",
        f"{PATH}.provenance",
    ],
)
def test_what_a_url_does_not_mean_exactly_is_not_found(
    shared_site: Site, anyone: httpx.Client, path: str
) -> None:
    assert shared_site.user("dev").get(path).status_code == 404


def test_a_file_is_served_where_the_lineage_shows_it(site: Site, dev: httpx.Client) -> None:
    for name in ("dev/base", "dev/aside"):
        new_index(dev, name)
    dev.patch("/dev/stage", json=["bases=dev/base"])
    upload(dev, "dev/base", WHEEL, SDIST)
    through_heir = file_url("dev/stage", "example", WHEEL)
    assert dev.get(through_heir).content == WHEEL.content
    upload(dev, "dev/stage", OTHER)
    # The heir's own file of that name hides the other, also from who knows its URL.
    assert dev.get(through_heir).status_code == 404
    assert dev.get(f"{through_heir}.metadata").status_code == 404
    assert dev.get(file_url("dev/stage", "example", OTHER)).content == OTHER.content
    assert dev.get(file_url("dev/stage", "example", SDIST)).content == SDIST.content
    assert dev.get(file_url("dev/base", "example", WHEEL)).content == WHEEL.content
    assert dev.get(file_url("dev/aside", "example", WHEEL)).status_code == 404


def test_a_deleted_file_is_gone_in_that_moment(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", WHEEL)
    path = file_url("dev/stage", "example", WHEEL)
    assert dev.get(path).status_code == 200
    dev.delete(path)
    assert dev.get(path).status_code == 404
    assert filenames(dev, "dev/stage", "example") == []


# The store


class WatchedStore(DiskBlobStore):
    """Remembers what it opened."""

    opened: list[BinaryIO]

    def open(self, sha256: str) -> BinaryIO:
        self.opened.append(super().open(sha256))
        return self.opened[-1]


@pytest.fixture
def blob_store(tmp_path: Path) -> DiskBlobStore:
    store = WatchedStore.create(tmp_path / "blob-store")
    store.opened = []
    return store


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=10-"}, {"Range": "bytes=0-99999999"}])
@pytest.mark.parametrize("aborted", [True, False])
def test_a_blob_is_closed_however_a_transfer_ends(
    site: Site, dev: httpx.Client, headers: dict[str, str], aborted: bool
) -> None:
    large = make_wheel("example", "1.0", members={"data.bin": random_bytes(1_000_000)})
    upload(dev, "dev/stage", large)
    with dev.stream("GET", file_url("dev/stage", "example", large), headers=headers) as answer:
        chunks = answer.iter_raw()
        assert next(chunks)
        if not aborted:
            assert sum(map(len, chunks)) > 500_000
    assert [blob.closed for blob in site.store.opened] == [True]


def random_bytes(size: int) -> bytes:
    return hashlib.shake_128(b"stillroom").digest(size)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"If-None-Match": "*"}),
        ("GET", {"Range": f"bytes={SIZE}-"}),
    ],
)
def test_an_answer_without_a_body_opens_no_blob(
    site: Site, dev: httpx.Client, method: str, headers: dict[str, str]
) -> None:
    upload(dev, "dev/stage", WHEEL)
    dev.request(method, file_url("dev/stage", "example", WHEEL), headers=headers)
    assert site.store.opened == []


def test_content_that_the_store_has_lost_is_our_trouble_not_a_404(
    site: Site, dev: httpx.Client, clock: Callable[[], object]
) -> None:
    upload(dev, "dev/stage", WHEEL)
    later = clock()
    assert site.store.delete(WHEEL.sha256, untouched_since=later)
    answer = dev.get(file_url("dev/stage", "example", WHEEL))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"].isdigit()
    # The same upload again brings it back.
    upload(dev, "dev/stage", WHEEL)
    assert dev.get(file_url("dev/stage", "example", WHEEL)).content == WHEEL.content
