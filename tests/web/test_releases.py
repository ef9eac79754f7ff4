"""What is done with files that are there: yanked, deleted, forgotten."""

from collections.abc import Callable
from typing import Any

import html5lib
import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.downloads import wait_for_the_end
from support.site import (
    HTML,
    JSON,
    Site,
    faulty_fields,
    file_url,
    filenames,
    new_index,
    page,
    upload,
)

WHEEL = make_wheel("example", "1.0")
SDIST = make_sdist("example", "1.0")
NEWER = make_wheel("example", "2.0")
PAGE = "/dev/stage/simple/example/"


@pytest.fixture
def release(dev: httpx.Client) -> httpx.Client:
    """dev/stage with two releases of `example`, the first of two files."""
    upload(dev, "dev/stage", WHEEL, SDIST, NEWER)
    return dev


def yanked(client: httpx.Client) -> dict[str, Any]:
    """What the page says of each file, in JSON."""
    return {f["filename"]: f["yanked"] for f in page(client, "dev/stage", "example")["files"]}


def yanked_in_html(client: httpx.Client) -> dict[str, str | None]:
    document = client.get(PAGE, headers={"Accept": HTML}).text
    anchors = html5lib.parse(document, namespaceHTMLElements=False).iter("a")
    return {anchor.text: anchor.get("data-yanked") for anchor in anchors}


# Yanked


@pytest.mark.parametrize(
    ("said", "in_json", "in_html"),
    [
        ("it breaks", "it breaks", "it breaks"),
        ('"><script>alert(1)</script> & ü', '"><script>alert(1)</script> & ü',
         '"><script>alert(1)</script> & ü'),
        (True, True, ""),
        ("", True, ""),
    ],
)  # fmt: skip
def test_a_yanked_release_says_so_in_both_forms(
    release: httpx.Client, said: str | bool, in_json: str | bool, in_html: str
) -> None:
    answer = release.patch("/dev/stage/example/1.0", json={"yanked": said})
    assert answer.status_code == 200
    assert answer.json()["message"].startswith("yanked 2 files: ")
    assert yanked(release) == {
        WHEEL.filename: in_json, SDIST.filename: in_json, NEWER.filename: False,
    }  # fmt: skip
    assert yanked_in_html(release) == {
        WHEEL.filename: in_html, SDIST.filename: in_html, NEWER.filename: None,
    }  # fmt: skip
    assert release.patch("/dev/stage/example/1.0", json={"yanked": False}).status_code == 200
    assert set(yanked(release).values()) == {False}
    assert set(yanked_in_html(release).values()) == {None}


def test_one_file_of_a_release_can_be_yanked(release: httpx.Client) -> None:
    body = {"yanked": "this one", "filename": SDIST.filename}
    assert release.patch("/dev/stage/example/v1.0/", json=body).status_code == 200
    assert yanked(release) == {
        WHEEL.filename: False, SDIST.filename: "this one", NEWER.filename: False,
    }  # fmt: skip
    # A yanked file is served all the same, to those who pinned it.
    assert release.get(file_url("dev/stage", "example", SDIST)).content == SDIST.content


def test_yanking_what_is_yanked_so_changes_nothing(site: Site, release: httpx.Client) -> None:
    release.patch("/dev/stage/example/1.0", json={"yanked": "why"})
    with site.unchanged():
        answer = release.patch("/dev/stage/example/1.0", json={"yanked": "why"})
    assert answer.json()["message"] == "yanked 0 files: nothing changed"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"yanked"}),
        ({"yanked": None}, {"yanked"}),
        ({"yanked": 1}, {"yanked"}),
        ({"yanked": ["x"]}, {"yanked"}),
        ({"yanked": "x" * 1_001}, {"yanked"}),
        ({"yanked": True, "filename": 1}, {"filename"}),
        ({"reason": "x"}, {"yanked", "reason"}),
    ],
)
def test_every_fault_of_a_yank_is_named(
    site: Site, release: httpx.Client, body: dict[str, Any], fields: set[str]
) -> None:
    with site.unchanged():
        answer = release.patch("/dev/stage/example/1.0", json=body)
    assert faulty_fields(answer) == fields


@pytest.mark.parametrize(
    ("path", "filename"),
    [
        ("/dev/stage/example/9.9", None),
        ("/dev/stage/example/not-a-version", None),
        ("/dev/stage/absent/1.0", None),
        ("/dev/stage/example/1.0", NEWER.filename),
        ("/dev/stage/example/2.0", "absent"),
    ],
)
def test_what_is_not_there_cannot_be_yanked(
    site: Site, release: httpx.Client, path: str, filename: str | None
) -> None:
    body = {"yanked": True} | ({} if filename is None else {"filename": filename})
    with site.unchanged():
        assert release.patch(path, json=body).status_code == 404


def test_what_is_inherited_is_yanked_where_it_lives(site: Site, release: httpx.Client) -> None:
    new_index(release, "dev/heir", bases="dev/stage")
    with site.unchanged():
        assert release.patch("/dev/heir/example/1.0", json={"yanked": True}).status_code == 404


# Deleted

DELETIONS = {
    "a file": file_url("dev/stage", "example", NEWER),
    "a release": "/dev/stage/example/2.0",
    "a release, with a slash": "/dev/stage/example/2.0/",
    "a release by another spelling": "/dev/stage/Example/v2.0",
}


@pytest.mark.parametrize("what", DELETIONS)
def test_what_is_deleted_is_gone_with_its_release(release: httpx.Client, what: str) -> None:
    answer = release.delete(DELETIONS[what])
    assert answer.status_code == 200
    assert "deleted from dev/stage" in answer.json()["message"]
    assert filenames(release, "dev/stage", "example") == [WHEEL.filename, SDIST.filename]
    assert page(release, "dev/stage", "example")["versions"] == ["1.0"]
    assert release.get("/dev/stage/example/2.0").status_code == 404
    assert release.delete(DELETIONS[what]).status_code == 404


def test_a_release_stays_while_it_has_a_file(release: httpx.Client) -> None:
    release.delete(file_url("dev/stage", "example", WHEEL))
    assert filenames(release, "dev/stage", "example") == [SDIST.filename, NEWER.filename]
    assert release.get("/dev/stage/example/1.0").status_code == 200


@pytest.mark.parametrize("path", ["/dev/stage/example", "/dev/stage/Example/"])
def test_a_project_goes_with_all_that_it_has(release: httpx.Client, path: str) -> None:
    assert release.delete(path).status_code == 200
    assert release.get(PAGE, headers={"Accept": JSON}).status_code == 404
    assert release.get(file_url("dev/stage", "example", WHEEL)).status_code == 404
    assert release.get("/dev/stage").json()["result"]["projects"] == []


@pytest.mark.parametrize(
    "path",
    [file_url("dev/stage", "example", WHEEL), "/dev/stage/example/1.0", "/dev/stage/example"],
)
def test_a_non_volatile_index_gives_up_nothing_without_force(
    site: Site, release: httpx.Client, path: str
) -> None:
    release.patch("/dev/stage", json=["volatile=False"])
    with site.unchanged():
        answer = release.delete(path)
    assert answer.status_code == 403
    assert "non-volatile" in answer.json()["message"]
    assert "force" in answer.json()["message"]
    # devpi's client sends the flag without a value.
    assert release.delete(path, params={"force": ""}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/dev/stage/absent",
        "/dev/stage/absent/1.0",
        "/dev/stage/example/9.9",
        file_url("dev/stage", "absent", WHEEL),
        file_url("dev/stage", "example", WHEEL).replace(WHEEL.sha256, "0" * 64),
    ],
)
def test_what_is_not_there_cannot_be_deleted(site: Site, release: httpx.Client, path: str) -> None:
    with site.unchanged():
        assert release.delete(path).status_code == 404


# A project outlives its files


@pytest.fixture
def over_upstream(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """`dev/stage` inherits from root/pypi, whose upstream has a higher version of `example`."""
    upstream.add(make_wheel("example", "9.0"))
    site = make_site(upstream_url=upstream.url)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases="root/pypi")
    upload(dev, "dev/stage", WHEEL)
    return site


@pytest.mark.parametrize(
    "path", [file_url("dev/stage", "example", WHEEL), "/dev/stage/example/1.0"]
)
def test_a_project_without_files_goes_on_hiding_the_public_one(
    over_upstream: Site, upstream: LocalUpstream, path: str
) -> None:
    dev = over_upstream.user("dev")
    assert dev.delete(path).status_code == 200
    empty = page(dev, "dev/stage", "example")
    assert (empty["files"], empty["versions"]) == ([], [])
    assert dev.get("/dev/stage").json()["result"]["projects"] == ["example"]
    listed = dev.get("/dev/stage/simple/", headers={"Accept": JSON}).json()["projects"]
    assert listed == [{"name": "example"}]
    assert upstream.paths == []


def test_only_a_deleted_project_lets_the_public_one_through(
    over_upstream: Site, upstream: LocalUpstream
) -> None:
    dev = over_upstream.user("dev")
    assert dev.delete("/dev/stage/example").status_code == 200
    assert filenames(dev, "dev/stage", "example") == ["example-9.0-py3-none-any.whl"]
    assert upstream.paths == ["/simple/example/"]


# Mirrors


def test_a_mirror_forgets_what_it_keeps_and_gets_it_again(
    over_upstream: Site, upstream: LocalUpstream
) -> None:
    root = over_upstream.root
    mirrored = make_wheel("example", "9.0")
    path = file_url("root/pypi", "example", mirrored)
    assert filenames(root, "root/pypi", "example") == [mirrored.filename]
    ways = [path, "/root/pypi/example/9.0", "/root/pypi/example"]
    for number, way in enumerate(ways, start=1):
        assert root.get(path).content == mirrored.content
        wait_for_the_end()
        fetched = [asked for asked in upstream.paths if asked.endswith(".whl")]
        assert len(fetched) == number
        assert root.delete(way).status_code == 200, way
        assert root.delete(way).status_code == 404, way
    assert over_upstream.user("dev").delete("/root/pypi/example").status_code == 403


def test_two_spellings_of_a_version_are_one_release(site: Site, dev: httpx.Client) -> None:
    wheel, sdist = make_wheel("twin", "1.0"), make_sdist("twin", "1.0.0")
    upload(dev, "dev/stage", wheel, sdist)
    listed = page(dev, "dev/stage", "twin")
    assert listed["versions"] == ["1.0"]
    assert {file["filename"] for file in listed["files"]} == {wheel.filename, sdist.filename}
    assert list(dev.get("/dev/stage/twin").json()["result"]) == ["1.0"]
    yanked = dev.patch("/dev/stage/twin/1", json={"yanked": "broken"})
    assert yanked.status_code == 200
    files = page(dev, "dev/stage", "twin")["files"]
    assert [file["yanked"] for file in files] == ["broken", "broken"]
    assert dev.delete("/dev/stage/twin/1.0.0").status_code == 200
    assert page(dev, "dev/stage", "twin")["files"] == []
