"""Rows P-11 and P-18 to P-21: where an upstream may lead us, and what it gets to hear."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from faults.asking import Authority, arrives, ask
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from stillroom_server.testing import (
    LocalUpstream,
    basic_authorization,
    bearer_authorization,
)
from support.databases import SqliteTemplate
from support.distributions import make_wheel
from support.servers import ServerProcess
from support.site import JSON, Site, faulty_fields, file_url, filenames, new_index, new_site, page

WHEEL = make_wheel("example", "1.0")
PAGE = "/simple/example/"
WHAT = pytest.mark.parametrize("pattern", [PAGE, "/files/*.whl"], ids=["page", "file"])


@pytest.fixture
def other() -> Iterator[LocalUpstream]:
    """Another host, as far as a client can see: another port."""
    with LocalUpstream() as running:
        running.add(WHEEL)
        yield running


@pytest.fixture(autouse=True)
def _example(upstream: LocalUpstream) -> None:
    upstream.add(WHEEL)


def outcome(site: Site, pattern: str) -> httpx.Response:
    """The answer for the page, or for the file of a page that is in order."""
    if pattern == PAGE:
        return ask(site)
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    return site.root.get(file_url("root/pypi", "example", WHEEL))


# P-11: redirects


@WHAT
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_p11_a_redirect_to_another_host_that_may_be_asked_is_followed(
    site: Site, upstream: LocalUpstream, other: LocalUpstream, pattern: str, status: int
) -> None:
    target = other.root + (PAGE if pattern == PAGE else f"/files/{WHEEL.sha256}/{WHEEL.filename}")
    upstream.fault(pattern, redirect=target, status=status)
    answer = outcome(site, pattern)
    assert answer.status_code == 200
    assert len(other.requests) == 1


@WHAT
@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/simple/",
        "gopher://127.0.0.1/",
        "unix:///run/x.sock",
        "data:text/plain,x",
        "javascript:alert(1)",
        "//[::1",
        "http://",
        "http://xn--/",
        f"/simple/example?{'x' * 5_000}",  # which is there
        f"{PAGE}?{'x' * 100_000}",
    ],
    ids=lambda target: target[:12],
)
def test_p11_a_redirect_that_leads_nowhere_is_refused(
    site: Site, upstream: LocalUpstream, pattern: str, target: str
) -> None:
    upstream.fault(pattern, redirect=target)
    answer = outcome(site, pattern)
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()
    assert "root:" not in answer.text


@WHAT
def test_p11_a_long_way_of_redirects_is_left_after_five(
    site: Site, upstream: LocalUpstream, pattern: str
) -> None:
    for hop in range(30):
        upstream.fault(f"/hop/{hop}", redirect=f"/hop/{hop + 1}")
    upstream.fault(pattern, redirect="/hop/0")
    answer = outcome(site, pattern)
    assert answer.status_code == 502
    assert "/hop/4" in upstream.paths  # the fifth redirect leads there
    assert "/hop/5" not in upstream.paths


@WHAT
def test_p11_a_redirect_from_https_to_http_is_refused(
    make_site: Callable[..., Site],
    other: LocalUpstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    with LocalUpstream(certificate=authority.issue("localhost")) as secure:
        secure.add(WHEEL)
        site = make_site(upstream_url=secure.url)
        secure.fault(pattern, redirect=f"{other.root}{PAGE}")
        answer = outcome(site, pattern)
        assert answer.status_code == 502
        assert "https to http" in answer.text
        assert other.connections == 0


# P-18: addresses that an index may not have

REFUSED_URLS = [
    "http://169.254.169.254/simple/",
    "http://[::1]/simple/",
    "http://0x7f.1/simple/",
    "http://2130706433/simple/",
    "http://0177.0.0.1/simple/",
    "http://127.1/simple/",
    "http://localhost./simple/",
    "http://LOCALHOST/simple/",
    "http://a.localhost/simple/",
    "http://[::ffff:127.0.0.1]/simple/",
    "http://[::ffff:7f00:1]/simple/",
    "http://[64:ff9b::10.0.0.1]/simple/",
    "http://[2002:7f00:1::]/simple/",
    "http://[fe80::1]/simple/",
    "http://[fd00::1]/simple/",
    "http://10.0.0.1/simple/",
    "http://172.16.0.1/simple/",
    "http://192.168.0.1/simple/",
    "http://100.64.0.1/simple/",
    "http://0.0.0.0/simple/",
    "http://[::]/simple/",
    "http://224.0.0.1/simple/",
    "http://255.255.255.255/simple/",
    "http://①②⑦.0.0.1/simple/",
    "http://xn--/simple/",
    "http://index.example/a/../simple/",
    "http://index.example/a/%2e%2e/simple/",
    "gitlab:index.example/1%2f..%2f2",
    "unix:///run/x.sock",
    "gopher://index.example/simple/",
    "file:///etc/passwd",
]


@pytest.fixture(scope="module")
def strict_site(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site whose mirrors may not look inside, for requests that change nothing."""
    folder = tmp_path_factory.mktemp("strict")
    database = SqlDatabase(sqlite_template.copy_to(folder / "stillroom.sqlite"))
    store = DiskBlobStore.create(folder / "blobs")
    with new_site(database, store, private_upstreams=()) as site:
        yield site
    database.close()


@pytest.mark.parametrize("url", REFUSED_URLS)
@pytest.mark.parametrize("option", ["mirror_url", "mirror_fallback_urls"])
def test_p18_an_address_inside_or_of_another_kind_cannot_be_configured(
    strict_site: Site, url: str, option: str
) -> None:
    options = {"type": "mirror", "mirror_url": "http://index.example/simple/"} | {option: url}
    with strict_site.unchanged():
        created = strict_site.root.put("/root/new", json=options)
        changed = strict_site.root.patch("/root/pypi", json=[f"{option}={url}"])
    for answer in (created, changed):
        assert faulty_fields(answer) == {option}


def test_p18_a_public_address_and_an_allowed_one_can_be_configured(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(private_upstreams=("10.1.0.0/16", "files.internal.example:8080"))
    for number, host in enumerate(("192.0.2.7", "index.example", "10.1.2.3")):
        url = f"http://{host}/simple/"
        new_index(site.root, f"root/good{number}", type="mirror", mirror_url=url)
    bad = {"type": "mirror", "mirror_url": "http://10.2.0.1/simple/"}
    assert faulty_fields(site.root.put("/root/bad", json=bad)) == {"mirror_url"}


# P-19, P-20: addresses that come later


class Resolver:
    """Answers for `index.example`, a list of addresses for each look-up; the last one stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[list[str]] = []
        self.lookups = 0
        self.tried: list[str] = []
        self._resolve, self._connect = socket.getaddrinfo, socket.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(socket, "create_connection", self.create_connection)

    def getaddrinfo(self, host: str, *arguments: object, **options: object) -> list[object]:
        if host != "index.example":
            return self._resolve(host, *arguments, **options)
        found = self.answers[min(self.lookups, len(self.answers) - 1)]
        self.lookups += 1
        return [a for address in found for a in self._resolve(address, *arguments, **options)]

    def create_connection(self, address: tuple[str, int], *arguments: object, **options: object):
        """Connect on this machine only: there is no way to anywhere else."""
        self.tried.append(address[0])
        if not address[0].startswith("127."):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return self._connect(address, *arguments, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    return Resolver(monkeypatch)


def named_site(
    make_site: Callable[..., Site], upstream: LocalUpstream, **settings: object
) -> Site:
    """A site whose root/pypi has its upstream by name."""
    url = f"http://index.example:{upstream.port}/simple/"
    return make_site(upstream_url=url, private_upstreams=())


def test_p19_a_name_that_leads_inside_at_the_second_look_up_is_refused(
    make_site: Callable[..., Site], upstream: LocalUpstream, resolver: Resolver
) -> None:
    resolver.answers = [["192.0.2.1"], ["127.0.0.1"]]
    site = named_site(make_site, upstream)

    first = ask(site)
    # One look-up, and the connection went to the address that was looked at.
    assert (first.status_code, resolver.lookups, resolver.tried) == (502, 1, ["192.0.2.1"])
    second = ask(site, "other")

    assert second.status_code == 502
    assert "private_upstreams" in second.text
    assert resolver.tried == ["192.0.2.1"]
    assert upstream.connections == 0


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1", "169.254.169.254", "10.0.0.1", "fd00::1"])
def test_p19_of_several_addresses_those_inside_are_never_connected_to(
    make_site: Callable[..., Site], upstream: LocalUpstream, resolver: Resolver, inside: str
) -> None:
    resolver.answers = [["192.0.2.1", inside]]
    assert ask(named_site(make_site, upstream)).status_code == 502
    assert set(resolver.tried) <= {"192.0.2.1"}
    assert upstream.connections == 0


@WHAT
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "index.example", "0x7f.1"])
def test_p20_a_redirect_from_an_allowed_host_to_one_inside_is_refused(
    make_site: Callable[..., Site],
    upstream: LocalUpstream,
    other: LocalUpstream,
    resolver: Resolver,
    pattern: str,
    host: str,
) -> None:
    resolver.answers = [["127.0.0.1"]]
    allowed = (f"127.0.0.1:{upstream.port}",)
    site = make_site(upstream_url=upstream.url, private_upstreams=allowed)
    upstream.fault(pattern, redirect=f"http://{host}:{other.port}{PAGE}")

    answer = outcome(site, pattern)

    assert answer.status_code == 502
    assert "private_upstreams" in answer.text
    assert other.connections == 0


def test_p20_a_link_to_a_file_inside_is_refused(
    make_site: Callable[..., Site], upstream: LocalUpstream, other: LocalUpstream
) -> None:
    upstream.add(WHEEL, row={"url": other.file_url(WHEEL)})
    allowed = (f"127.0.0.1:{upstream.port}",)
    site = make_site(upstream_url=upstream.url, private_upstreams=allowed)
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    path = file_url("root/pypi", "example", WHEEL)
    for url in (path, f"{path}.metadata"):
        assert site.root.get(url).status_code == 502
    assert other.connections == 0


# P-11: links to files

EXTERNAL = pytest.mark.parametrize("external", [False, True], ids=["kept", "redirected"])


@EXTERNAL
def test_p11_a_link_to_a_host_that_cannot_be_is_dropped_and_the_page_stays(
    site: Site, upstream: LocalUpstream, external: bool
) -> None:
    site.root.patch("/root/pypi", json=[f"mirror_use_external_urls={external}"])
    bad = make_wheel("example", "2.0")
    upstream.add(bad, row={"url": f"http://xn--/{bad.filename}", "core-metadata": False})
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert site.root.get(file_url("root/pypi", "example", bad)).status_code == 404


def test_p11_a_link_that_is_not_ascii_is_handed_on_encoded(
    site: Site, upstream: LocalUpstream
) -> None:
    site.root.patch("/root/pypi", json=["mirror_use_external_urls=True"])
    upstream.add(WHEEL, row={"url": f"{upstream.root}/☃/{WHEEL.filename}"})
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    answer = site.root.get(file_url("root/pypi", "example", WHEEL))
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{upstream.root}/%E2%98%83/{WHEEL.filename}"


# P-21: credentials

SECRET = "canary-7f3a9c51"
ENCODED = basic_authorization("reader", SECRET).removeprefix("Basic ")


@pytest.mark.parametrize("option", ["mirror_url", "mirror_fallback_urls"])
def test_p21_credentials_in_the_url_of_a_mirror_are_refused_and_not_repeated(
    site: Site, caplog: pytest.LogCaptureFixture, option: str
) -> None:
    url = f"https://reader:{SECRET}@index.example/simple/"
    options = {"type": "mirror", "mirror_url": "https://index.example/simple/"} | {option: url}
    with site.unchanged():
        answer = site.root.put("/root/new", json=options)
    assert faulty_fields(answer) == {option}
    assert SECRET not in answer.text + caplog.text


FORMS = pytest.mark.parametrize(
    ("user", "authorization"),
    [
        ("reader", basic_authorization("reader", SECRET)),
        ("", bearer_authorization(SECRET)),
    ],
    ids=["basic", "bearer"],
)


@FORMS
@pytest.mark.parametrize("given_by", ["setting", "file"])
def test_p21_credentials_are_sent_to_their_upstream_for_pages_and_files(
    make_site: Callable[..., Site],
    upstream: LocalUpstream,
    tmp_path: Path,
    user: str,
    authorization: str,
    given_by: str,
) -> None:
    upstream.authorization = authorization
    url = f"http://{user}:{SECRET}@127.0.0.1:{upstream.port}/simple/"
    file = tmp_path / "credentials"
    file.write_text(f"# for the mirror\n\n{url}\n")
    file.chmod(0o600)
    given = {"upstream_credentials": (url,)}
    if given_by == "file":
        given = {"upstream_credentials_file": str(file)}
    site = make_site(upstream_url=upstream.url, **given)

    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert arrives(site, WHEEL)


def credentialed(make_site: Callable[..., Site], upstream: LocalUpstream, **more: object) -> Site:
    """A site that has credentials for the upstream."""
    upstream.authorization = basic_authorization("reader", SECRET)
    url = f"http://reader:{SECRET}@127.0.0.1:{upstream.port}/simple/"
    return make_site(upstream_url=upstream.url, upstream_credentials=(url,), **more)


@WHAT
def test_p21_credentials_do_not_follow_a_redirect_to_another_host(
    make_site: Callable[..., Site], upstream: LocalUpstream, other: LocalUpstream, pattern: str
) -> None:
    site = credentialed(make_site, upstream)
    target = PAGE if pattern == PAGE else f"/files/{WHEEL.sha256}/{WHEEL.filename}"
    upstream.fault(pattern, redirect=f"{other.root}{target}")
    assert outcome(site, pattern).status_code == 200
    [request] = other.requests
    assert "authorization" not in request.headers
    assert SECRET not in str(request.headers)
    assert ENCODED not in str(request.headers)


def test_p21_credentials_are_not_sent_to_another_host_of_files(
    make_site: Callable[..., Site], upstream: LocalUpstream, other: LocalUpstream
) -> None:
    upstream.add(WHEEL, row={"url": other.file_url(WHEEL)})
    site = credentialed(make_site, upstream)
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert arrives(site, WHEEL)
    assert other.requests
    assert all("authorization" not in request.headers for request in other.requests)


def test_p21_credentials_are_not_sent_to_another_mirror(
    make_site: Callable[..., Site], upstream: LocalUpstream, other: LocalUpstream
) -> None:
    site = credentialed(make_site, upstream)
    new_index(site.root, "root/other", type="mirror", mirror_url=other.url)
    assert page(site.root, "root/other", "example")["files"]
    assert all("authorization" not in request.headers for request in other.requests)


def test_p21_wrong_credentials_are_a_bad_gateway_that_names_the_setting(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    site = credentialed(make_site, upstream)
    upstream.authorization = basic_authorization("reader", "changed")
    answer = ask(site)
    assert answer.status_code == 502
    assert "upstream_credentials" in answer.text
    assert SECRET not in answer.text


def test_p21_credentials_are_in_no_answer_no_log_and_no_file(
    upstream: LocalUpstream, tmp_path: Path
) -> None:
    upstream.authorization = basic_authorization("reader", SECRET)
    url = f"http://reader:{SECRET}@127.0.0.1:{upstream.port}/simple/"
    settings = {"public_index": upstream.url, "upstream_credentials": url, "log_level": "debug"}
    with ServerProcess(tmp_path / "data", **settings) as server, closing(server.login()) as root:
        root.headers["Accept"] = f"{JSON}, application/json"
        assert root.get("/root/pypi/simple/example/").status_code == 200
        assert root.get(file_url("root/pypi", "example", WHEEL)).content == WHEEL.content
        upstream.authorization = basic_authorization("reader", "changed")
        upstream.fault("/simple/moved/", redirect="file:///x")
        refused = [root.get(f"/root/pypi/simple/{name}/") for name in ("other", "moved")]
        assert {answer.status_code for answer in refused} == {502}
        shown = [root.get(path) for path in ("/+api", "/+status", "/root", "/root/pypi")]
        said = "".join(str(a.headers) + a.text for a in [*refused, *shown])
    assert upstream.url in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert server.log in files
    for text in (said.encode(), *(path.read_bytes() for path in files)):
        assert SECRET.encode() not in text
        assert ENCODED.encode() not in text
