"""Simple pages: what stands on them, in JSON and HTML, and which form a client gets."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import httpx
import pytest
from packaging.version import Version
from pypi_simple import ProjectPage

from support.distributions import make_sdist, make_wheel
from support.site import API, HTML, JSON, Site, file_url, new_index, upload

TEXT_HTML = "text/html"
LIST, PAGE = "/dev/stage/simple/", "/dev/stage/simple/some-project/"
REASON = 'too "new" <script>alert(1)</script> & odd'

PLAIN = make_wheel("Some.Project", "1.0", requires_python=">=3.8,!=3.9.*,<4")
LOCAL = make_wheel("Some.Project", "1.0+cu121")
STATIC = make_sdist("Some.Project", "1.0")
OLD = make_sdist("Some.Project", "0.9", pkg_info_version="2.1")
YANKED = make_wheel("Some.Project", "2.0rc1")
FILES = {d.filename: d for d in (PLAIN, LOCAL, STATIC, OLD, YANKED)}


@pytest.fixture(scope="module")
def dev(shared_site: Site) -> httpx.Client:
    """A client; `dev/stage` has some-project with files of all kinds, and another project."""
    client = shared_site.user("dev")
    upload(client, "dev/stage", *FILES.values(), make_wheel("another"))
    answer = client.patch("/dev/stage/some-project/2.0rc1", json={"yanked": REASON})
    assert answer.status_code == 200
    return client


def get(client: httpx.Client, path: str, accept: str, **headers: str) -> httpx.Response:
    answer = client.get(path, headers={"Accept": accept, **headers})
    assert answer.status_code == 200, answer.text
    return answer


# In any form


@pytest.mark.parametrize("path", [LIST, PAGE, PAGE.replace("simple", "+simple")])
@pytest.mark.parametrize("accept", [JSON, HTML, TEXT_HTML])
def test_both_spellings_and_every_form_say_their_length(
    dev: httpx.Client, path: str, accept: str
) -> None:
    answer = get(dev, path, accept, **{"Accept-Encoding": "identity"})
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_project_called_simple_keeps_its_json_view(site: Site) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    upload(dev, "dev/stage", make_wheel("simple"))
    assert dev.get(LIST, headers={"Accept": API}).json()["type"] == "projectconfig"
    assert dev.get(f"{LIST}1.0", headers={"Accept": API}).json()["type"] == "versiondata"
    listed = dev.get(LIST, headers={"Accept": JSON}).json()
    assert listed["projects"] == [{"name": "simple"}]
    assert dev.delete("/dev/stage/simple").status_code == 200


# In JSON


@pytest.fixture(scope="module")
def as_json(dev: httpx.Client) -> dict[str, Any]:
    return get(dev, PAGE, JSON).json()


def test_the_page_says_its_version_its_project_and_its_releases(as_json: dict[str, Any]) -> None:
    assert as_json["meta"] == {"api-version": "1.4"}
    assert as_json["name"] == "some-project"
    assert set(as_json) == {"meta", "name", "versions", "files"}
    versions = [Version(text) for text in as_json["versions"]]
    assert sorted(versions) == [Version(v) for v in ("0.9", "1.0", "1.0+cu121", "2.0rc1")]


def test_each_file_is_described_as_it_is(dev: httpx.Client, as_json: dict[str, Any]) -> None:
    assert {file["filename"] for file in as_json["files"]} == set(FILES)
    for file in as_json["files"]:
        distribution = FILES[file["filename"]]
        assert file["hashes"] == {"sha256": distribution.sha256}
        assert file["size"] == len(distribution.content)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", file["upload-time"])
        downloaded = dev.get(urljoin(PAGE, file["url"]))
        assert downloaded.content == distribution.content
        assert (
            urlsplit(file["url"]).path.rpartition("/")[2].replace("%2B", "+") == file["filename"]
        )


def test_what_is_not_known_is_left_out(as_json: dict[str, Any]) -> None:
    assert "null" not in json.dumps(as_json)
    by_name = {file["filename"]: file for file in as_json["files"]}
    assert by_name[PLAIN.filename]["requires-python"] == ">=3.8,!=3.9.*,<4"
    assert "requires-python" not in by_name[LOCAL.filename]
    for file in as_json["files"]:
        assert not {"dist-info-metadata", "data-dist-info-metadata", "provenance"} & set(file)


def test_yanked_files_say_why(as_json: dict[str, Any]) -> None:
    yanked = {file["filename"]: file["yanked"] for file in as_json["files"]}
    assert yanked == {name: REASON if name == YANKED.filename else False for name in FILES}


def test_metadata_is_offered_with_its_digest_where_it_is_final(
    dev: httpx.Client, as_json: dict[str, Any]
) -> None:
    for file in as_json["files"]:
        metadata = dev.get(urljoin(PAGE, file["url"]) + ".metadata")
        if file["filename"] == OLD.filename:
            assert file["core-metadata"] is False
            assert metadata.status_code == 404
        else:
            digest = hashlib.sha256(metadata.content).hexdigest()
            assert file["core-metadata"] == {"sha256": digest}
            assert metadata.content == FILES[file["filename"]].metadata


def test_a_strict_reader_understands_the_page(dev: httpx.Client, as_json: dict[str, Any]) -> None:
    read = ProjectPage.from_json_data(as_json, f"http://stillroom.test{PAGE}")
    assert {package.filename for package in read.packages} == set(FILES)
    assert {package.is_yanked for package in read.packages} == {False, True}


def test_the_list_names_each_project_once_in_order(dev: httpx.Client) -> None:
    assert get(dev, LIST, JSON).json() == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "another"}, {"name": "some-project"}],
    }


# In HTML


def parsed(answer: httpx.Response) -> Element:
    """The document; a parse error fails the test."""
    assert answer.text.startswith("<!DOCTYPE html>")
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(answer.text)


@dataclass(frozen=True)
class Link:
    """What a link of a page says of a file."""

    filename: str
    sha256: str
    yanked: str | None
    requires_python: str | None


def links_of(document: Element) -> list[Link]:
    found = []
    for anchor in document.iter("a"):
        url, _, fragment = anchor.get("href").partition("#")
        assert anchor.text == unquote(url.rpartition("/")[2])
        assert re.fullmatch(r"sha256=[0-9a-f]{64}", fragment)
        found.append(
            Link(
                anchor.text,
                fragment.removeprefix("sha256="),
                anchor.get("data-yanked"),
                anchor.get("data-requires-python"),
            )
        )
    return found


@pytest.mark.parametrize("accept", [HTML, TEXT_HTML])
@pytest.mark.parametrize("path", [LIST, PAGE])
def test_pages_are_valid_html5_and_say_their_version(
    dev: httpx.Client, path: str, accept: str
) -> None:
    document = parsed(get(dev, path, accept))
    metas = {meta.get("name"): meta.get("content") for meta in document.iter("meta")}
    assert metas["pypi:repository-version"] == "1.4"
    assert not list(document.iter("script"))


def test_html_says_the_same_as_json(dev: httpx.Client, as_json: dict[str, Any]) -> None:
    assert links_of(parsed(get(dev, PAGE, HTML))) == [
        Link(
            file["filename"],
            file["hashes"]["sha256"],
            file["yanked"] or None,
            file.get("requires-python"),
        )
        for file in as_json["files"]
    ]


def test_html_offers_metadata_under_both_names(dev: httpx.Client, as_json: dict[str, Any]) -> None:
    anchors = {a.text: a for a in parsed(get(dev, PAGE, HTML)).iter("a")}
    for file in as_json["files"]:
        anchor = anchors[file["filename"]]
        said = {anchor.get("data-core-metadata"), anchor.get("data-dist-info-metadata")}
        known = file["core-metadata"]
        assert said == {f"sha256={known['sha256']}" if known else None}


def test_the_list_links_to_pages_by_name(dev: httpx.Client) -> None:
    anchors = parsed(get(dev, LIST, HTML)).iter("a")
    assert [(a.get("href"), a.text) for a in anchors] == [
        ("another/", "another"),
        ("some-project/", "some-project"),
    ]


def test_local_versions_are_encoded_in_urls_and_plain_in_names(
    dev: httpx.Client, as_json: dict[str, Any]
) -> None:
    [file] = [f for f in as_json["files"] if f["filename"] == LOCAL.filename]
    assert "+" in file["filename"]
    assert file["url"].endswith("-1.0%2Bcu121-py3-none-any.whl")
    path = file_url("dev/stage", "some-project", LOCAL)
    for spelled in (path, path.replace("%2B", "+")):
        assert dev.get("/", extensions={"target": spelled.encode()}).content == LOCAL.content


def test_links_stay_under_the_index_that_was_asked(site: Site) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/base")
    new_index(dev, "dev/heir", bases="dev/base")
    upload(dev, "dev/base", PLAIN)
    path = "/dev/heir/simple/some-project/"
    [file] = get(dev, path, JSON).json()["files"]
    assert urljoin(path, file["url"]) == file_url("dev/heir", "some-project", PLAIN)
    assert dev.get(urljoin(path, file["url"])).content == PLAIN.content


# What is not there


@pytest.mark.parametrize("accept", [JSON, HTML, TEXT_HTML, "*/*", "application/xml"])
def test_a_project_that_nobody_has_is_not_found_in_any_form(
    dev: httpx.Client, accept: str
) -> None:
    answer = dev.get("/dev/stage/simple/absent/", headers={"Accept": accept})
    assert answer.status_code == (406 if accept == "application/xml" else 404)
    assert len(answer.content) < 500
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_reserved_name_that_nobody_holds_is_a_page_without_files(site: Site) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", reserved="acme-*", bases="root/pypi")
    page = get(dev, f"{LIST}acme-secret/", JSON).json()
    assert (page["files"], page["versions"]) == ([], [])
    assert not list(parsed(get(dev, f"{LIST}acme-secret/", HTML)).iter("a"))
