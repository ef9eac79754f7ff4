"""F. Files: items 60 to 72."""

import os
import re
from collections.abc import Callable

import httpx
import pytest

from conformance.http2 import PARALLEL, Http2Front
from conformance.index import Index, OpenIndex
from conformance.shelf import Shelf
from conformance.tools import Tools
from stillroom_server.testing import Distribution, LocalUpstream
from support.distributions import import_name, make_sdist, make_wheel
from support.forms import Part, form_of
from support.front import Front

MEGABYTE = 1_000_000
DAY = 24 * 3600
ENCODINGS = ["identity", "gzip, deflate", "zstd, gzip, deflate", "br", "*", "identity;q=0, gzip"]

DeleteFile = Callable[[str, Distribution], None]


@pytest.fixture
def url(index: Index, shelf: Shelf) -> str:
    """The URL of a wheel on the shelf."""
    return index.file_url(shelf.name, shelf.wheel.filename)


def max_age(answer: httpx.Response) -> int:
    """What Cache-Control says of seconds; 0 if nothing."""
    match = re.search(r"max-age=(\d+)", answer.headers["Cache-Control"])
    return int(match[1]) if match else 0


@pytest.mark.parametrize("accepted", ENCODINGS)
def test_060_exact_bytes(index: Index, shelf: Shelf, accepted: str) -> None:
    """[S] GET: exact bytes, Content-Length, no Content-Encoding with any Accept-Encoding."""
    for file in shelf.files:
        url = index.file_url(shelf.name, file.filename)
        answer, body = index.raw(url, {"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Content-Length"] == str(len(file.content))
        assert body == file.content


def test_061_head(index: Index, shelf: Shelf, url: str) -> None:
    """[C] HEAD: 200, the same Content-Length, `Accept-Ranges: bytes`, no body."""
    answer = index.ask("HEAD", url)
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(shelf.wheel.content))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.content == b""
    for name in ("ETag", "Content-Type", "Cache-Control"):
        assert answer.headers[name] == index.get(url).headers[name]


def test_062_ranges(index: Index, shelf: Shelf, url: str) -> None:
    """[C] First, last and remaining bytes: 206 with Content-Range; out of range: 416."""
    content = shelf.wheel.content
    size = len(content)
    parts = {
        "bytes=0-0": (0, 1),
        "bytes=-10": (size - 10, size),
        "bytes=-16384": (max(0, size - 16_384), size),
        "bytes=100-": (100, size),
        f"bytes=100-{size + 1000}": (100, size),
    }
    for asked, (start, stop) in parts.items():
        answer = index.get(url, Range=asked)
        assert answer.status_code == 206, asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["Content-Length"] == str(stop - start)
        assert answer.content == content[start:stop]
    answer = index.get(url, Range=f"bytes={size}-")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_063_if_range(index: Index, shelf: Shelf, url: str) -> None:
    """[C] `If-Range` with the current ETag: 206; with another: 200 and everything."""
    etag = index.get(url).headers["ETag"]
    part = index.get(url, Range="bytes=5-9", If_Range=etag)
    assert (part.status_code, part.content) == (206, shelf.wheel.content[5:10])
    whole = index.get(url, Range="bytes=5-9", If_Range='"another"')
    assert (whole.status_code, whole.content) == (200, shelf.wheel.content)


def test_064_etag(index: Index, url: str) -> None:
    """[C] A strong ETag; `If-None-Match`: 304 with the same ETag and Cache-Control."""
    whole = index.get(url)
    etag = whole.headers["ETag"]
    assert re.fullmatch(r'"[^"]+"', etag)
    answer = index.get(url, If_None_Match=f'"another", {etag}')
    assert (answer.status_code, answer.content) == (304, b"")
    for name in ("ETag", "Cache-Control"):
        assert answer.headers[name] == whole.headers[name]
    assert index.get(url, If_None_Match='"another"').status_code == 200


def test_065_files_last(
    new_index: Callable[..., str], open_index: OpenIndex, project: str
) -> None:
    """[P] Immutable or a long max-age; `private` where the project is private."""
    wheel = make_wheel(project, "1.0")
    private = open_index(new_index(public=False))
    public = open_index(new_index(public=True))
    for where in (private, public):
        where.upload(wheel)
    closed = private.get(private.file_url(project, wheel.filename))
    opened = public.as_seen_by(None).get(public.file_url(project, wheel.filename))
    for answer in (closed, opened):
        assert answer.status_code == 200
        assert max_age(answer) >= DAY
    assert "private" in closed.headers["Cache-Control"]
    assert "public" not in closed.headers["Cache-Control"]


def test_066_one_file_name(index: Index, shelf: Shelf) -> None:
    """[C] The last path component is the file name; no Content-Disposition says another."""
    for file in shelf.files:
        url = httpx.URL(index.file_url(shelf.name, file.filename))
        assert url.path.rpartition("/")[2] == file.filename
        disposition = index.get(str(url)).headers.get("Content-Disposition", file.filename)
        assert file.filename in disposition


def test_067_no_page_for_a_browser(index: Index, project: str) -> None:
    """[P] `X-Content-Type-Options: nosniff`, and never `text/html`, whatever a file holds."""
    page = b"<!DOCTYPE html><script>alert(1)</script>"
    files = make_wheel(project, "1.0", body=page.decode()), make_sdist(project, "1.0")
    index.upload(*files)
    urls = [index.file_url(project, file.filename) for file in files]
    for url in (*urls, f"{urls[0]}.metadata"):
        answer = index.get(url, "text/html")
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "html" not in answer.headers["Content-Type"]


def test_068_pip_resumes(
    index: Index, open_index: OpenIndex, project: str, front: Front, tools: Tools
) -> None:
    """[C] A download that breaks off after 1 MB is resumed by pip with Range."""
    wheel = make_wheel(project, "1.0", members={"data.bin": os.urandom(3 * MEGABYTE)})
    index.upload(wheel)
    seen = open_index(index.name, front=front)
    front.cut(f"*/{wheel.filename}", MEGABYTE)
    environment = tools.venv()
    environment.pip("install", "--index-url", seen.simple_with_login, project)
    assert environment.version(import_name(project)) == "1.0"
    whole, rest = front.passed(f"*/{wheel.filename}")
    assert "range" not in whole.headers
    assert rest.headers["range"] == f"bytes={MEGABYTE}-"
    assert rest.headers["if-range"]


def test_069_deleted_files_stay_deleted(
    new_index: Callable[..., str], open_index: OpenIndex, project: str, delete_file: DeleteFile
) -> None:
    """[P] The URL of a deleted file: 404 or 410, never new bytes; its name is not used again."""
    final = open_index(new_index(final=True))
    wheel, other = make_wheel(project, "1.0"), make_wheel(project, "1.0", body="other bytes")
    final.upload(wheel)
    url = final.file_url(project, wheel.filename)
    delete_file(final.name, wheel)
    assert final.get(url).status_code in {404, 410}
    for again in (other, wheel):
        assert final.send(again).status_code in {400, 409}
    assert final.get(url).status_code in {404, 410}


def test_070_redirect_to_the_content(
    upstream: LocalUpstream,
    new_mirror: Callable[..., str],
    open_index: OpenIndex,
    project: str,
    tools: Tools,
) -> None:
    """[C] A redirect to where the bytes are: 302 or 307, HEAD works, no login there."""
    wheel = make_wheel(project, "1.0")
    upstream.add(wheel)
    redirecting = open_index(new_mirror(upstream.url, redirects=True))
    url = redirecting.file_url(project, wheel.filename)
    for method in ("GET", "HEAD"):
        answer = redirecting.ask(method, url)
        assert answer.status_code in {302, 307}
        target = httpx.request(method, answer.headers["Location"])
        assert target.status_code == 200
        assert target.headers["Content-Length"] == str(len(wheel.content))
    assert httpx.get(answer.headers["Location"]).content == wheel.content
    assert redirecting.rows(project)[wheel.filename]["hashes"]["sha256"] == wheel.sha256
    for tool in ("pip", "uv"):
        environment = tools.venv()
        environment.install(tool, "--index-url", redirecting.simple_with_login, project)
        assert environment.version(import_name(project)) == "1.0"
    assert not [r for r in upstream.requests if "authorization" in r.headers]


def test_071_parallel_downloads_over_http2(
    index: Index,
    open_index: OpenIndex,
    new_name: Callable[[], str],
    http2_front: Http2Front,
    tools: Tools,
) -> None:
    """[C] 50 parallel downloads over HTTP/2 from uv succeed with credentials."""
    names = [new_name() for _ in range(PARALLEL)]
    index.upload(*(make_wheel(name, "1.0") for name in names))
    seen = open_index(index.name, front=http2_front)
    tools.environment["UV_CONCURRENT_DOWNLOADS"] = str(PARALLEL)
    environment = tools.venv()
    environment.uv("install", "--index-url", seen.simple_with_login, *names)
    assert {environment.version(import_name(name)) for name in names} == {"1.0"}
    asked = http2_front.requests
    assert {request.version for request in asked} == {"2"}
    wheels = [request for request in asked if request.path.endswith(".whl")]
    assert [request.status for request in wheels] == [200] * PARALLEL


def test_072_signatures(index: Index, project: str) -> None:
    """[s] `<file>.asc` is 200 only if `gpg-sig` is true; else that key is omitted or false."""
    wheel = make_wheel(project, "1.0")
    signature = Part("gpg_signature", b"a signature", f"{wheel.filename}.asc")
    assert index.send_parts([*form_of(wheel), signature]).status_code == 200
    has_signature = index.rows(project)[wheel.filename].get("gpg-sig", False)
    assert type(has_signature) is bool
    status = index.get(f"{index.file_url(project, wheel.filename)}.asc").status_code
    assert status == (200 if has_signature else 404)
