"""Which form of a page a client gets, and in which encoding."""

import gzip

import httpx
import pytest
import zstandard

from support.distributions import make_wheel
from support.site import API, HTML, JSON, Site, upload

TEXT_HTML = "text/html"
LIST, PAGE = "/dev/stage/simple/", "/dev/stage/simple/example/"


@pytest.fixture(scope="module")
def dev(shared_site: Site) -> httpx.Client:
    """A client of dev/stage, where `example` has a page that is worth to be compressed."""
    client = shared_site.user("dev")
    upload(client, "dev/stage", *(make_wheel("example", f"{n}.0") for n in range(3)))
    return client


PIP = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"
UV = f"{JSON}, {HTML};q=0.2, text/html;q=0.01"
POETRY = f"{JSON}, */*;q=0.1"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
NEGOTIATION = {
    JSON: JSON,
    JSON.upper(): JSON,
    HTML: HTML,
    TEXT_HTML: TEXT_HTML,
    "text/html;charset=utf-8": TEXT_HTML,
    f"{JSON};q=0.1, {HTML}; charset=UTF-8; q=0.2": HTML,
    "*/*": TEXT_HTML,
    "": TEXT_HTML,
    PIP: JSON,
    UV: JSON,
    POETRY: JSON,
    BROWSER: TEXT_HTML,
    f"{JSON};q=0.1, text/html;q=0.9": TEXT_HTML,
    f"{JSON};q=0.5, text/html;q=0.5": JSON,
    f"text/html, {JSON}": JSON,
    f"text/html, {HTML}": HTML,
    f"{JSON};q=0, */*": TEXT_HTML,
    f"{JSON};q=0, {HTML}": HTML,
    "application/*": JSON,
    "text/*": TEXT_HTML,
    "application/vnd.pypi.simple.latest+json": JSON,
    "application/vnd.pypi.simple.latest+html": HTML,
    "application/xml": None,
    "image/*": None,
    f"{JSON};q=0": None,
    f"{JSON}x": None,
}


@pytest.mark.parametrize("path", [LIST, PAGE])
@pytest.mark.parametrize("accept", NEGOTIATION)
def test_a_client_gets_the_form_that_it_likes_best(
    dev: httpx.Client, accept: str, path: str
) -> None:
    answer = dev.get(path, headers={"Accept": accept})
    media_type = NEGOTIATION[accept]
    if media_type is None:
        assert answer.status_code == 406
        assert JSON in answer.text
    else:
        # Strict readers compare the type of JSON as a whole.
        charset = "" if media_type == JSON else "; charset=utf-8"
        assert answer.headers["Content-Type"] == media_type + charset
    assert "Accept" in answer.headers["Vary"].split(", ")


@pytest.mark.parametrize("path", [LIST, PAGE])
def test_without_a_wish_the_page_is_html(dev: httpx.Client, path: str) -> None:
    request = dev.build_request("GET", path)
    del request.headers["Accept"]
    assert dev.send(request).headers["Content-Type"] == "text/html; charset=utf-8"


MALFORMED = [";;q=x", ",,,", "text/html;q=2", "a/b/c", "q=1", "*", "\xff\xfe", "x" * 10_000]


@pytest.mark.parametrize("accept", MALFORMED, ids=range(len(MALFORMED)))
def test_a_wish_that_cannot_be_read_is_none_or_not_acceptable(
    dev: httpx.Client, accept: str
) -> None:
    answer = dev.get(PAGE, headers={"Accept": accept.encode("latin-1")})
    assert answer.status_code in {200, 406}


# The form in the URL


IN_URL = {
    "format=application/vnd.pypi.simple.v1+json": JSON,
    "format=application/vnd.pypi.simple.v1%2Bjson": JSON,
    "format=application%2Fvnd.pypi.simple.v1%2Bhtml": HTML,
    "format=APPLICATION/VND.PYPI.SIMPLE.V1%2bJSON": JSON,
    "format=application/vnd.pypi.simple.latest+json": JSON,
    "format=text/html": TEXT_HTML,
    "a=b&format=text/html&c": TEXT_HTML,
    "format=text/html&format=text/html": TEXT_HTML,
    "a=b": None,
    "formats=text/html": None,
}


@pytest.mark.parametrize("path", [LIST, PAGE])
@pytest.mark.parametrize("accept", [JSON, HTML, API, "application/xml;q=0.5, text/html;q=0.1"])
@pytest.mark.parametrize("query", IN_URL)
def test_a_form_in_the_url_beats_the_wish(
    dev: httpx.Client, query: str, accept: str, path: str
) -> None:
    answer = dev.get(f"{path}?{query}", headers={"Accept": accept})
    wished = accept if accept in {JSON, HTML, API} else TEXT_HTML
    assert answer.headers["Content-Type"].partition(";")[0] == (IN_URL[query] or wished)


@pytest.mark.parametrize("path", [LIST, PAGE])
@pytest.mark.parametrize(
    "query",
    [
        "format=",
        "format=json",
        "format=application/json",
        "format=*/*",
        "format=text/*",
        "format=text/html;q=0.5",
        "format=text/html&format=application/vnd.pypi.simple.v1%2Bjson",
        "format=%ff%fe",
        "format=" + "x" * 5_000,
    ],
)
def test_a_form_in_the_url_that_there_is_not_is_not_acceptable(
    dev: httpx.Client, query: str, path: str
) -> None:
    answer = dev.get(f"{path}?{query}", headers={"Accept": JSON})
    assert answer.status_code == 406
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert "?format=" in answer.json()["detail"]


def test_a_redirect_keeps_the_form_in_the_url(dev: httpx.Client) -> None:
    path = "/dev/stage/simple/Example?format=text/html"
    answer = dev.get(path, headers={"Accept": JSON}, follow_redirects=True)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


# Encodings


def raw(client: httpx.Client, accepted: str) -> tuple[httpx.Response, bytes]:
    """The page as it is sent to a client that accepts these encodings."""
    headers = {"Accept": JSON, "Accept-Encoding": accepted}
    with client.stream("GET", PAGE, headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


UNPACK = {
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
}


@pytest.mark.parametrize("encoding", UNPACK)
def test_a_page_is_sent_packed_to_who_takes_it_and_holds_the_same(
    dev: httpx.Client, encoding: str
) -> None:
    _, plain = raw(dev, "identity")
    answer, body = raw(dev, encoding)
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Content-Length"] == str(len(body))
    assert len(body) < len(plain)
    assert UNPACK[encoding](body) == plain


PIP_TAKES, UV_TAKES = "gzip, deflate", "gzip, deflate, zstd"
ENCODINGS = [
    (PIP_TAKES, "gzip"),
    (UV_TAKES, "zstd"),
    ("GZIP", "gzip"),
    ("x-gzip", "gzip"),
    ("deflate, gzip;q=0.5", "gzip"),
    ("zstd;q=0.5, gzip", "gzip"),
    ("zstd;q=0.5, gzip;q=0.501", "gzip"),
    ("zstd; q=0.7 , gzip;q=0.7", "zstd"),
    ("gzip;q=0.5, identity", None),
    ("gzip, identity", "gzip"),
    ("gzip;q=0.001", "gzip"),
    ("zstd;q=0, gzip", "gzip"),
    ("*", "gzip"),
    ("zstd, *;q=0.5", "zstd"),
    ("gzip;q=0.2, *;q=0.3", None),
    ("gzip;q=0", None),
    ("gzip; q=0.0", None),
    ("gzip;q=0, *", None),
    ("*, gzip;q=0", None),
    ("*;q=0, gzip", "gzip"),
    ("*;q=0, identity;q=0.1", None),
    ("identity;q=0, gzip", "gzip"),
    ("identity;q=0, zstd;q=0.1, br", "zstd"),
    ("identity", None),
    ("zstd, br", "zstd"),
    ("br, deflate, compress", None),
    ("gzip;q=2", None),
    ("gzip;q=x, zstd;quality=1", None),
    ("identity;q=0;q=1", None),
    (";;,,q=1", None),
    ("", None),
    ("x" * 10_000, None),
]


@pytest.mark.parametrize(("accepted", "encoding"), ENCODINGS)
def test_what_a_client_says_of_encodings_is_followed(
    dev: httpx.Client, accepted: str, encoding: str | None
) -> None:
    answer = dev.get(PAGE, headers={"Accept": JSON, "Accept-Encoding": accepted})
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("path", [LIST, PAGE])
@pytest.mark.parametrize(
    "accepted",
    ["identity;q=0", "*;q=0", "identity;q=0, br", "gzip;q=0, identity;q=0.000, zstd;q=0"],
)
def test_a_client_that_refuses_every_encoding_is_told(
    dev: httpx.Client, accepted: str, path: str
) -> None:
    for _ in range(2):  # built, then from memory
        answer = dev.get(path, headers={"Accept": JSON, "Accept-Encoding": accepted})
        assert answer.status_code == 406
        assert answer.headers["Vary"] == "Accept, Accept-Encoding"
        assert answer.json()["detail"].startswith("accept-encoding: ")
