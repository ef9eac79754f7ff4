"""Mirrors are indexes that root makes, with options of their own."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from stillroom_server.upstream.client import HttpUpstream
from support.distributions import make_wheel
from support.site import JSON, Site, faulty_fields, filenames

MIRROR = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/"}


def test_only_root_makes_mirrors_and_changes_their_url(site: Site, dev: httpx.Client) -> None:
    with site.unchanged():
        answer = dev.put("/dev/mirror", json=MIRROR)
    assert answer.status_code == 403
    assert "user_mirrors" in answer.json()["message"]
    assert site.root.put("/dev/mirror", json=MIRROR).status_code == 200
    with site.unchanged():
        for change in (
            "mirror_url=http://127.0.0.1:10/",
            "mirror_fallback_urls+=http://localhost/",
        ):
            answer = dev.patch("/dev/mirror", json=[change])
            assert answer.status_code == 403
    answer = dev.patch("/dev/mirror", json=["mirror_cache_expiry=60", "title=Ours"])
    assert answer.json()["result"]["mirror_cache_expiry"] == 60


def test_the_setting_lets_users_make_mirrors(make_site: Callable[..., Site]) -> None:
    site = make_site(user_mirrors=True)
    dev = site.new_user("dev")
    answer = dev.put("/dev/mirror", json=MIRROR | {"mirror_cache_expiry": "30"})
    assert answer.json()["result"] == {
        "type": "mirror",
        "volatile": True,
        "mirror_url": "http://127.0.0.1:9/simple/",
        "mirror_fallback_urls": [],
        "mirror_cache_expiry": 30,
        "mirror_no_project_list": False,
        "mirror_keep_delisted": False,
        "mirror_use_external_urls": False,
        "mirror_metadata_only": False,
        "mirror_size_budget": 0,
        "acl_read": [":ANONYMOUS:"],
        "acl_delete": [],
        "acl_admin": [],
        "reserved": [],
    }
    moved = dev.patch("/dev/mirror", json=["mirror_url=http://127.0.0.1:10/simple"])
    assert moved.json()["result"]["mirror_url"] == "http://127.0.0.1:10/simple/"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        1,
        "not a url",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://",
        "http://user:secret@127.0.0.1/simple/",
        "http://127.0.0.1/simple/?a=b",
        "http://127.0.0.1/simple/#x",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://127.0.0.1/a b/",
        "http://127.0.0.1/\r\nX: y/",
    ],
)
def test_a_mirror_needs_a_plain_http_url(shared_site: Site, url: object) -> None:
    with shared_site.unchanged():
        answer = shared_site.root.put("/root/new", json={"type": "mirror", "mirror_url": url})
    assert faulty_fields(answer) == {"mirror_url"}


@pytest.mark.parametrize(
    "options",
    [
        {"bases": "root/pypi"},
        {"acl_upload": "root"},
        {"volatile": False},
        {"mirror_cache_expiry": -1},
        {"mirror_cache_expiry": "soon"},
        {"mirror_cache_expiry": 1.5},
        {"mirror_cache_expiry": True},
        {"mirror_cache_expiry": 10**10},
        {"mirror_no_project_list": 2},
        {"mirror_fallback_urls": ["ftp://127.0.0.1/"]},
        {"mirror_fallback_urls": ["http://127.0.0.1/", "http://u:p@127.0.0.1/"]},
        {"mirror_keep_delisted": "maybe"},
        {"mirror_size_budget": "10G"},
    ],
)
def test_options_of_a_mirror_have_their_rules(shared_site: Site, options: dict[str, Any]) -> None:
    with shared_site.unchanged():
        answer = shared_site.root.put("/root/new", json=MIRROR | options)
    assert faulty_fields(answer) == set(options)


def test_root_pypi_never_lists_the_whole_upstream(site: Site) -> None:
    shown = site.root.get("/root/pypi").json()["result"]
    assert shown["mirror_no_project_list"] is True
    assert shown["projects"] == []


def test_another_upstream_is_asked_at_once_and_for_all_of_it(
    make_site: Callable[..., Site],
) -> None:
    old, new = make_wheel("example", "1.0"), make_wheel("example", "2.0")
    with LocalUpstream() as first, LocalUpstream() as second:
        first.add(old)
        second.add(new)
        site = make_site(upstream_url=first.url)
        assert filenames(site.anonymous, "root/pypi", "example") == [old.filename]
        changed = site.root.patch("/root/pypi", json=[f"mirror_url={second.url}"])
        assert changed.status_code == 200
        assert filenames(site.anonymous, "root/pypi", "example") == [new.filename]
        assert "if-none-match" not in {name.lower() for name in second.requests[0].headers}


def test_another_fallback_makes_pages_and_lists_be_asked_for_anew(
    make_site: Callable[..., Site],
) -> None:
    with LocalUpstream() as first, LocalUpstream() as second:
        first.add(make_wheel("example", "1.0"))
        site = make_site(upstream_url=first.url)
        site.root.patch("/root/pypi", json=["mirror_no_project_list=false"])
        for _ in range(2):
            filenames(site.anonymous, "root/pypi", "example")
            site.anonymous.get("/root/pypi/simple/", headers={"Accept": JSON})
        assert first.paths == ["/simple/example/", "/simple/"]
        changed = site.root.patch("/root/pypi", json=[f"mirror_fallback_urls+={second.url}"])
        assert changed.json()["result"]["mirror_fallback_urls"] == [second.url]
        filenames(site.anonymous, "root/pypi", "example")
        site.anonymous.get("/root/pypi/simple/", headers={"Accept": JSON})
        assert first.paths == ["/simple/example/", "/simple/"] * 2
        assert second.paths == []


def test_what_the_old_upstream_still_answers_is_not_kept_for_the_new_one(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make_wheel("example", "1.0"), make_wheel("example", "2.0")
    with LocalUpstream() as first, LocalUpstream() as second:
        first.add(old)
        second.add(new)
        site = make_site(upstream_url=first.url)
        site.root.patch("/root/pypi", json=["mirror_cache_expiry=0"])
        filenames(site.anonymous, "root/pypi", "example")
        ask = HttpUpstream.project_page

        def ask_slowly(*arguments: Any) -> Any:
            monkeypatch.setattr(HttpUpstream, "project_page", ask)
            answer = ask(*arguments)
            # Meanwhile, an administrator points the mirror elsewhere; the old one says 304.
            changes = [f"mirror_url={second.url}", "mirror_cache_expiry=600"]
            assert site.root.patch("/root/pypi", json=changes).status_code == 200
            return answer

        monkeypatch.setattr(HttpUpstream, "project_page", ask_slowly)
        page_of_old = site.anonymous.get("/root/pypi/simple/example/", headers={"Accept": JSON})
        assert "stale" in page_of_old.headers["Cache-Status"]
        assert filenames(site.anonymous, "root/pypi", "example") == [new.filename]


def test_a_mirror_can_be_closed(make_site: Callable[..., Site]) -> None:
    wheel = make_wheel("some-project")
    with LocalUpstream() as upstream:
        upstream.add(wheel)
        site = make_site(upstream_url=upstream.url)
        dev, other, nobody = site.new_user("dev"), site.new_user("other"), site.client()
        dev.put("/dev/stage", json={"bases": "root/pypi", "acl_read": ":ANONYMOUS:"})
        for client in (dev, other, nobody):
            client.headers["Accept"] = "*/*"
        for index in ("root/pypi", "dev/stage"):
            assert filenames(site.anonymous, index, "some-project") == [wheel.filename]
        assert site.root.patch("/root/pypi", json=["acl_read=dev"]).status_code == 200
        path = f"+f/some-project/{wheel.sha256}/{wheel.filename}"
        for index in ("root/pypi", "dev/stage"):
            for page in ("simple/some-project/", "simple/", "pypi/some-project/json", path):
                assert dev.get(f"/{index}/{page}").status_code == 200, page
                assert other.get(f"/{index}/{page}").status_code == 403, page
                assert nobody.get(f"/{index}/{page}").status_code == 401, page
