"""B. Negotiation: items 12 to 25."""

import re
from urllib.parse import quote

import httpx
import pytest

from conformance.index import Index
from conformance.pages import FORMS, HTML, JSON, PIP, POETRY, TEXT_HTML, UV
from conformance.shelf import Shelf

LATEST_JSON = "application/vnd.pypi.simple.latest+json"
LATEST_HTML = "application/vnd.pypi.simple.latest+html"


@pytest.fixture(params=["list", "page"])
def path(request: pytest.FixtureRequest, shelf: Shelf) -> str:
    """The list of projects, and the page of one."""
    return "" if request.param == "list" else f"{shelf.name}/"


def media_type(answer: httpx.Response) -> str:
    """The Content-Type without its parameters."""
    assert answer.status_code == 200, answer.text
    return answer.headers["Content-Type"].partition(";")[0].strip()


def vary(answer: httpx.Response) -> set[str]:
    """The names in Vary, in lower case."""
    return set(re.findall(r"[\w-]+", answer.headers.get("Vary", "").lower()))


def test_012_json(index: Index, path: str) -> None:
    """[S] Accept of the JSON type: JSON with that Content-Type."""
    answer = index.get(path, JSON)
    assert media_type(answer) == JSON
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("accept", [HTML, TEXT_HTML])
def test_013_html(index: Index, path: str, accept: str) -> None:
    """[S] Accept `…v1+html`: that Content-Type; Accept `text/html`: `text/html`."""
    answer = index.get(path, accept)
    assert media_type(answer) == accept
    assert answer.text.lstrip().lower().startswith("<!doctype html>")


@pytest.mark.parametrize("accept", [None, "*/*"])
def test_014_no_wish(index: Index, path: str, accept: str | None) -> None:
    """[S] No Accept, and `*/*`: 200 with a Content-Type of the three."""
    assert media_type(index.get(path, accept)) in FORMS


@pytest.mark.parametrize("accept", [PIP, UV, POETRY], ids=["pip", "uv", "poetry"])
def test_015_accept_of_installers(index: Index, path: str, accept: str) -> None:
    """[S] The exact Accept strings of pip, uv and poetry: JSON."""
    assert media_type(index.get(path, accept)) == JSON


def test_016_quality_decides(index: Index, path: str) -> None:
    """[S] `…+json;q=0.1, text/html;q=0.9`: HTML; equal q: JSON."""
    assert media_type(index.get(path, f"{JSON};q=0.1, text/html;q=0.9")) == TEXT_HTML
    for accept in (f"{JSON};q=0.5, text/html;q=0.5", f"text/html, {JSON}", f"{HTML}, {JSON}"):
        assert media_type(index.get(path, accept)) == JSON


def test_017_quality_of_zero_excludes(index: Index, path: str) -> None:
    """[S] q=0 excludes: `…+json;q=0, */*` is not JSON."""
    for zero in ("0", "0.0", "0.000"):
        assert media_type(index.get(path, f"{JSON};q={zero}, */*")) in {HTML, TEXT_HTML}


def test_018_ranges(index: Index, path: str) -> None:
    """[s] `application/*`: a vendor type, and Content-Type tells which; `text/*`: text/html."""
    answer = index.get(path, "application/*")
    assert media_type(answer) in {JSON, HTML}
    is_json = answer.text.startswith("{")
    assert is_json == (media_type(answer) == JSON)
    assert media_type(index.get(path, "text/*")) == TEXT_HTML


def test_019_latest(index: Index, path: str) -> None:
    """[S] `…simple.latest+json`: Content-Type `…v1+json`, the real version."""
    assert media_type(index.get(path, LATEST_JSON)) == JSON
    assert media_type(index.get(path, LATEST_HTML)) == HTML


@pytest.mark.parametrize(
    "accept", ["application/xml", "image/png, application/json", f"{JSON}x", f"{JSON};q=0"]
)
def test_020_not_acceptable(index: Index, path: str, accept: str) -> None:
    """[s] Only unknown types: 406, never 300, never 500."""
    assert index.get(path, accept).status_code == 406


MALFORMED = [";;q=x", f"{JSON};q=x", "text/html;q=2", "a/b/c", ",,,", "*", "x" * 10_240]


@pytest.mark.parametrize("accept", MALFORMED, ids=range(len(MALFORMED)))
def test_021_malformed(index: Index, path: str, accept: str) -> None:
    """[s] A malformed Accept: the default or 406, never 500."""
    assert index.get(path, accept).status_code in {200, 406}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encode", [True, False], ids=["encoded", "plain"])
def test_022_format_beats_accept(index: Index, path: str, form: str, encode: bool) -> None:
    """[s] `?format=<type>` beats Accept; unknown: 406 or Accept; `%2B` is understood."""
    said = quote(form, safe="") if encode else form.replace("+", "%2B")
    other = JSON if form != JSON else TEXT_HTML
    assert media_type(index.get(f"{path}?format={said}", other)) == form
    unknown = index.get(f"{path}?format=application%2Fxml", JSON)
    assert unknown.status_code == 406 or media_type(unknown) == JSON


def test_023_vary(quiet: Index, path: str, shelf: Shelf) -> None:
    """[S] `Vary` has `Accept` on 200, 304 and 406, and `Accept-Encoding` where compressed."""
    whole = quiet.get(path, JSON)
    unchanged = quiet.get(path, JSON, If_None_Match=whole.headers["ETag"])
    refused = quiet.get(path, "application/xml")
    packed, _body = quiet.raw(f"{shelf.name}/", {"Accept": JSON, "Accept-Encoding": "gzip"})
    assert [whole.status_code, unchanged.status_code, refused.status_code] == [200, 304, 406]
    for answer in (whole, unchanged, refused, packed):
        assert "accept" in vary(answer)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "accept-encoding" in vary(packed)


def test_024_content_type(index: Index, path: str) -> None:
    """[S] Every simple answer has a Content-Type; that of JSON has no charset."""
    for accept in (*FORMS, None, "application/xml"):
        answer = index.get(path, accept)
        assert answer.headers["Content-Type"]
        if accept == JSON:
            assert answer.headers["Content-Type"] == JSON


@pytest.mark.parametrize("accept", FORMS)
def test_025_head(quiet: Index, path: str, accept: str) -> None:
    """[S] HEAD on simple pages: the headers of GET, no body."""
    headers = {"Accept": accept}
    got, asked = quiet.ask("GET", path, headers), quiet.ask("HEAD", path, headers)
    assert (got.status_code, asked.status_code) == (200, 200)
    assert asked.content == b""

    def told(answer: httpx.Response) -> dict[str, str]:
        # When it was answered, and which request it was, are of that answer alone.
        own = {"date", "x-request-id"}
        return {name: value for name, value in answer.headers.items() if name not in own}

    assert told(asked) == told(got)
