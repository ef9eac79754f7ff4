"""Pages of mirrors: kept, confirmed, served stale, and refused only where nothing is kept."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import pytest

from stillroom_server.testing import UPLOAD_TIME, LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.mirroring import ASKED, NEWER, PATH, WHEEL, ask, expire, short_memories
from support.site import HTML, JSON, Site, file_url, filenames, new_index, page, upload

SDIST = make_sdist("example", "1.0")


@pytest.fixture
def site(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi mirrors an upstream with `example`; its pages expire at once."""
    upstream.add(WHEEL)
    site = make_site(upstream_url=upstream.url)
    expire(site, 0)
    return site


# What is on them


@pytest.mark.parametrize("forms", [("json",), ("html",)])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_page_says_what_the_upstream_says(
    make_site: Callable[..., Site], forms: tuple[str, ...], absolute: bool
) -> None:
    with LocalUpstream(forms=forms, absolute_urls=absolute) as upstream:
        upstream.add(WHEEL, yanked='"bad" <b>')
        upstream.add(SDIST, core_metadata=False)
        site = make_site(upstream_url=upstream.url)
        wheel, sdist = page(site.anonymous, "root/pypi", "example")["files"]
        assert (wheel["filename"], sdist["filename"]) == (WHEEL.filename, SDIST.filename)
        assert wheel["hashes"] == {"sha256": WHEEL.sha256}
        assert (wheel["yanked"], sdist["yanked"]) == ('"bad" <b>', False)
        assert wheel["requires-python"] == ">=3.8"
        assert (bool(wheel["core-metadata"]), sdist["core-metadata"]) == (True, False)
        if forms == ("json",):
            assert wheel["size"] == len(WHEEL.content)
            assert wheel["upload-time"] == UPLOAD_TIME
            assert "_upload-time-source" not in wheel
        else:
            assert "size" not in wheel
            assert wheel["_upload-time-source"] == "first-seen"
        for distribution in (WHEEL, SDIST):
            path = file_url("root/pypi", "example", distribution)
            assert site.anonymous.get(path).content == distribution.content


# Kept


def test_a_fresh_page_is_asked_for_once(site: Site, upstream: LocalUpstream) -> None:
    expire(site, 600)
    for accept in (JSON, HTML, JSON, "text/html"):
        assert ask(site, accept=accept).status_code == 200
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert upstream.paths == [ASKED]


def test_a_page_that_expired_is_confirmed_without_being_sent_again(
    site: Site, upstream: LocalUpstream
) -> None:
    first = ask(site)
    before = site.database.serial()
    second = ask(site)
    assert second.headers["ETag"] == first.headers["ETag"]
    conditions = [request.headers.get("if-none-match") for request in upstream.requests]
    assert conditions[0] is None
    assert conditions[1] is not None
    # A confirmed page is no change that anybody could see.
    assert site.database.serial() == before


def test_a_page_that_changed_is_seen_once_the_old_one_expired(
    site: Site, upstream: LocalUpstream
) -> None:
    first = ask(site)
    upstream.add(NEWER)
    second = ask(site)
    assert second.headers["ETag"] != first.headers["ETag"]
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename, NEWER.filename]


def test_another_process_uses_what_one_has_fetched(
    site: Site, upstream: LocalUpstream, make_site: Callable[..., Site]
) -> None:
    expire(site, 600)
    ask(site)
    assert filenames(make_site().anonymous, "root/pypi", "example") == [WHEEL.filename]
    assert upstream.paths == [ASKED]


def test_however_many_wait_for_a_page_it_is_asked_for_once(
    site: Site, upstream: LocalUpstream
) -> None:
    expire(site, 600)
    hold = threading.Event()
    upstream.fault(ASKED, hold=hold)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(ask, site) for _ in range(8)]
        upstream.wait_for(ASKED)
        hold.set()
        assert {answer.result().status_code for answer in waiting} == {200}
    assert upstream.paths == [ASKED]


# Asked for anew


@pytest.mark.parametrize("form", ["simple", "+simple"])
def test_a_refresh_asks_the_upstream_although_the_page_is_fresh(
    site: Site, upstream: LocalUpstream, form: str
) -> None:
    expire(site, 600)
    ask(site)
    upstream.add(NEWER)
    assert NEWER.filename not in ask(site).text
    answer = site.anonymous.post(f"/root/pypi/{form}/Example/refresh")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith(f"/root/pypi/{form}/example/")
    assert NEWER.filename in ask(site).text
    assert upstream.paths == [ASKED] * 2


def test_a_refresh_tells_an_upstream_no_private_name(site: Site, upstream: LocalUpstream) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases="root/pypi", reserved="acme-*")
    upload(dev, "dev/stage", WHEEL)
    for name in ("example", "acme-x"):
        assert dev.post(f"/dev/stage/+simple/{name}/refresh").status_code == 302
    assert upstream.paths == []


def test_a_refresh_fails_only_if_no_upstream_could_be_asked(
    site: Site, upstream: LocalUpstream
) -> None:
    with LocalUpstream() as second:
        new_index(site.root, "root/second", type="mirror", mirror_url=second.url)
        new_index(site.root, "root/both", bases=["root/pypi", "root/second"])
        path = "/root/both/simple/example/refresh"
        upstream.stop()
        assert site.root.post(path).status_code == 302
        second.stop()
        answer = site.root.post(path)
        assert answer.status_code == 502
        assert answer.headers["Retry-After"].isdigit()


# What does not exist


@pytest.mark.parametrize("status", [404, 410])
def test_only_what_the_upstream_says_does_not_exist_is_not_found(
    site: Site, upstream: LocalUpstream, status: int
) -> None:
    upstream.fault("/simple/absent/", status=status)
    for _ in range(3):
        assert ask(site, "/root/pypi/simple/absent/").status_code == 404
    assert upstream.paths == ["/simple/absent/"]


def test_a_project_that_vanishes_upstream_leaves_its_kept_files(
    site: Site, upstream: LocalUpstream
) -> None:
    path = file_url("root/pypi", "example", WHEEL)
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert site.anonymous.get(path).status_code == 200
    upstream.fault(ASKED, status=404)
    assert ask(site).status_code == 404
    assert site.anonymous.get(path).content == WHEEL.content
    listed = ask(site, "/root/pypi/simple/").json()["projects"]
    assert listed == []


def test_a_file_that_vanishes_upstream_stays_where_it_is_kept(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.add(NEWER)
    path = file_url("root/pypi", "example", WHEEL)
    ask(site)
    assert site.anonymous.get(path).status_code == 200
    upstream.remove(WHEEL)
    assert filenames(site.root, "root/pypi", "example") == [NEWER.filename]
    assert site.anonymous.get(path).content == WHEEL.content


def test_a_file_that_vanishes_upstream_stays_listed_if_the_mirror_keeps_such(
    site: Site, upstream: LocalUpstream
) -> None:
    site.root.patch("/root/pypi", json=["mirror_keep_delisted=true"])
    upstream.add(NEWER)
    assert site.anonymous.get(file_url("root/pypi", "example", WHEEL)).status_code == 200
    ask(site)
    upstream.remove(WHEEL)
    upstream.remove(NEWER)
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    upstream.fault(ASKED, status=404)
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    site.root.patch("/root/pypi", json=["mirror_keep_delisted=false"])
    assert ask(site).status_code == 404


# What the upstream says of a project and of its files


def test_a_status_is_passed_on(site: Site, upstream: LocalUpstream) -> None:
    upstream.set_status("example", "archived", "moved to another name")
    shown = page(site.root, "root/pypi", "example")
    assert shown["project-status"] == {"status": "archived", "reason": "moved to another name"}
    assert [file["filename"] for file in shown["files"]] == [WHEEL.filename]


def test_a_quarantined_project_has_a_page_without_files_and_hands_out_none(
    site: Site, upstream: LocalUpstream
) -> None:
    path = file_url("root/pypi", "example", WHEEL)
    ask(site)
    assert site.anonymous.get(path).status_code == 200
    upstream.set_status("example", "quarantined", "malware")
    shown = page(site.root, "root/pypi", "example")
    assert shown["project-status"] == {"status": "quarantined", "reason": "malware"}
    assert shown["files"] == []
    for refused in (path, f"{path}.metadata"):
        answer = site.anonymous.get(refused)
        assert answer.status_code == 403
        assert "malware" in answer.text
    upstream.set_status("example", "active")
    assert filenames(site.root, "root/pypi", "example") == [WHEEL.filename]
    assert site.anonymous.get(path).content == WHEEL.content


def test_a_fallback_that_knows_no_status_does_not_lift_a_quarantine(
    site: Site, upstream: LocalUpstream
) -> None:
    path = file_url("root/pypi", "example", WHEEL)
    with LocalUpstream(forms=("html",)) as fallback:
        fallback.add(WHEEL)
        site.root.patch("/root/pypi", json=[f"mirror_fallback_urls={fallback.url}"])
        upstream.set_status("example", "quarantined", "malware")
        assert page(site.anonymous, "root/pypi", "example")["files"] == []
        upstream.fault("/simple/*", status=503)
        shown = page(site.anonymous, "root/pypi", "example")
        assert fallback.requests, "it was asked"
        assert shown["project-status"] == {"status": "quarantined", "reason": "malware"}
        assert shown["files"] == []
        assert site.anonymous.get(path).status_code == 403
        upstream.heal()
        upstream.set_status("example", "active")
        assert filenames(site.anonymous, "root/pypi", "example") == [WHEEL.filename]
        assert site.anonymous.get(path).content == WHEEL.content


def test_while_an_upstream_fails_that_a_fallback_has_no_such_project_is_no_404(
    site: Site, upstream: LocalUpstream
) -> None:
    with LocalUpstream() as fallback:
        site.root.patch("/root/pypi", json=[f"mirror_fallback_urls={fallback.url}"])
        upstream.fault("/simple/*", status=503)
        assert ask(site).status_code == 502
        assert fallback.requests, "it was asked"


def test_a_digest_that_only_a_fallback_says_does_not_spoil_a_file(
    site: Site, upstream: LocalUpstream
) -> None:
    other = make_wheel("example", "1.0", members={"other.txt": b"other bytes"})
    assert other.filename == WHEEL.filename
    upstream.add(WHEEL, hashes=("md5",))
    with LocalUpstream() as fallback:
        fallback.add(other)
        site.root.patch("/root/pypi", json=[f"mirror_fallback_urls={fallback.url}"])
        [first] = page(site.anonymous, "root/pypi", "example")["files"]
        upstream.fault("/simple/*", status=503)
        [file] = page(site.anonymous, "root/pypi", "example")["files"]
        assert fallback.requests, "it was asked"
        assert file["hashes"] == first["hashes"]
        upstream.heal()
        [back] = page(site.anonymous, "root/pypi", "example")["files"]
        assert site.anonymous.get(urljoin(PATH, back["url"])).content == WHEEL.content


def test_a_second_digest_is_refused_and_shown(site: Site, upstream: LocalUpstream) -> None:
    ask(site)
    upstream.add(WHEEL, row={"hashes": {"sha256": "f" * 64}})
    [file] = page(site.root, "root/pypi", "example")["files"]
    assert file["hashes"] == {"sha256": WHEEL.sha256}
    assert file["_refused"] == f"sha256={'f' * 64}"
    path = file_url("root/pypi", "example", WHEEL)
    assert site.anonymous.get(path).content == WHEEL.content
    assert site.anonymous.get(path.replace(WHEEL.sha256, "f" * 64)).status_code == 404


# The list of projects


def test_root_pypi_lists_what_is_known_and_never_fetches_the_list(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.add(make_wheel("another"))
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases="root/pypi")
    lists = ["/root/pypi/simple/", "/root/pypi/+simple/", "/dev/stage/simple/"]
    for path in lists:
        assert dev.get(path, headers={"Accept": JSON}).json()["projects"] == []
    assert dev.get("/root/pypi").json()["result"]["projects"] == []
    page(dev, "root/pypi", "another")
    assert dev.get("/root/pypi").json()["result"]["projects"] == ["another"]
    for path in lists:
        for accept in (JSON, HTML):
            dev.get(path, headers={"Accept": accept})
    assert upstream.paths == ["/simple/another/"]


@pytest.fixture
def lister(site: Site, upstream: LocalUpstream) -> str:
    """A mirror that lists all that its upstream has."""
    new_index(site.root, "root/lister", type="mirror", mirror_url=upstream.url)
    return "/root/lister/simple/"


def test_another_mirror_fetches_the_list_once_while_it_is_fresh(
    site: Site, upstream: LocalUpstream, lister: str
) -> None:
    upstream.add(make_wheel("another"))
    for accept in (JSON, HTML, JSON):
        answer = ask(site, lister, accept)
        assert answer.status_code == 200
        assert "another" in answer.text
        assert "example" in answer.text
    assert upstream.paths == ["/simple/"]


def test_a_kept_list_is_served_when_the_upstream_fails(
    site: Site, upstream: LocalUpstream, lister: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.root.patch("/root/lister", json=["mirror_cache_expiry=0"])
    passed = short_memories(monkeypatch)
    whole = ask(site, lister).json()
    upstream.stop()
    passed.set()
    assert ask(site, lister).json() == whole


def test_without_a_kept_list_it_is_a_bad_gateway(
    site: Site, upstream: LocalUpstream, lister: str
) -> None:
    upstream.fault("/simple/", status=500)
    answer = ask(site, lister)
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()
