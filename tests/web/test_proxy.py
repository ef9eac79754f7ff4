"""Behind a reverse proxy: absolute URLs are those that clients use, links are relative."""

from collections.abc import Callable

import httpx
import pytest

from support.distributions import make_wheel
from support.site import BASE_URL, HTML, JSON, Site, basic, new_index, page, password_of, upload

OUTSIDE = "https://packages.example.org/team/index"
WHEEL = make_wheel("example", "1.0")
PROXY = "10.0.0.1"
OUR_HOSTS = ("stillroom.test",)
"""The name by which the clients of tests call the server, which is not that in OUTSIDE."""


def populated(site: Site) -> httpx.Client:
    """A client of `dev`, who has a file in dev/stage."""
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", acl_read=":ANONYMOUS:")
    upload(dev, "dev/stage", WHEEL)
    return dev


def urls_said(client: httpx.Client, prefix: str = "") -> set[str]:
    """The beginning, before /dev or /+login, of every absolute URL in all kinds of answers."""
    api = client.get(f"{prefix}/dev/stage/+api").json()["result"]
    release = client.get(f"{prefix}/dev/stage/example/1.0").json()["result"]
    locations = [
        client.get(f"{prefix}/dev/stage{path}", headers={"Accept": HTML}).headers["Location"]
        for path in ("", "/simple", "/simple/EXAMPLE", "/Example/")
    ]
    locations.append(client.get(f"{prefix}/dev/stage/pypi/EXAMPLE/json").headers["Location"])
    legacy = client.get(f"{prefix}/dev/stage/pypi/example/json").json()
    start = client.get(f"{prefix}/", headers={"Accept": "text/html"}).text
    pip = next(line for line in start.splitlines() if "pip install --index-url" in line)
    said = [
        api["login"].removesuffix("/+login"),
        *(api[key] for key in ("index", "simpleindex", "pypisubmit")),
        release["+links"][0]["href"],
        legacy["urls"][0]["url"],
        *(legacy["info"][key] for key in ("project_url", "release_url")),
        *locations,
        pip.split("--index-url ")[1],
    ]
    return {url.partition("/dev/")[0] for url in said}


def test_without_a_proxy_the_url_is_the_one_that_was_asked(site: Site) -> None:
    assert urls_said(populated(site)) == {BASE_URL}


@pytest.mark.parametrize("prefix", ["", "/team/index"])
@pytest.mark.parametrize("outside", [OUTSIDE, f"{OUTSIDE}/"])
def test_the_setting_says_the_url_whether_the_proxy_cuts_the_prefix_or_not(
    make_site: Callable[..., Site], outside: str, prefix: str
) -> None:
    dev = populated(make_site(outside_url=outside, hosts=OUR_HOSTS))
    assert urls_said(dev, prefix) == {OUTSIDE}


def test_the_setting_wins_over_what_a_proxy_says(make_site: Callable[..., Site]) -> None:
    site = make_site(outside_url=OUTSIDE, hosts=OUR_HOSTS, trusted_proxies=(PROXY,))
    populated(site)
    proxy = site.client(
        remote_addr=PROXY,
        **{"X-Forwarded-Host": "other.example.org", "X-Outside-URL": "https://x.example.org"},
    )
    assert urls_said(proxy) == {OUTSIDE}


REDIRECTS = {
    "/simple?a=b%2B&c": "/simple/?a=b%2B&c",
    "/+simple/Some__Project?format=text/html": "/+simple/some-project/?format=text/html",
    "/simple/example?x": "/simple/example/?x",
}


@pytest.mark.parametrize("prefix", ["", "/team/index"])
@pytest.mark.parametrize("path", REDIRECTS)
def test_a_redirect_leads_back_through_the_proxy_with_its_query(
    make_site: Callable[..., Site], path: str, prefix: str
) -> None:
    site = make_site(trusted_proxies=(PROXY,))
    populated(site)
    headers, _url = FORWARDED["all of it"]
    proxy = site.client(remote_addr=PROXY, **headers)
    for method in ("GET", "HEAD"):
        answer = proxy.request(method, f"{prefix}/dev/stage{path}", headers={"Accept": JSON})
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"{OUTSIDE}/dev/stage{REDIRECTS[path]}"
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("prefix", ["", "/team/index"])
def test_links_of_pages_are_relative_and_lead_back_under_the_prefix(
    make_site: Callable[..., Site], prefix: str
) -> None:
    site = make_site(outside_url=OUTSIDE, hosts=OUR_HOSTS)
    dev = populated(site)
    for accept in (JSON, HTML):
        path = f"{prefix}/dev/stage/simple/example/"
        for _ in range(2):  # built, then from memory
            text = dev.get(path, headers={"Accept": accept}).text
            assert "example.org" not in text
            assert "stillroom.test" not in text
    [file] = page(dev, "dev/stage", "example")["files"]
    link = httpx.URL(f"{BASE_URL}{prefix}/dev/stage/simple/example/").join(file["url"])
    assert dev.get(link).content == WHEEL.content


# What a trusted proxy may say

FORWARDED = {
    "all of it": (
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example.org",
         "X-Forwarded-Prefix": "/team/index"},
        OUTSIDE,
    ),
    "a prefix without slashes": (
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example.org",
         "X-Forwarded-Prefix": "team/index/"},
        OUTSIDE,
    ),
    "a port": (
        {"X-Forwarded-Host": "packages.example.org", "X-Forwarded-Port": "8443"},
        "http://packages.example.org:8443",
    ),
    "a port that goes without saying": (
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "packages.example.org",
         "X-Forwarded-Port": "443"},
        "https://packages.example.org",
    ),
    "a host with its port": (
        {"X-Forwarded-Host": "packages.example.org:81", "X-Forwarded-Port": "80"},
        "http://packages.example.org:81",
    ),
    "the nearest of several": (
        {"X-Forwarded-Host": "evil.example, packages.example.org",
         "X-Forwarded-Proto": "gopher, https"},
        "https://packages.example.org",
    ),
    "the whole URL, as devpi's nginx says it": ({"X-Outside-URL": OUTSIDE}, OUTSIDE),
    "no scheme of ours": ({"X-Forwarded-Proto": "javascript"}, BASE_URL),
    "nothing": ({"X-Forwarded-Host": "", "X-Forwarded-Prefix": "/"}, BASE_URL),
    "no URL": ({"X-Outside-URL": "packages"}, BASE_URL),
    "a URL that cannot be read": ({"X-Outside-URL": "https://[::1/"}, BASE_URL),
}  # fmt: skip


@pytest.mark.parametrize("what", FORWARDED)
def test_a_trusted_proxy_says_the_url(make_site: Callable[..., Site], what: str) -> None:
    headers, expected = FORWARDED[what]
    site = make_site(trusted_proxies=(PROXY,))
    populated(site)
    assert urls_said(site.client(remote_addr=PROXY, **headers)) == {expected}


@pytest.mark.parametrize("trusted", [(), ("10.0.0.2",)])
def test_from_anybody_else_such_headers_are_ignored(
    make_site: Callable[..., Site], trusted: tuple[str, ...]
) -> None:
    site = make_site(trusted_proxies=trusted)
    populated(site)
    for what, (headers, _expected) in FORWARDED.items():
        assert urls_said(site.client(remote_addr=PROXY, **headers)) == {BASE_URL}, what


def test_a_proxy_hands_over_the_credentials_of_its_client(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(trusted_proxies=(PROXY,))
    populated(site)
    client = site.client(
        remote_addr=PROXY,
        **{"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Prefix": "/team"},
        **basic("dev", password_of("dev")),
    )
    assert client.get("/team/dev").status_code == 200
    assert client.get("/dev").status_code == 200
    # Only a whole first step of the path is the prefix.
    assert client.get("/teamdev").status_code == 404
