"""Lists of projects: short ones from memory, long ones as a stream, and the search."""

import gzip
import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

import httpx
import pytest
import zstandard

from stillroom_server.domain.errors import StorageBusy
from stillroom_server.services import project_lists
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from stillroom_server.testing import LocalUpstream, generated_name
from stillroom_server.web import project_list
from stillroom_server.web.page_cache import PageCache
from support.databases import SqliteTemplate
from support.distributions import make_wheel
from support.site import API, HTML, JSON, Site, lasting_headers, new_index, new_site, upload

MIRROR = "root/lister"
MANY = 3_000
"""Names on the mirror's list."""
LONG = 20_000
"""Bytes from which a list counts as long here."""

NAMES = sorted(["example", "zebra", *(generated_name(number) for number in range(MANY))])
FORMS = [JSON, HTML, "text/html"]
CODINGS = ["identity", "gzip", "zstd"]


@pytest.fixture(scope="module", autouse=True)
def sizes() -> Iterator[None]:
    """Lists are long, and pages of names short, so that a few names show what many do."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(project_list, "LONG", LONG)
        patched.setattr(project_lists, "PAGE", 500)
        yield


def with_lists(site: Site, upstream: LocalUpstream) -> httpx.Client:
    """A stage with a project of its own, above a mirror with a long list."""
    upstream.generated_names = MANY
    upstream.add(make_wheel("example"))
    options = {"type": "mirror", "mirror_url": upstream.url, "mirror_no_project_list": False}
    new_index(site.root, MIRROR, **options)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases=[MIRROR])
    upload(dev, "dev/stage", make_wheel("zebra"))
    return dev


@pytest.fixture
def dev(site: Site, upstream: LocalUpstream) -> httpx.Client:
    """The owner of the stage."""
    return with_lists(site, upstream)


@pytest.fixture(scope="module")
def reader(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The same, for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("lists")
    database = SqlDatabase(sqlite_template.copy_to(folder / "stillroom.sqlite"))
    store = DiskBlobStore.create(folder / "blobs")
    with LocalUpstream() as upstream, new_site(database, store) as site:
        yield with_lists(site, upstream)
    database.close()


def get(client: httpx.Client, accept: str = JSON, coding: str = "identity", **headers: str):
    given = {"Accept": accept, "Accept-Encoding": coding, **headers}
    return client.get("/dev/stage/simple/", headers=given)


def names_in(answer: httpx.Response) -> list[str]:
    if answer.headers["Content-Type"] == JSON:
        body = answer.json()
        assert body["meta"] == {"api-version": "1.4"}
        assert all(list(project) == ["name"] for project in body["projects"])
        return [project["name"] for project in body["projects"]]
    parser = Links()
    parser.feed(answer.text)
    parser.close()
    assert parser.closed_html
    assert [href for href, _text in parser.links] == [f"{text}/" for _, text in parser.links]
    return [text for _href, text in parser.links]


class Links(HTMLParser):
    """The links of a page, and whether it is whole."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.closed_html = False
        self._href: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._href = dict(attrs)["href"] if tag == "a" else None

    def handle_data(self, data: str) -> None:
        if self._href is not None:
            self.links.append((self._href, data))
            self._href = None

    def handle_endtag(self, tag: str) -> None:
        self.closed_html |= tag == "html"


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("accept", FORMS)
def test_a_long_list_is_whole_in_every_form_and_coding(
    reader: httpx.Client, accept: str, coding: str
) -> None:
    answer = get(reader, accept, coding)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(accept)
    assert answer.headers.get("Content-Encoding", "identity") == coding
    assert "Content-Length" not in answer.headers
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.content) > LONG
    assert names_in(answer) == NAMES


def test_a_long_list_comes_in_many_pieces(reader: httpx.Client) -> None:
    headers = {"Accept": JSON, "Accept-Encoding": "identity"}
    with reader.stream("GET", "/dev/stage/simple/", headers=headers) as answer:
        pieces = [len(piece) for piece in answer.stream]
    assert len(pieces) >= MANY / 1000
    assert max(pieces) < 2 * LONG


def test_a_list_is_long_from_a_bound_on(
    dev: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(get(dev).content)
    for bound, has_length in ((size, False), (size + 1, True)):
        monkeypatch.setattr(project_list, "LONG", bound)
        assert ("Content-Length" in get(dev).headers) is has_length


@pytest.mark.parametrize(("coding", "unpack"), [
    ("gzip", gzip.decompress),
    ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
])  # fmt: skip
def test_a_coded_list_is_the_same_page(
    reader: httpx.Client, coding: str, unpack: Callable[[bytes], bytes]
) -> None:
    headers = {"Accept": HTML, "Accept-Encoding": coding}
    with reader.stream("GET", "/dev/stage/simple/", headers=headers) as answer:
        coded = b"".join(answer.iter_raw())
    assert len(coded) < len(get(reader, HTML).content) / 3
    assert unpack(coded) == get(reader, HTML).content


def test_every_form_and_coding_has_an_etag_of_its_own_that_stays(reader: httpx.Client) -> None:
    tags = {(accept, coding): get(reader, accept, coding).headers["ETag"]
            for accept in FORMS for coding in CODINGS}  # fmt: skip
    assert len(set(tags.values())) == len(tags)
    for (accept, coding), tag in tags.items():
        assert tag.startswith('"')
        answer = get(reader, accept, coding, **{"If-None-Match": f'"x", {tag}'})
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["ETag"] == tag
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
        assert "Content-Type" not in answer.headers


def test_no_name_is_read_for_what_the_client_has(
    reader: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = get(reader).headers["ETag"]
    monkeypatch.setattr(project_lists.ListView, "names", None)
    assert get(reader, **{"If-None-Match": tag}).status_code == 304


def test_a_change_is_seen_at_once(dev: httpx.Client) -> None:
    before = get(dev)
    upload(dev, "dev/stage", make_wheel("another"))
    after = get(dev, **{"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert names_in(after) == sorted([*NAMES, "another"])


@pytest.mark.parametrize("accept", FORMS)
def test_head_says_what_get_says_and_sends_nothing(reader: httpx.Client, accept: str) -> None:
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    said = lasting_headers(get(reader, accept, "gzip"))
    head = reader.head("/dev/stage/simple/", headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    assert lasting_headers(head) == said


@pytest.mark.parametrize("coding", CODINGS)
def test_a_list_that_vanishes_breaks_off_without_its_end(
    site: Site, dev: httpx.Client, coding: str
) -> None:
    headers = {"Accept": JSON, "Accept-Encoding": coding}
    received: list[bytes] = []
    with dev.stream("GET", "/dev/stage/simple/", headers=headers) as answer:
        assert dev.delete("/dev/stage").status_code == 201
        assert site.root.delete(f"/{MIRROR}").status_code == 201
        with pytest.raises(StorageBusy):
            received.extend(answer.stream)
    body = b"".join(received)
    if coding == "gzip":
        with pytest.raises(EOFError):
            gzip.decompress(body)
    elif coding == "zstd":
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        decompressor.decompress(body)
        assert not decompressor.eof
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


def test_a_short_list_has_its_length_and_comes_from_memory(
    dev: httpx.Client, upstream: LocalUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.generated_names = 100
    first = get(dev)
    assert first.headers["Content-Length"] == str(len(first.content))
    monkeypatch.setattr(project_lists.ProjectLists, "view", None)
    assert get(dev).content == first.content
    assert get(dev, **{"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_long_list_is_not_kept_in_memory(
    reader: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    monkeypatch.setattr(PageCache, "put", lambda _cache, key, _page: kept.append(key))
    get(reader)
    assert kept == []


@pytest.mark.parametrize("expiry", [0, 600])
def test_a_short_list_holds_no_longer_than_that_of_its_mirror(
    site: Site, dev: httpx.Client, upstream: LocalUpstream, expiry: int
) -> None:
    assert site.root.patch(f"/{MIRROR}", json={"mirror_cache_expiry": expiry}).status_code == 200
    upstream.generated_names = 100
    assert len(names_in(get(dev))) == 102
    upstream.generated_names = 101
    assert len(names_in(get(dev))) == (103 if expiry == 0 else 102)


def test_a_client_that_takes_no_coding_of_ours_is_told(reader: httpx.Client) -> None:
    assert get(reader, coding="identity;q=0").status_code == 406


def test_the_json_view_of_a_mirror_shows_what_is_known_here(site: Site, dev: httpx.Client) -> None:
    assert len(names_in(get(dev))) == len(NAMES)
    assert site.root.get(f"/{MIRROR}").json()["result"]["projects"] == []
    site.root.get(f"/{MIRROR}/simple/example/", headers={"Accept": JSON})
    assert site.root.get(f"/{MIRROR}").json()["result"]["projects"] == ["example"]


def test_an_upstream_that_fails_is_no_empty_list(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    upstream.fault("/simple/", status=503)
    answer = get(dev)
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()


# Search


def search(client: httpx.Client, query: str = "", index: str = "dev/stage") -> httpx.Response:
    return client.get(f"/{index}/+projects{query}")


def test_a_search_finds_names_by_their_beginning(reader: httpx.Client) -> None:
    answer = search(reader, "?prefix=project-0001&limit=3")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == API
    expected = [name for name in NAMES if name.startswith("project-0001")]
    assert answer.json() == {"type": "list:projects", "result": expected[:3], "more": True}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?prefix=zebra", ["zebra"]),
        ("?prefix=ZEB", ["zebra"]),
        ("?prefix=PROJECT_000120", [name for name in NAMES if name.startswith("project-000120")]),
        ("?prefix=project.-_000120", [n for n in NAMES if n.startswith("project-000120")]),
        ("?prefix=zebras", []),
        ("?prefix=-", []),
        ("", NAMES[:100]),
        ("?prefix=", NAMES[:100]),
        ("?limit=1000", NAMES[:1000]),
        ("?limit=1", NAMES[:1]),
        ("?limit=007", NAMES[:7]),
    ],
)
def test_a_prefix_is_normalised_and_a_limit_kept(
    reader: httpx.Client, query: str, found: list[str]
) -> None:
    body = search(reader, query).json()
    assert body["result"] == found
    assert body["more"] is (len(found) >= 100 or "limit" in query)


@pytest.mark.parametrize(
    "limit", ["0", "-1", "1001", "99999", "ten", "1.0", "", "%C3%A9", "%D9%A3", "1e2", "+1", "%20"]
)
def test_a_bad_limit_is_told(reader: httpx.Client, limit: str) -> None:
    answer = search(reader, f"?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["field"] == "limit"
    assert "1 to 1000" in answer.json()["message"]


@pytest.mark.parametrize("prefix", ["%C3%A9", "%25", "a%20b", "%00", "a/b", "a" * 201, "a%0A"])
def test_a_prefix_of_no_name_is_told(reader: httpx.Client, prefix: str) -> None:
    answer = search(reader, f"?prefix={prefix}")
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["field"] == "prefix"


@pytest.mark.parametrize("query", ["?prefix=%ff", "?limit=%ff", "?%ff=1"])
def test_a_query_that_is_not_utf_8_is_told(reader: httpx.Client, query: str) -> None:
    assert search(reader, query).status_code == 400


def test_a_search_in_a_stage_alone_asks_no_upstream(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    new_index(dev, "dev/alone")
    upload(dev, "dev/alone", make_wheel("own"))
    asked = len(upstream.requests)
    assert search(dev, "?prefix=o", "dev/alone").json()["result"] == ["own"]
    assert len(upstream.requests) == asked
