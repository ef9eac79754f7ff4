"""Where pages are: redirects of names and slashes, and addresses that lead nowhere."""

from urllib.parse import urlsplit

import httpx
import pytest

from support.distributions import make_wheel
from support.site import API, HTML, JSON, Site, lasting_headers, upload

ROOT = "http://stillroom.test"


@pytest.fixture(scope="module")
def dev(shared_site: Site) -> httpx.Client:
    client = shared_site.user("dev")
    upload(client, "dev/stage", make_wheel("Some.Project"))
    return client


REDIRECTS = {
    "/dev/stage/simple": "/dev/stage/simple/",
    "/dev/stage/+simple": "/dev/stage/+simple/",
    "/dev/stage/simple/some-project": "/dev/stage/simple/some-project/",
    "/dev/stage/simple/Some.Project/": "/dev/stage/simple/some-project/",
    "/dev/stage/simple/SOME__project": "/dev/stage/simple/some-project/",
    "/dev/stage/+simple/Some_-.Project": "/dev/stage/+simple/some-project/",
    "/dev/stage/simple/Absent": "/dev/stage/simple/absent/",
    "/dev/stage": "/dev/stage/simple/",
    "/dev/stage/": "/dev/stage/simple/",
    "/dev/stage/some-project": "/dev/stage/simple/some-project/",
    "/dev/stage/Some.Project/": "/dev/stage/simple/some-project/",
}


@pytest.mark.parametrize("accept", [JSON, HTML, f"{JSON}, {HTML};q=0.1, text/html;q=0.01"])
@pytest.mark.parametrize("query", ["", "?a=b%2B&c"])
@pytest.mark.parametrize("path", REDIRECTS)
def test_one_redirect_that_nobody_keeps_leads_to_the_page(
    dev: httpx.Client, path: str, query: str, accept: str
) -> None:
    answer = dev.get(path + query, headers={"Accept": accept})
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{ROOT}{REDIRECTS[path]}{query}"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Accept" in answer.headers["Vary"]
    head = dev.head(path + query, headers={"Accept": accept})
    assert (head.status_code, head.content) == (302, b"")
    assert lasting_headers(head) == lasting_headers(answer)
    there = dev.get(answer.headers["Location"], headers={"Accept": accept})
    assert there.status_code == (404 if "bsent" in path else 200)


@pytest.mark.parametrize("path", ["/dev/stage", "/dev/stage/some-project", "/dev/stage/"])
def test_the_json_views_are_not_redirected(dev: httpx.Client, path: str) -> None:
    for accept in (API, "*/*", f"{API}, text/html;q=0.5"):
        assert dev.get(path, headers={"Accept": accept}).status_code == 200


BAD_NAMES = [
    "-a", "a-", ".a", "_", "a b", "é", "a\n", "a\r\nX: y", "\x00", "a\x00", "..", ".", "%",
    "a%2Fb", "a/../b", "a;b", "a\\b", "a?b", "a#b", "<script>", "a" * 201, "a" * 60_000, "+",
    "a+b", "'", '"', "{x}", "//evil.example", "\u202e", "\U0001f4a3",
]  # fmt: skip


@pytest.mark.parametrize("template", ["/dev/stage/simple/{}/", "/dev/stage/{}/", "/dev/stage/{}"])
@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_what_is_no_projects_name_is_not_found(
    dev: httpx.Client, name: str, template: str
) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())
    target = template.format(encoded).encode()
    for accept in (JSON, API):
        answer = dev.get("/", headers={"Accept": accept}, extensions={"target": target})
        assert answer.status_code in ({400, 404} if "\0" in name else {404}), answer.text


HOSTILE = [
    b"..", b"%2e%2e", b"%2E%2E%2F%2e%2e", b"..%2f..%2fetc%2fpasswd", b"%252e%252e", b"%2525",
    b"%5c..%5c", b"%00", b"%ff", b"%c0%ae%c0%ae", b"%ed%a0%80", b"%", b"%zz", b";", b";a=b",
    b"%3b", b"//", b"%2f%2f", b"%0d%0aX-Evil:%20yes", b"%1b[31m", b"+", b"%2b", b"a" * 64_000,
    b"\xe9", b"*", b"~", b"{user}", b"%7Buser%7D", b"?%ff=%fe", b"?%00", b"?a=%zz&&=", b"#",
    b"%23",
]  # fmt: skip
PLACES = [
    b"/%s", b"/%s/", b"/dev/%s", b"/dev/stage/%s", b"/dev/stage/simple/%s",
    b"/dev/stage/+simple/%s/", b"/dev/stage/+f/%s/x/y", b"/dev/stage/+f/some-project/%s/x",
    b"/dev/stage/+f/some-project/-/%s", b"/dev/stage/some-project/%s", b"/dev/+tokens/%s",
    b"/+%s", b"/dev/stage/simple/some-project/%s",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.decode())
def test_no_address_ends_in_an_error_of_ours_or_leads_elsewhere(
    shared_site: Site, dev: httpx.Client, place: bytes
) -> None:
    for target in (place % piece for piece in HOSTILE):
        for client in (dev, shared_site.anonymous):
            for method in ("GET", "HEAD", "PATCH"):
                answer = client.request(method, "/", extensions={"target": target})
                assert answer.status_code < 500, target
                assert "X-Evil" not in answer.headers
                location = urlsplit(answer.headers.get("Location", ROOT))
                assert f"{location.scheme}://{location.netloc}" == ROOT, target
    assert dev.get("/dev/stage/simple/some-project/", headers={"Accept": JSON}).is_success
