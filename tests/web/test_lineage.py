"""First origin wins: for pages, files and JSON views, and for what an upstream gets to hear."""

from collections.abc import Callable

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.site import JSON, Site, file_url, filenames, new_index, page, upload

PRIVATE = make_wheel("example", "1.0")
PUBLIC = make_wheel("example", "9.0")
SAME_NAME = make_wheel("example", "1.0", body="public bytes under a private name")
DEPENDENCY = make_wheel("dependency", "1.0")


@pytest.fixture
def site(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """`dev/leaf` inherits from `dev/base`, that from root/pypi, where `example` is as well."""
    for distribution in (PUBLIC, SAME_NAME, DEPENDENCY):
        upstream.add(distribution)
    site = make_site(upstream_url=upstream.url)
    dev = site.new_user("dev")
    new_index(dev, "dev/base", bases="root/pypi")
    new_index(dev, "dev/leaf", bases="dev/base")
    return site


@pytest.fixture
def dev(site: Site) -> httpx.Client:
    return site.user("dev")


# A private project hides the public one


@pytest.mark.parametrize("holder", ["dev/leaf", "dev/base"])
def test_a_project_of_a_stage_hides_the_public_one_everywhere(
    dev: httpx.Client, upstream: LocalUpstream, holder: str
) -> None:
    upload(dev, holder, PRIVATE)
    assert filenames(dev, "dev/leaf", "example") == [PRIVATE.filename]
    assert page(dev, "dev/leaf", "example")["versions"] == ["1.0"]
    assert set(dev.get("/dev/leaf/example").json()["result"]) == {"1.0"}
    assert dev.get("/dev/leaf/example/9.0").status_code == 404
    for public in (PUBLIC, SAME_NAME):
        path = file_url("dev/leaf", "example", public)
        assert dev.get(path).status_code == dev.get(f"{path}.metadata").status_code == 404
    assert dev.get(file_url("dev/leaf", "example", PRIVATE)).content == PRIVATE.content
    assert upstream.paths == []


def test_what_no_stage_holds_comes_from_the_mirror(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    upload(dev, "dev/leaf", PRIVATE)
    assert filenames(dev, "dev/leaf", "dependency") == [DEPENDENCY.filename]
    content = dev.get(file_url("dev/leaf", "dependency", DEPENDENCY)).content
    assert content == DEPENDENCY.content
    assert not [path for path in upstream.paths if "example" in path]


def test_a_project_in_an_heir_hides_nothing_from_its_bases(dev: httpx.Client) -> None:
    upload(dev, "dev/leaf", PRIVATE)
    assert set(filenames(dev, "dev/base", "example")) == {PUBLIC.filename, SAME_NAME.filename}
    assert dev.get(file_url("dev/base", "example", PUBLIC)).content == PUBLIC.content


def test_an_upload_hides_the_public_project_in_that_moment(dev: httpx.Client) -> None:
    path = file_url("dev/leaf", "example", PUBLIC)
    assert PUBLIC.filename in filenames(dev, "dev/leaf", "example")
    assert dev.get(path).status_code == 200
    upload(dev, "dev/base", PRIVATE)
    assert filenames(dev, "dev/leaf", "example") == [PRIVATE.filename]
    # Kept here or not: what the lineage hides is not served under it.
    assert dev.get(path).status_code == 404
    assert dev.get(file_url("root/pypi", "example", PUBLIC)).status_code == 200


# Unless every stage that holds it says so


@pytest.mark.parametrize("listed", ["example", "EXAMPLE", "other,example", "*"])
def test_a_whitelisted_project_is_merged_with_the_public_one(
    dev: httpx.Client, listed: str
) -> None:
    dev.patch("/dev/leaf", json=[f"mirror_whitelist={listed}"])
    upload(dev, "dev/leaf", PRIVATE)
    assert filenames(dev, "dev/leaf", "example") == [PRIVATE.filename, PUBLIC.filename]
    [first, *_rest] = page(dev, "dev/leaf", "example")["files"]
    # Of two files of one name, that of the stage wins.
    assert first["hashes"] == {"sha256": PRIVATE.sha256}
    assert dev.get(file_url("dev/leaf", "example", PRIVATE)).content == PRIVATE.content
    assert dev.get(file_url("dev/leaf", "example", SAME_NAME)).status_code == 404
    assert dev.get(file_url("dev/leaf", "example", PUBLIC)).content == PUBLIC.content


@pytest.mark.parametrize(
    ("holders", "listing", "merged"),
    [
        (["dev/leaf", "dev/base"], ["dev/leaf"], False),
        (["dev/leaf", "dev/base"], ["dev/base"], False),
        (["dev/leaf", "dev/base"], ["dev/leaf", "dev/base"], True),
        (["dev/base"], ["dev/base"], True),
        (["dev/base"], ["dev/leaf"], False),
        (["dev/leaf"], ["dev/base"], False),
    ],
)
def test_every_stage_that_holds_it_must_whitelist_it(
    dev: httpx.Client, holders: list[str], listing: list[str], merged: bool
) -> None:
    for name in holders:
        upload(dev, name, PRIVATE)
    for name in listing:
        dev.patch(f"/{name}", json=["mirror_whitelist=example"])
    assert (PUBLIC.filename in filenames(dev, "dev/leaf", "example")) is merged


# Reserved names


@pytest.mark.parametrize("index", ["dev/leaf", "dev/base", "root/pypi"])
@pytest.mark.parametrize("pattern", ["example", "ex*", "*", "*-x,exam*e"])
def test_a_reserved_name_is_never_asked_upstream(
    site: Site, dev: httpx.Client, upstream: LocalUpstream, index: str, pattern: str
) -> None:
    assert site.root.patch(f"/{index}", json=[f"reserved={pattern}"]).status_code == 200
    assert page(dev, "dev/leaf", "example")["files"] == []
    assert dev.get(file_url("dev/leaf", "example", PUBLIC)).status_code == 404
    upload(dev, "dev/leaf", PRIVATE)
    dev.patch("/dev/leaf", json=["mirror_whitelist=*"])
    assert filenames(dev, "dev/leaf", "example") == [PRIVATE.filename]
    assert upstream.paths == []


def test_a_name_reserved_on_a_mirror_is_reserved_for_all(
    site: Site, dev: httpx.Client, upstream: LocalUpstream
) -> None:
    site.root.patch("/root/pypi", json=["reserved=acme-*"])
    for index in ("root/pypi", "dev/base", "dev/leaf"):
        assert page(dev, index, "acme-secret")["files"] == []
        assert dev.get(f"/{index}/acme-secret").json()["result"] == {}
    assert upstream.paths == []


def test_a_name_reserved_on_a_stage_is_reserved_for_its_heirs_alone(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    dev.patch("/dev/leaf", json=["reserved=dependency"])
    assert page(dev, "dev/leaf", "dependency")["files"] == []
    assert filenames(dev, "dev/base", "dependency") == [DEPENDENCY.filename]


# Order


def test_bases_are_asked_breadth_first_each_once_and_mirrors_last(
    site: Site, dev: httpx.Client
) -> None:
    for name in ("root", "deep", "left", "right"):
        if name != "root":
            new_index(dev, f"dev/{name}")
    dev.patch("/dev/left", json=["bases=dev/deep"])
    dev.patch("/dev/right", json=["bases=dev/deep"])
    dev.patch("/dev/leaf", json=["bases=root/pypi,dev/left,dev/right"])
    for name in ("left", "right", "deep"):
        dev.patch(f"/dev/{name}", json=["mirror_whitelist=*"])
    contents = {
        name: make_wheel("example", "1.0", body=f"of {name}") for name in ("right", "deep")
    }
    upload(dev, "dev/deep", contents["deep"], make_sdist("example", "1.0"))
    upload(dev, "dev/right", contents["right"])
    files = page(dev, "dev/leaf", "example")["files"]
    assert [file["filename"] for file in files] == [
        PRIVATE.filename, "example-1.0.tar.gz", PUBLIC.filename,
    ]  # fmt: skip
    assert files[0]["hashes"]["sha256"] == contents["right"].sha256
    shown = dev.get("/dev/leaf/example/1.0").json()["result"]
    assert shown["+links"][0]["index"] == "dev/right"
    shadowed = [view["+links"][0]["index"] for view in shown["+shadowing"]]
    assert shadowed == ["dev/deep", "root/pypi"]


def test_the_order_of_bases_decides(dev: httpx.Client) -> None:
    first, second = make_wheel("example", "1.0", body="1"), make_wheel("example", "1.0", body="2")
    new_index(dev, "dev/one")
    new_index(dev, "dev/two")
    upload(dev, "dev/one", first)
    upload(dev, "dev/two", second)
    for bases, winner in (("dev/one,dev/two", first), ("dev/two,dev/one", second)):
        dev.patch("/dev/leaf", json=[f"bases={bases}"])
        [file] = page(dev, "dev/leaf", "example")["files"]
        assert file["hashes"]["sha256"] == winner.sha256
        assert dev.get(file_url("dev/leaf", "example", winner)).content == winner.content


def test_two_mirrors_are_merged_in_the_order_of_bases(
    site: Site, dev: httpx.Client, upstream: LocalUpstream
) -> None:
    with LocalUpstream() as second:
        second.add(make_wheel("example", "9.0", body="another"))
        second.add(make_wheel("example", "10.0"))
        mirror = {"type": "mirror", "mirror_url": second.url}
        new_index(site.root, "root/second", **mirror)
        dev.patch("/dev/leaf", json=["bases=root/second,root/pypi"])
        files = {f["filename"]: f["hashes"] for f in page(dev, "dev/leaf", "example")["files"]}
    assert set(files) == {PUBLIC.filename, SAME_NAME.filename, "example-10.0-py3-none-any.whl"}
    assert files[PUBLIC.filename]["sha256"] != PUBLIC.sha256


def test_a_page_that_would_be_shorter_than_the_truth_is_not_sent(
    site: Site, dev: httpx.Client, upstream: LocalUpstream
) -> None:
    dead = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/"}
    new_index(site.root, "root/dead", **dead)
    dev.patch("/dev/leaf", json=["bases=root/pypi,root/dead"])
    answer = dev.get("/dev/leaf/simple/example/", headers={"Accept": JSON})
    assert answer.status_code == 502
    assert dev.get("/dev/leaf/simple/absent/", headers={"Accept": JSON}).status_code == 502


def test_the_list_names_what_stages_hold_and_mirrors_know(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    upload(dev, "dev/base", make_wheel("zebra"), PRIVATE)
    upload(dev, "dev/leaf", make_wheel("apple"), PRIVATE)
    page(dev, "dev/leaf", "dependency")
    listed = dev.get("/dev/leaf/simple/", headers={"Accept": JSON}).json()["projects"]
    assert [project["name"] for project in listed] == ["apple", "dependency", "example", "zebra"]
    assert upstream.paths == ["/simple/dependency/"]


# I9: no private name is ever told to an upstream


def test_an_upstream_never_hears_a_private_name(
    site: Site, dev: httpx.Client, upstream: LocalUpstream
) -> None:
    site.root.patch("/root/pypi", json=["reserved=acme-*"])
    held, emptied = make_wheel("private-held"), make_wheel("private-emptied")
    upload(dev, "dev/base", held, emptied)
    dev.delete("/dev/base/private-emptied/1.0")
    for index in ("dev/base", "dev/leaf"):
        for name, wheel in (
            ("private-held", held), ("private-emptied", emptied), ("acme-x", make_wheel("acme-x")),
        ):  # fmt: skip
            for path in (
                f"/{index}/simple/{name}/",
                f"/{index}/simple/{name}",
                f"/{index}/+simple/{name}/",
                f"/{index}/{name}",
                f"/{index}/{name}?ignore_bases",
                f"/{index}/{name}/1.0",
                f"/{index}/{name}/9.9",
                file_url(index, name, wheel),
                file_url(index, name, wheel) + ".metadata",
                f"/{index}/+f/{name}/-/{wheel.filename}",
            ):
                for accept in (JSON, "application/json"):
                    dev.get(path, headers={"Accept": accept}, follow_redirects=True)
                dev.head(path)
                site.anonymous.get(path)
            push = {"name": name, "version": "1.0", "targetindex": "dev/leaf"}
            dev.post(f"/{index}", json=push)
    assert not [path for path in upstream.paths if "private" in path or "acme" in path]
