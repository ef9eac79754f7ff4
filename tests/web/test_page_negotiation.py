"""Which form of a page a client gets, and in which encoding."""

import gzip

import httpx
import pytest

from support.distributions import make_wheel
from support.site import HTML, JSON, Site, upload

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


# Encodings


def test_gzip_is_sent_to_who_takes_it_and_holds_the_same(dev: httpx.Client) -> None:
    plain = dev.get(PAGE, headers={"Accept": JSON, "Accept-Encoding": "identity"}).content
    with dev.stream("GET", PAGE, headers={"Accept": JSON, "Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Length"] == str(len(raw))
    assert len(raw) < len(plain)
    assert gzip.decompress(raw) == plain


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("deflate, gzip;q=0.5", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", None),
        ("gzip; q=0.0", None),
        ("gzip;q=0, *", None),
        ("*, gzip;q=0", None),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("identity", None),
        ("zstd, br", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_what_a_client_says_of_encodings_is_followed(
    dev: httpx.Client, accepted: str, encoding: str | None
) -> None:
    answer = dev.get(PAGE, headers={"Accept": JSON, "Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in answer.headers["Vary"]
