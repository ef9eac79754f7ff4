"""Projects and releases in JSON, as devpi's client lists and removes them."""

from collections.abc import Callable

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.site import BASE_URL, Site, file_url, new_index, upload

WHEEL = make_wheel(
    "Example", "1.0", summary="An example", requires_python=">=3.8", requires_dist=["six", "idna"]
)
SDIST = make_sdist("Example", "1.0")
NEWER = make_wheel("Example", "2.0")


@pytest.fixture
def dev(dev: httpx.Client) -> httpx.Client:
    upload(dev, "dev/stage", WHEEL, SDIST, NEWER)
    return dev


@pytest.mark.parametrize(
    "path", ["/dev/stage/example", "/dev/stage/example/", "/dev/stage/EXAMPLE"]
)
def test_a_project_shows_its_releases_by_version(dev: httpx.Client, path: str) -> None:
    body = dev.get(path).json()
    assert body["type"] == "projectconfig"
    assert set(body["result"]) == {"1.0", "2.0"}
    release = body["result"]["1.0"]
    assert (release["name"], release["version"]) == ("Example", "1.0")
    assert release["summary"] == "An example"
    assert release["requires_python"] == ">=3.8"
    assert release["requires_dist"] == ["six", "idna"]
    assert body["result"]["1.0"] == dev.get("/dev/stage/example/1.0").json()["result"]


@pytest.mark.parametrize("version", ["1.0", "1.0/", "v1.0"])
def test_a_release_is_found_by_its_version(dev: httpx.Client, version: str) -> None:
    body = dev.get(f"/dev/stage/example/{version}").json()
    assert body["type"] == "versiondata"
    assert body["result"]["version"] == "1.0"


def test_links_are_absolute_and_name_the_index_that_owns_the_file(dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    [wheel, sdist] = dev.get("/dev/heir/example/1.0").json()["result"]["+links"]
    assert wheel["rel"] == "releasefile"
    assert wheel["href"] == BASE_URL + file_url("dev/stage", "example", WHEEL)
    assert wheel["hash_spec"] == f"sha256={WHEEL.sha256}"
    assert wheel["hashes"] == {"sha256": WHEEL.sha256}
    assert wheel["size"] == len(WHEEL.content)
    [logged] = wheel["log"]
    assert (logged["what"], logged["who"], len(logged["when"])) == ("upload", "dev", 6)
    for link, distribution in ((wheel, WHEEL), (sdist, SDIST)):
        assert dev.get(link["href"]).content == distribution.content
        # devpi's client removes what begins with the URL of the index that it uses.
        assert link["href"].startswith(f"{BASE_URL}/dev/stage/")


def test_a_release_of_several_indexes_shows_whom_it_shadows(dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/heir", make_wheel("example", "1.0", summary="Ours"))
    release = dev.get("/dev/heir/example/1.0").json()["result"]
    assert release["summary"] == "Ours"
    assert [link["index"] for link in release["+links"]] == ["dev/heir"]
    [shadowed] = release["+shadowing"]
    assert shadowed["summary"] == "An example"
    assert [link["index"] for link in shadowed["+links"]] == ["dev/stage", "dev/stage"]


def test_bases_can_be_left_out(dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/heir", make_wheel("example", "3.0"))
    assert set(dev.get("/dev/heir/example").json()["result"]) == {"1.0", "2.0", "3.0"}
    alone = dev.get("/dev/heir/example", params={"ignore_bases": ""})
    assert set(alone.json()["result"]) == {"3.0"}
    new_index(dev, "dev/empty", bases="dev/stage")
    assert dev.get("/dev/empty/example?ignore_bases").status_code == 404


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/stage/absent", "There is no project absent in dev/stage."),
        ("/dev/stage/absent/1.0", "There is no project absent in dev/stage."),
        ("/dev/stage/example/9.9", "There is no release example 9.9 in dev/stage."),
        ("/dev/stage/example/x", "There is no release example x in dev/stage."),
    ],
)
def test_what_is_not_there_is_not_found(dev: httpx.Client, path: str, message: str) -> None:
    answer = dev.get(path)
    assert answer.status_code == 404
    assert answer.json()["message"] == message


def test_a_mirrored_project_shows_what_its_upstream_says(
    make_site: Callable[..., Site], upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL, yanked="bad")
    upstream.add(SDIST)
    site = make_site(upstream_url=upstream.url)
    result = site.anonymous.get("/root/pypi/example").json()["result"]
    assert set(result) == {"1.0"}
    assert result["1.0"]["requires_python"] == ">=3.8"
    [wheel, sdist] = result["1.0"]["+links"]
    assert wheel["href"] == BASE_URL + file_url("root/pypi", "example", WHEEL)
    assert (wheel["yanked"], sdist["yanked"]) == ("bad", False)
    assert site.anonymous.get(wheel["href"]).content == WHEEL.content
