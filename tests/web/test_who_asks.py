"""The address of who asks and the name of the request, whatever proxies and clients say."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from stillroom_server.web.proxy import BehindProxies
from support.site import BASE_URL, HTML, Site, basic, password_of

TRUSTED = ("10.0.0.0/8", "127.0.0.1", "2001:db8::/32")
PROXY = "10.0.0.1"
CLIENT = "192.0.2.7"


def seen(remote: str = PROXY, **fields: str) -> dict[str, Any]:
    """The environ of a request behind the middleware; `fields` are headers."""
    environs: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environs.append(environ)
        start_response("204 No Content", [])
        return []

    middleware = BehindProxies(application, outside_url=None, trusted_proxies=TRUSTED)
    headers = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
    environ = {"REMOTE_ADDR": remote, "PATH_INFO": "/", "REQUEST_METHOD": "GET", **headers}
    list(middleware(environ, lambda *_: None))
    return environs[0]


CHAINS = {
    "nobody else": ("", PROXY),
    "the client": (CLIENT, CLIENT),
    "one who forges a chain": (f"198.51.100.1, {CLIENT}", CLIENT),
    "one who forges one of ours": (f"10.9.9.9, {CLIENT}", CLIENT),
    "two proxies": (f"{CLIENT}, 10.0.0.2", CLIENT),
    "two proxies, and a forged chain": (f"198.51.100.1, {CLIENT}, 10.0.0.2, 10.1.1.1", CLIENT),
    "proxies only": ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
    "a port": (f"{CLIENT}:4711", CLIENT),
    "IPv6": ("2001:db9::7", "2001:db9::7"),
    "IPv6 with a port": ("[2001:db9::7]:4711", "2001:db9::7"),
    "IPv6 of a trusted network": (f"{CLIENT}, 2001:db8::9", CLIENT),
    "IPv4 in IPv6": (f"::ffff:{CLIENT}", CLIENT),
    "what is no address": ("unknown", PROXY),
    "what is no address, before": (f"unknown, {CLIENT}", CLIENT),
    "what is no address, between": (f"{CLIENT}, _hidden, 10.0.0.2", "10.0.0.2"),
    "nothing between commas": (f"{CLIENT},,", PROXY),
    "markup": ("<script>", PROXY),
    "a NUL": (f"{CLIENT}\0", PROXY),
    "a number": ("3221225991", PROXY),
    "much": ("1" * 10_000, PROXY),
}


@pytest.mark.parametrize("what", CHAINS)
def test_behind_trusted_proxies_the_client_is_the_nearest_that_is_not(what: str) -> None:
    chain, expected = CHAINS[what]
    assert seen(x_forwarded_for=chain)["REMOTE_ADDR"] == expected


@pytest.mark.parametrize("remote", ["192.0.2.1", "11.0.0.1", "2001:db9::1", "::ffff:192.0.2.1"])
def test_of_anybody_else_the_address_is_that_of_the_connection(remote: str) -> None:
    environ = seen(remote, x_forwarded_for=CLIENT, x_request_id="forged")
    assert environ["REMOTE_ADDR"] == remote.removeprefix("::ffff:")
    assert environ["stillroom.request_id"] != "forged"


@pytest.mark.parametrize("remote", ["::ffff:10.0.0.1", "2001:db8::5", "127.0.0.1"])
def test_a_network_holds_its_addresses_however_they_are_written(remote: str) -> None:
    assert seen(remote, x_forwarded_for=CLIENT)["REMOTE_ADDR"] == CLIENT


@pytest.mark.parametrize("remote", ["", "localhost", "unix:", "<x>"])
def test_the_address_is_always_one(remote: str) -> None:
    assert seen(remote, x_forwarded_for=CLIENT)["REMOTE_ADDR"] == "0.0.0.0"


# Malformed words of a proxy

WORDS = [
    "",
    " ",
    "\0",
    "\xff",
    "a b",
    "a/b",
    "<a>",
    "a:99999",
    "[::1",
    "http://",
    "/%ff",
    "?",
    "#",
]
WORDS_OF_A_PATH = {"a b", "a/b", "<a>", "a:99999", "[::1", "http://"}
"""They are odd, and a path may have them."""
FIELDS = ["forwarded", "x_forwarded_for", "x_forwarded_host", "x_forwarded_port",
          "x_forwarded_prefix", "x_forwarded_proto", "x_outside_url", "x_request_id"]  # fmt: skip


@pytest.mark.parametrize("word", WORDS, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_what_a_proxy_says_malformed_is_as_if_it_were_not_said(
    make_site: Callable[..., Site], field: str, word: str
) -> None:
    site = make_site(trusted_proxies=TRUSTED)
    proxy = site.client(remote_addr=PROXY)
    is_path = field == "x_forwarded_prefix" and word in WORDS_OF_A_PATH
    prefix = quote(word, safe="/:") if is_path else ""
    name = field.replace("_", "-").encode()
    # In bytes, because httpx takes no text that is not ASCII.
    answer = proxy.get("/+api", headers=[(name, word.encode("latin-1"))])
    assert answer.status_code == 200
    root = f"{BASE_URL}/{prefix}".rstrip("/")
    assert answer.json()["result"]["login"] == f"{root}/+login"


PREFIXES = ["/caf%C3%A9", "/a%20b", "/a/b", "caf%C3%A9/"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("how", ["outside_url", "X-Outside-URL", "X-Forwarded-Prefix"])
def test_an_encoded_prefix_is_encoded_once(
    make_site: Callable[..., Site], how: str, prefix: str
) -> None:
    url = f"http://stillroom.test/{prefix.strip('/')}"
    settings = {"outside_url": url} if how == "outside_url" else {"trusted_proxies": TRUSTED}
    site = make_site(**settings)
    said = {"X-Outside-URL": url, "X-Forwarded-Prefix": prefix}
    headers = {how: said[how]} if how in said else {}
    login = basic("root", password_of("root"))
    proxy = site.client(remote_addr=PROXY, **headers, **login)
    for path in (f"/{prefix.strip('/')}/root/pypi/simple", "/root/pypi/simple"):
        answer = proxy.get(path, headers={"Accept": HTML})
        assert answer.status_code == 302, answer.text
        assert answer.headers["Location"] == f"{url}/root/pypi/simple/"


# Names of requests


@pytest.mark.parametrize("name", ["a", "A-1._", "f" * 64])
def test_a_trusted_proxy_names_the_request(make_site: Callable[..., Site], name: str) -> None:
    proxy = make_site(trusted_proxies=TRUSTED).client(remote_addr=PROXY, **{"X-Request-ID": name})
    for path in ("/+api", "/absent", "/dev/absent/simple/x/"):
        assert proxy.get(path).headers["X-Request-ID"] == name


@pytest.mark.parametrize("name", ["", "a b", "f" * 65, "a\nb", "é", "a;b", '"a"'])
def test_a_name_that_is_none_is_replaced(name: str) -> None:
    given = seen(x_request_id=name)["stillroom.request_id"]
    assert len(given) == 16
    assert set(given) <= set("0123456789abcdef")


def test_every_request_has_a_name_of_its_own(site: Site) -> None:
    names = {site.anonymous.get("/+api").headers["X-Request-ID"] for _ in range(20)}
    assert len(names) == 20


def test_the_log_names_the_request_that_failed(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(site.services.users, "all", fail)
    with caplog.at_level(logging.ERROR):
        answer = site.anonymous.get("/")
    assert answer.status_code == 500
    assert f"[{answer.headers['X-Request-ID']}] GET '/'" in caplog.text
