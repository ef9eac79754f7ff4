"""The legacy JSON API: its shape, which release is the latest, and what the mirrors know."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import Distribution, make_metadata, make_sdist, make_wheel
from support.site import (
    API,
    BASE_URL,
    HTML,
    Site,
    file_url,
    lasting_headers,
    new_index,
    page,
    upload,
)

ADDRESS = f"{BASE_URL}/dev/stage"
WHEEL = make_wheel(
    "Some.Project", "1.0", summary="An example", requires_python=">=3.8", requires_dist=["six"]
)
SDIST = make_sdist("Some.Project", "1.0", summary="An example")
OLDER = make_wheel("Some.Project", "0.9")
PRE = make_wheel("Some.Project", "2.0rc1")

INFO = {
    "author", "author_email", "bugtrack_url", "classifiers", "description",
    "description_content_type", "docs_url", "download_url", "downloads", "dynamic", "home_page",
    "keywords", "license", "license_expression", "license_files", "maintainer",
    "maintainer_email", "name", "package_url", "platform", "project_url", "project_urls",
    "provides_extra", "release_url", "requires_dist", "requires_python", "summary", "version",
    "yanked", "yanked_reason",
}  # fmt: skip
FILE = {
    "filename", "packagetype", "python_version", "has_sig", "comment_text", "md5_digest",
    "digests", "core-metadata", "size", "downloads", "upload_time", "upload_time_iso_8601", "url",
    "requires_python", "yanked", "yanked_reason",
}  # fmt: skip
RELEASE = {"info", "last_serial", "ownership", "urls", "vulnerabilities"}


@pytest.fixture
def dev(dev: httpx.Client) -> httpx.Client:
    """dev/stage has three releases of some-project."""
    upload(dev, "dev/stage", OLDER, PRE, WHEEL, SDIST)
    return dev


def get(client: httpx.Client, path: str) -> dict[str, Any]:
    answer = client.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


# The shape


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_project_has_every_key_of_the_public_index(dev: httpx.Client, slash: str) -> None:
    shown = get(dev, f"/dev/stage/pypi/some-project/json{slash}")
    assert set(shown) == RELEASE | {"releases"}
    assert set(shown["info"]) == INFO
    assert set(shown["releases"]) == {"0.9", "1.0", "2.0rc1"}
    assert shown["urls"] == shown["releases"]["1.0"]
    for files in shown["releases"].values():
        assert all(set(file) == FILE for file in files)
    assert shown["vulnerabilities"] == []
    assert shown["ownership"] == {"roles": [], "organization": None}


@pytest.mark.parametrize("version", ["1.0", "1", "v1.0.0"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_release_is_shown_by_its_version(dev: httpx.Client, version: str, slash: str) -> None:
    shown = get(dev, f"/dev/stage/pypi/some-project/{version}/json{slash}")
    project = get(dev, "/dev/stage/pypi/some-project/json")
    assert set(shown) == RELEASE
    assert shown == {key: project[key] for key in RELEASE}
    assert get(dev, "/dev/stage/pypi/some-project/0.9/json")["info"]["version"] == "0.9"


def test_info_is_what_the_archive_says(dev: httpx.Client) -> None:
    info = get(dev, "/dev/stage/pypi/some-project/json")["info"]
    assert (info["name"], info["version"]) == ("Some.Project", "1.0")
    assert info["summary"] == "An example"
    assert info["requires_python"] == ">=3.8"
    assert info["requires_dist"] == ["six"]
    assert info["downloads"] == {"last_day": -1, "last_week": -1, "last_month": -1}
    assert info["project_url"] == info["package_url"] == f"{ADDRESS}/some-project"
    assert info["release_url"] == f"{ADDRESS}/some-project/1.0"
    assert (info["yanked"], info["yanked_reason"]) == (False, None)
    assert info["project_urls"] is None
    for url in (info["project_url"], info["release_url"]):
        assert dev.get(url).status_code == 200


def test_info_is_there_also_where_no_metadata_file_is_served(dev: httpx.Client) -> None:
    sdist = make_sdist("old-style", "1.0", summary="Built by an old tool", pkg_info_version="2.1")
    upload(dev, "dev/stage", sdist)
    shown = get(dev, "/dev/stage/pypi/old-style/json")
    assert shown["urls"][0]["core-metadata"] is False
    assert shown["info"]["summary"] == "Built by an old tool"


def test_urls_of_the_project_have_their_labels(dev: httpx.Client) -> None:
    headers = [
        ("Project-URL", "Home, https://example.com/a,b"),
        ("Project-URL", "Changes,https://example.com/c"),
        ("Platform", "linux"),
        ("Platform", "plan9"),
    ]
    wheel = make_wheel("linked", "1.0", extra_headers=headers)
    upload(dev, "dev/stage", wheel)
    info = get(dev, "/dev/stage/pypi/linked/json")["info"]
    expected = {"Home": "https://example.com/a,b", "Changes": "https://example.com/c"}
    assert info["project_urls"] == expected
    assert info["platform"] == "linux, plan9"


def test_files_are_those_of_the_page(dev: httpx.Client) -> None:
    on_page = {file["filename"]: file for file in page(dev, "dev/stage", "some-project")["files"]}
    releases = get(dev, "/dev/stage/pypi/some-project/json")["releases"]
    files = {file["filename"]: file for listed in releases.values() for file in listed}
    assert set(files) == set(on_page)
    for name, file in files.items():
        row = on_page[name]
        assert file["digests"] == row["hashes"]
        assert file["size"] == row["size"]
        assert file["requires_python"] == row.get("requires-python")
        assert file["core-metadata"] == row["core-metadata"]
        assert file["upload_time_iso_8601"] == row["upload-time"]
        uploaded = datetime.fromisoformat(row["upload-time"]).replace(tzinfo=None, microsecond=0)
        assert datetime.fromisoformat(file["upload_time"]) == uploaded
        assert (file["downloads"], file["has_sig"], file["md5_digest"]) == (-1, False, None)
    wheel, sdist = files[WHEEL.filename], files[SDIST.filename]
    assert wheel["url"] == BASE_URL + file_url("dev/stage", "some-project", WHEEL)
    assert dev.get(wheel["url"]).content == WHEEL.content
    assert (wheel["packagetype"], wheel["python_version"]) == ("bdist_wheel", "py3")
    assert (sdist["packagetype"], sdist["python_version"]) == ("sdist", "source")


# The latest


def test_the_latest_is_neither_yanked_nor_a_pre_release_if_there_is_one(
    dev: httpx.Client,
) -> None:
    def latest() -> tuple[str, bool, str | None]:
        info = get(dev, "/dev/stage/pypi/some-project/json")["info"]
        return info["version"], info["yanked"], info["yanked_reason"]

    def yank(version: str, reason: str | bool) -> None:
        path = f"/dev/stage/some-project/{version}"
        assert dev.patch(path, json={"yanked": reason}).status_code == 200

    assert latest() == ("1.0", False, None)
    yank("1.0", "broken")
    assert latest() == ("0.9", False, None)
    yank("0.9", True)
    assert latest() == ("2.0rc1", False, None)
    yank("2.0rc1", True)
    assert latest() == ("1.0", True, "broken")
    body = {"yanked": False, "filename": SDIST.filename}
    dev.patch("/dev/stage/some-project/1.0", json=body)
    assert latest() == ("1.0", False, None)
    urls = get(dev, "/dev/stage/pypi/some-project/json")["urls"]
    assert {file["filename"]: (file["yanked"], file["yanked_reason"]) for file in urls} == {
        WHEEL.filename: (True, "broken"), SDIST.filename: (False, None),
    }  # fmt: skip


def test_versions_are_compared_as_versions(dev: httpx.Client) -> None:
    upload(dev, "dev/stage", *(make_wheel("numbers", v) for v in ("1.10", "1.9", "1!0.1")))
    shown = get(dev, "/dev/stage/pypi/numbers/json")
    assert list(shown["releases"]) == ["1.9", "1.10", "1!0.1"]
    assert shown["info"]["version"] == "1!0.1"


# Over a lineage


def test_releases_are_merged_over_the_lineage(dev: httpx.Client) -> None:
    ours = make_wheel("some-project", "1.0", summary="Ours")
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/heir", ours)
    shown = get(dev, "/dev/heir/pypi/some-project/json")
    assert set(shown["releases"]) == {"0.9", "1.0", "2.0rc1"}
    assert shown["info"]["summary"] == "Ours"
    assert shown["info"]["project_url"] == f"{BASE_URL}/dev/heir/some-project"
    by_name = {file["filename"]: file for file in shown["urls"]}
    assert set(by_name) == {ours.filename, WHEEL.filename, SDIST.filename}
    for file in shown["urls"]:
        # All links stay under the index that was asked.
        assert file["url"].startswith(f"{BASE_URL}/dev/heir/+f/")
        assert dev.get(file["url"]).status_code == 200


@pytest.mark.parametrize("path", ["json", "1.0/json"])
def test_a_quarantined_project_says_that_it_is(dev: httpx.Client, path: str) -> None:
    dev.patch("/dev/stage/some-project", json={"status": "quarantined", "reason": "malware"})
    answer = dev.get(f"/dev/stage/pypi/some-project/{path}")
    assert answer.status_code == 403
    assert "quarantined" in answer.json()["message"]
    assert "malware" in answer.json()["message"]


# Mirrors


@pytest.fixture
def mirror(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    upstream.add(WHEEL, yanked="bad")
    upstream.add(SDIST, core_metadata=False)
    upstream.add(OLDER, hashes=("md5",), upload_time=None, row={"size": None})
    return make_site(upstream_url=upstream.url)


def test_a_mirrored_release_says_what_its_metadata_says(
    mirror: Site, upstream: LocalUpstream
) -> None:
    path = "/root/pypi/pypi/some-project/1.0/json"
    shown = get(mirror.anonymous, path)
    assert set(shown["info"]) == INFO
    assert shown["info"]["summary"] == "An example"
    assert shown["info"]["requires_dist"] == ["six"]
    # Not the wheel itself, and not again.
    get(mirror.anonymous, path)
    [metadata] = [asked for asked in upstream.paths if not asked.startswith("/simple/")]
    assert metadata.endswith(".whl.metadata")


@pytest.mark.parametrize("trouble", [{"status": 503}, {"body": b"nonsense"}])
def test_metadata_that_cannot_be_had_now_is_not_taken_for_none(
    mirror: Site, upstream: LocalUpstream, trouble: dict[str, Any]
) -> None:
    fault_in_metadata(upstream, **trouble)
    path = "/root/pypi/pypi/some-project/1.0/json"
    answer = mirror.anonymous.get(path)
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()


def test_a_stale_project_says_what_is_kept_and_that_it_is_stale(
    mirror: Site, upstream: LocalUpstream
) -> None:
    mirror.root.patch("/root/pypi", json=["mirror_cache_expiry=0"])
    path = "/root/pypi/pypi/some-project/1.0/json"
    page(mirror.anonymous, "root/pypi", "some-project")
    upstream.stop()
    answer = mirror.anonymous.get(path)
    upstream.start()
    assert answer.status_code == 200
    assert "stale" in answer.headers["Cache-Status"]
    assert answer.json()["info"]["requires_dist"] is None


def fault_in_metadata(upstream: LocalUpstream, **trouble: Any) -> None:
    for suffix in (".metadata", ""):
        upstream.fault(upstream.file_url(WHEEL).removeprefix(upstream.root) + suffix, **trouble)


def test_without_metadata_the_page_says_enough(mirror: Site, upstream: LocalUpstream) -> None:
    fault_in_metadata(upstream, status=404)
    shown = get(mirror.anonymous, "/root/pypi/pypi/some-project/1.0/json")
    info = shown["info"]
    assert set(info) == INFO
    assert (info["name"], info["version"]) == ("some-project", "1.0")
    assert info["requires_python"] == ">=3.8"
    assert info["requires_dist"] is None
    assert info["description"] == ""
    assert {file["filename"] for file in shown["urls"]} == {WHEEL.filename, SDIST.filename}


def test_what_an_upstream_says_of_its_files_is_passed_on(mirror: Site) -> None:
    releases = get(mirror.anonymous, "/root/pypi/pypi/some-project/json")["releases"]
    [older] = releases["0.9"]
    assert set(older) == FILE
    assert set(older["digests"]) == {"md5"}
    assert older["md5_digest"] == older["digests"]["md5"]
    assert older["size"] is None
    assert (releases["1.0"][0]["yanked"], releases["1.0"][0]["yanked_reason"]) == (True, "bad")


def test_other_kinds_of_files_are_named(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    kinds = {
        "old-1.0-py2.7.egg": ("bdist_egg", "2.7"),
        "old-1.0.win32-py2.7.exe": ("bdist_wininst", "2.7"),
        "old-1.0.win32.exe": ("bdist_wininst", "any"),
        "old-1.0.zip": ("sdist", "source"),
        "old-1.0-1-cp312-abi3-manylinux_2_28_x86_64.whl": ("bdist_wheel", "cp312"),
    }
    for name in kinds:
        file = Distribution(name, name.encode(), make_metadata("old", "1.0"))
        upstream.add(file, core_metadata=False)
    site = make_site(upstream_url=upstream.url)
    urls = get(site.anonymous, "/root/pypi/pypi/old/json")["urls"]
    said = {file["filename"]: (file["packagetype"], file["python_version"]) for file in urls}
    assert said == kinds


# As HTTP


def test_each_answer_can_be_confirmed_and_has_the_serial_of_its_last_change(
    dev: httpx.Client,
) -> None:
    path = "/dev/stage/pypi/some-project/json"
    first = dev.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["X-PyPI-Last-Serial"] == str(first.json()["last_serial"])
    condition = {"If-None-Match": first.headers["ETag"]}
    again = dev.get(path, headers=condition)
    assert (again.status_code, again.content) == (304, b"")
    upload(dev, "dev/stage", make_wheel("another"))
    assert dev.get(path, headers=condition).status_code == 304
    upload(dev, "dev/stage", make_wheel("some-project", "3.0"))
    later = dev.get(path, headers=condition)
    assert later.status_code == 200
    assert later.json()["last_serial"] > first.json()["last_serial"]


def test_it_is_packed_for_who_takes_that_and_head_is_like_get(dev: httpx.Client) -> None:
    path = "/dev/stage/pypi/some-project/json"
    answers = {
        coding: dev.get(path, headers={"Accept-Encoding": coding})
        for coding in ("identity", "gzip", "zstd")
    }
    assert [a.headers.get("Content-Encoding") for a in answers.values()] == [None, "gzip", "zstd"]
    assert len({answer.content for answer in answers.values()}) == 1
    assert len({answer.headers["ETag"] for answer in answers.values()}) == 3
    head = dev.head(path, headers={"Accept-Encoding": "gzip"})
    assert lasting_headers(head) == lasting_headers(answers["gzip"])
    assert head.content == b""


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("Some.Project/json", "some-project/json"),
        ("SOME__project/json/?a=b", "some-project/json?a=b"),
        ("Some_Project/1.0/json", "some-project/1.0/json"),
        ("Some_Project/1.0%2B%0Ax/json", "some-project/1.0%2B%0Ax/json"),
    ],
)
def test_one_redirect_leads_to_the_normalised_name(
    dev: httpx.Client, asked: str, there: str
) -> None:
    answer = dev.get(f"/dev/stage/pypi/{asked}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{ADDRESS}/pypi/{there}"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("accept", ["*/*", API, HTML, ""])
@pytest.mark.parametrize(
    "path", ["absent/json", "some-project/9.9/json", "some-project/x/json", "-/json"]
)
def test_what_is_not_there_is_not_found_in_json(dev: httpx.Client, path: str, accept: str) -> None:
    answer = dev.get(f"/dev/stage/pypi/{path}", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["message"]


def test_an_upstream_that_is_down_is_no_404(site: Site) -> None:
    answer = site.anonymous.get("/root/pypi/pypi/example/json")
    assert answer.status_code == 502
