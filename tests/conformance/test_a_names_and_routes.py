"""A. Names, routes, redirects: items 1 to 11."""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest

from conformance.index import Index, OpenIndex
from conformance.pages import HTML, JSON, PIP, POETRY, TEXT_HTML, UV, parse_html
from conformance.shelf import Shelf
from stillroom_server.testing import LocalUpstream
from support.distributions import import_name, make_metadata, make_wheel
from support.front import Front

TEMPORARY = {302, 307}
REDIRECTS = {301, 302, 303, 307, 308}


def spellings(name: str) -> list[str]:
    """Other ways to write a normalised name, each equal to it under normalisation."""
    words = name.split("-")
    return [name.upper(), "_".join(words), ".".join(words), "-_.".join(words), name.title()]


@pytest.mark.parametrize("accept", [JSON, HTML, TEXT_HTML])
def test_001_project_list_by_accept(index: Index, shelf: Shelf, accept: str) -> None:
    """[S] `GET /simple/`: 200, one entry per visible project, HTML or JSON by Accept."""
    answer = index.get("", accept)
    assert answer.status_code == 200
    if accept == JSON:
        names = [project["name"] for project in answer.json()["projects"]]
    else:
        names = [link.text for link in parse_html(answer.text).links]
    assert names.count(shelf.name) == 1
    assert len(set(names)) == len(names)


def test_002_project_page(index: Index, shelf: Shelf) -> None:
    """[S] `GET /simple/<normalised>/`: 200."""
    assert index.get(f"{shelf.name}/").status_code == 200


def test_003_without_the_slash(index: Index, shelf: Shelf) -> None:
    """[s] `GET /simple/<normalised>`: one redirect to the slash form, or 200; query kept."""
    answer = index.get(f"{shelf.name}?some=query", JSON)
    if answer.status_code == 200:
        assert answer.json() == index.page(shelf.name)
        return
    assert answer.status_code in REDIRECTS
    target = answer.url.join(answer.headers["Location"])
    assert str(target) == f"{index.simple}{shelf.name}/?some=query"
    assert index.get(str(target), JSON).json() == index.page(shelf.name)


def test_004_spellings_lead_to_the_normalised_name_in_one_step(
    open_index: OpenIndex, index: Index, shelf: Shelf, secure_front: Front
) -> None:
    """[s] `GET /simple/Foo_.Bar/`: one redirect, right behind a path prefix and proxy scheme."""
    outside = open_index(index.name, front=secure_front)
    for seen in (index, outside):
        for spelling in spellings(shelf.name):
            answer = seen.get(f"{spelling}/", JSON)
            assert answer.status_code in REDIRECTS, spelling
            target = str(answer.url.join(answer.headers["Location"]))
            assert target == f"{seen.simple}{shelf.name}/"
            assert seen.get(target, JSON).status_code == 200


def test_005_redirects_can_be_taken_back(index: Index, shelf: Shelf) -> None:
    """[P] Redirects of 3 and 4 are 302 or 307, or not stored; they carry `Vary: Accept`."""
    answers = [index.get(f"{spelling}/", PIP) for spelling in spellings(shelf.name)]
    answers.append(index.get(shelf.name, PIP))
    redirects = [answer for answer in answers if answer.status_code in REDIRECTS]
    assert redirects
    for answer in redirects:
        not_stored = "no-store" in answer.headers.get("Cache-Control", "")
        assert answer.status_code in TEMPORARY or not_stored
        assert "accept" in answer.headers.get("Vary", "").lower().replace(" ", "").split(",")


def test_006_equal_names_are_one_project(index: Index, project: str) -> None:
    """[S] Names equal under normalisation are one project."""
    names = [project, *spellings(project)]
    wheels = [make_wheel(name, f"{number}.0") for number, name in enumerate(names)]
    index.upload(*wheels)
    assert set(index.rows(project)) == {wheel.filename for wheel in wheels}
    assert index.projects().count(project) == 1


BAD_NAMES = ["-{}", "{}-", "{} b", "{}é", "{}\n", "_{}", "{}.", ""]


@pytest.mark.parametrize("shape", BAD_NAMES, ids=repr)
def test_007_invalid_names(index: Index, project: str, shape: str) -> None:
    """[S] An invalid name is refused with 400 at upload; its page is 404, never 500."""
    name = shape.format(project)
    if name:  # an empty field says nothing
        assert index.send(make_wheel(project, "1.0"), {"name": name}).status_code == 400
    if "\n" not in name:  # which a header cannot say
        metadata = f"{import_name(project)}-1.0.dist-info/METADATA"
        members = {metadata: make_metadata(name, "1.0")}
        evil = make_wheel(project, "1.0", members=members)
        for said in (name, None):
            assert index.send(evil, {"name": said}).status_code == 400
    path = urlsplit(index.simple).path
    assert index.status_of_target(f"{path}{quote(name)}/") == 404
    assert index.get(f"{project}/").status_code == 404


@pytest.mark.parametrize("accept", [JSON, HTML, TEXT_HTML, "*/*", PIP, UV, POETRY])
def test_008_unknown_project(index: Index, project: str, accept: str) -> None:
    """[C] An unknown project is 404 with any Accept, with a short body; never 200."""
    answer = index.get(f"{project}/", accept)
    assert answer.status_code == 404
    assert len(answer.content) < 2_000


def test_009_claimed_project_without_files(
    index: Index, project: str, delete_file: Callable[..., None]
) -> None:
    """[P] A claimed project without files: 200 and `files: []`."""
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    delete_file(index.name, wheel)
    assert index.page(project)["files"] == []
    assert index.html(project).links == ()


def test_010_upstream_out_of_reach(upstream: LocalUpstream, mirror: Index, project: str) -> None:
    """[P] Upstream unreachable and nothing cached: 502 or 504, not 404."""
    upstream.add(make_wheel(project, "1.0"))
    upstream.stop()
    for name in (project, "never-heard-of"):
        assert mirror.get(f"{name}/", JSON).status_code in {502, 504}


ESCAPES = [
    "%2e%2e/", "%2e%2e/%2e%2e/", "..%2f", "../../../etc/passwd", "foo%2Fbar/", "foo%5Cbar/",
    "%2e/", "foo%00/", "foo/../../..//", "%252e%252e/", "%c0%ae%c0%ae/",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_011_no_traversal(index: Index, path: str) -> None:
    """[S] Percent-encoded and dot-segment paths: 404 or 400, no traversal."""
    start = urlsplit(index.simple).path
    assert index.status_of_target(f"{start}{path}") in {400, 404}
