"""Attestations on pages: an absolute URL for who reaches the server by a secure origin."""

import json
from collections.abc import Callable
from typing import Any

import html5lib
import httpx
import pytest
from pyramid.router import Router

from stillroom_server.testing import LocalUpstream
from stillroom_server.web import simple
from support.distributions import make_wheel
from support.site import HTML, JSON, Site, file_url, lasting_headers
from support.wsgi import WsgiTransport

WHEEL = make_wheel("example", "1.0")
PLAIN = make_wheel("example", "2.0")
PAGE = "/root/pypi/simple/example/"
DOCUMENT = {"version": 1, "attestation_bundles": []}
PATH = f"{file_url('root/pypi', 'example', WHEEL)}.provenance"
PROXY = "10.0.0.1"


@pytest.fixture
def site(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi mirrors a file with attestations, and one without."""
    upstream.add(WHEEL, provenance=DOCUMENT)
    upstream.add(PLAIN)
    return make_site(upstream_url=upstream.url, trusted_proxies=(PROXY,))


def at(site: Site, url: str) -> httpx.Client:
    """A client that reaches the server under this URL."""
    return httpx.Client(transport=WsgiTransport(site.application), base_url=url)


def rows(client: httpx.Client, **headers: str) -> dict[str, dict[str, Any]]:
    answer = client.get(PAGE, headers={"Accept": JSON, **headers})
    assert answer.status_code == 200, answer.text
    return {file["filename"]: file for file in answer.json()["files"]}


SECURE = [
    "https://packages.example.org",
    "https://packages.example.org:8443",
    "https://[2001:db8::1]",
    "http://localhost:3141",
    "http://127.0.0.1:3141",
    "http://127.8.9.10",
    "http://[::1]:3141",
    "http://index.localhost",
]
OPEN = [
    "http://packages.example.org",
    "http://192.0.2.1:3141",
    "http://[2001:db8::1]",
    "http://localhost.example.org",
    "http://127.0.0.1.example.org",
    "http://notlocalhost",
]


@pytest.mark.parametrize("origin", SECURE)
def test_a_secure_origin_gets_the_url_of_the_attestations(site: Site, origin: str) -> None:
    client = at(site, origin)
    for _ in range(2):  # built, then from memory
        shown = rows(client)
        assert shown[WHEEL.filename]["provenance"] == f"{origin}{PATH}"
        assert "provenance" not in shown[PLAIN.filename]
    document = client.get(PAGE, headers={"Accept": HTML}).text
    links = html5lib.parse(document, namespaceHTMLElements=False).iter("a")
    said = {link.text: link.get("data-provenance") for link in links}
    assert said == {WHEEL.filename: f"{origin}{PATH}", PLAIN.filename: None}
    assert client.get(shown[WHEEL.filename]["provenance"]).json() == DOCUMENT


@pytest.mark.parametrize("origin", OPEN)
def test_over_an_open_network_there_is_none(site: Site, origin: str) -> None:
    client = at(site, origin)
    for accept in (JSON, HTML):
        for _ in range(2):
            assert "provenance" not in client.get(PAGE, headers={"Accept": accept}).text


def test_each_origin_gets_its_own_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_all() -> dict[str, httpx.Response]:
        return {url: at(site, url).get(PAGE, headers={"Accept": JSON}) for url in SECURE + OPEN}

    ask_all()
    first = ask_all()

    def unreachable(*_args: object) -> None:
        raise AssertionError("this request went past the gate")

    monkeypatch.setattr(Router, "__call__", unreachable)
    again = ask_all()
    for origin, answer in again.items():
        assert answer.content == first[origin].content
        assert lasting_headers(answer) == lasting_headers(first[origin])
    # All open origins have one and the same.
    assert len({answer.headers["ETag"] for answer in again.values()}) == len(SECURE) + 1


def test_behind_a_proxy_it_is_the_url_that_clients_use(site: Site) -> None:
    said = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "packages.example.org",
        "X-Forwarded-Prefix": "/team/a b",
    }
    proxy = site.client(remote_addr=PROXY)
    for accept in (JSON, HTML):
        text = proxy.get(PAGE, headers={"Accept": accept, **said}).text
        assert f'"https://packages.example.org/team/a%20b{PATH}"' in text
    # From anybody else it is not believed.
    assert "provenance" not in json.dumps(rows(site.client(remote_addr="10.0.0.2"), **said))


HOSTILE = [
    'evil"><script>', "evil\\", "a b", "user@packages.example.org", "packages.example.org/x",
    "packages.example.org?x", "[::1", "]", ":", ":80", "a:b", "a:999999", "é", "", "é" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTILE)
def test_a_host_that_is_none_is_refused_and_not_repeated(site: Site, host: str) -> None:
    client = at(site, "https://packages.example.org")
    for accept in (JSON, HTML):
        headers = {"Accept": accept, "Host": host.encode("latin-1")}
        answer = client.get(PAGE, headers=headers)
        assert answer.status_code == 400
        assert "Host: it is not a host name or address." in answer.text


def test_a_page_without_attestations_is_built_once_whatever_the_server_is_called(
    site: Site, upstream: LocalUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_wheel("plain", "1.0")
    upstream.add(other)
    for _ in range(2):  # the first one tells that the mirror has something new
        assert at(site, SECURE[0]).get("/root/pypi/simple/plain/", headers={"Accept": JSON})
    built = []
    render = simple.project_json
    monkeypatch.setattr(simple, "project_json", lambda *a: built.append(a) or render(*a))
    for url in (*SECURE, *OPEN):
        page = at(site, url).get("/root/pypi/simple/plain/", headers={"Accept": JSON})
        assert page.status_code == 200
    assert built == []
    # The first attestations of the project are seen by all, each under their own name.
    upstream.add(other, provenance=DOCUMENT)
    site.root.post("/root/pypi/simple/plain/refresh")
    for _ in range(2):
        for url in SECURE[:2]:
            page = at(site, url).get("/root/pypi/simple/plain/", headers={"Accept": JSON})
            assert page.json()["files"][0]["provenance"].startswith(url)
        page = at(site, OPEN[0]).get("/root/pypi/simple/plain/", headers={"Accept": JSON})
        assert "provenance" not in page.json()["files"][0]
