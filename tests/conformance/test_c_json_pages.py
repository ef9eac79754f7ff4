"""C. JSON content: items 26 to 40."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pypi_simple
import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from conformance.index import Index, OpenIndex
from conformance.pages import JSON
from conformance.shelf import Shelf, version_in
from conformance.tools import Tools
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.front import Front

UPLOAD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

PAGE_KEYS = {"meta", "name", "versions", "files", "project-status"}
META_KEYS = {"api-version"}
FILE_KEYS = {
    "filename", "url", "hashes", "requires-python", "core-metadata", "gpg-sig", "yanked", "size",
    "upload-time", "provenance",
}  # fmt: skip

Yank = Callable[..., None]


@pytest.fixture
def page(index: Index, shelf: Shelf) -> dict[str, Any]:
    """The page of the shelf."""
    return index.page(shelf.name)


def values_of(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in a document, with the keys that lead there."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from values_of(inner, f"{path}/{key}")
    if isinstance(value, list):
        for inner in value:
            yield from values_of(inner, path)


def test_026_api_version(index: Index, page: dict[str, Any]) -> None:
    """[S] `meta.api-version` is the string "1.4" on the list and on the page."""
    assert page["meta"]["api-version"] == "1.4"
    assert index.get("", JSON).json()["meta"]["api-version"] == "1.4"


def test_027_an_object_with_the_normalised_name(index: Index, new_name: Callable[[], str]) -> None:
    """[S] The top level is an object; `name` is normalised."""
    name = new_name()
    index.upload(make_wheel(name.upper().replace("-", "._"), "1.0"))
    page = index.page(name)
    assert isinstance(page, dict)
    assert page["name"] == name == canonicalize_name(name)


def test_028_mandatory_keys_and_size(index: Index, shelf: Shelf, page: dict[str, Any]) -> None:
    """[S] Every file has filename, url, hashes and size, the length of its body."""
    assert {file["filename"] for file in page["files"]} == {f.filename for f in shelf.files}
    for file in page["files"]:
        assert file.keys() >= {"filename", "url", "hashes", "size"}
        body = index.get(index.file_url(shelf.name, file["filename"])).content
        assert type(file["size"]) is int
        assert file["size"] == len(body) > 0


def test_029_sha256(index: Index, shelf: Shelf, page: dict[str, Any]) -> None:
    """[S] `hashes.sha256` is that of the body, in 64 lower-case hex digits."""
    for file in page["files"]:
        body = index.get(index.file_url(shelf.name, file["filename"])).content
        assert file["hashes"]["sha256"] == hashlib.sha256(body).hexdigest()
        assert all(name == name.lower() for name in file["hashes"])


def test_030_versions(index: Index, project: str) -> None:
    """[S] Every file's version is in `versions`; no two are the same version, no file twice."""
    spelled = [make_wheel(project, "1.0"), make_wheel(project, "1.0.0", tag="py2-none-any")]
    index.upload(*spelled, make_wheel(project, "2.0"), make_wheel(project, "1!0.1.dev0"))
    page = index.page(project)
    versions = [Version(version) for version in page["versions"]]
    names = [file["filename"] for file in page["files"]]
    assert len(names) == len(set(names)) == 4
    assert len(versions) == len(set(versions))
    assert set(versions) == {version_in(name) for name in names}


def test_031_upload_time(page: dict[str, Any]) -> None:
    """[S] `upload-time` is UTC in the form of PEP 700, with at most six digits of a second."""
    times = [file["upload-time"] for file in page["files"]]
    assert times
    for time in times:
        assert UPLOAD_TIME.fullmatch(time), time


def test_032_no_nulls(index: Index, page: dict[str, Any]) -> None:
    """[C] No null for size, upload-time, yanked, project-status, hashes, url or filename."""
    assert page["files"]
    never = ("size", "upload-time", "yanked", "project-status", "hashes", "url", "filename")
    for document in (page, index.get("", JSON).json()):
        nulls = {path.rpartition("/")[2] for path, value in values_of(document) if value is None}
        assert nulls.isdisjoint(never)


@pytest.mark.parametrize("reason", ["it breaks", True, ""], ids=repr)
def test_033_yanked(index: Index, project: str, yank: Yank, reason: str | bool) -> None:
    """[S] `yanked` is a bool or a non-empty string; unyanked it is false or not there."""
    wheel, other = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    index.upload(wheel, other)
    yank(index.name, project, "1.0", reason)
    assert index.rows(project)[wheel.filename]["yanked"] == (reason or True)
    assert index.rows(project)[other.filename].get("yanked", False) is False
    yank(index.name, project, "1.0", False)
    assert index.rows(project)[wheel.filename].get("yanked", False) is False


def test_034_requires_python(index: Index, shelf: Shelf) -> None:
    """[S] `requires-python` is what the file's own metadata says, absent where that lacks it."""
    rows = index.rows(shelf.name)
    for file in shelf.files:
        said = [
            line.partition(": ")[2]
            for line in file.metadata.decode().splitlines()
            if line.startswith("Requires-Python")
        ]
        row = rows[file.filename]
        assert [row["requires-python"]] == said if said else "requires-python" not in row
    assert "requires-python" in rows[shelf.wheel.filename]
    assert "requires-python" not in rows[shelf.local.filename]


def test_035_core_metadata(index: Index, shelf: Shelf, page: dict[str, Any]) -> None:
    """[S] `core-metadata` tells the digest of `.metadata`; no `dist-info-metadata` (old pip)."""
    told = 0
    for file in page["files"]:
        assert not {"dist-info-metadata", "data-dist-info-metadata"} & file.keys()
        said = file.get("core-metadata", False)
        assert isinstance(said, bool | dict)
        if isinstance(said, dict):
            url = index.file_url(shelf.name, file["filename"])
            body = index.get(f"{url}.metadata").content
            assert said["sha256"] == hashlib.sha256(body).hexdigest()
            told += 1
    assert told >= len(shelf.wheels)


def test_036_provenance(
    open_index: OpenIndex,
    index: Index,
    page: dict[str, Any],
    upstream: LocalUpstream,
    mirror: Index,
    project: str,
    secure_front: Front,
) -> None:
    """[S] `provenance` is absent, null, or an absolute https URL that answers 200."""
    assert all(file.get("provenance") is None for file in page["files"])
    wheel = make_wheel(project, "1.0")
    upstream.add(wheel, provenance={"version": 1, "attestation_bundles": []})
    outside = open_index(mirror.name, front=secure_front)
    url = outside.rows(project)[wheel.filename]["provenance"]
    assert url.startswith(secure_front.url)
    assert outside.get(url).status_code == 200


def test_037_project_status(index: Index, shelf: Shelf, page: dict[str, Any]) -> None:
    """[S] `project-status` is at the top level with a legal status; active by default."""
    assert page.get("project-status", {"status": "active"}) == {"status": "active"}
    assert "project-status" not in page["meta"]
    assert all("project-status" not in file for file in page["files"])


def test_038_strict_readers(index: Index, shelf: Shelf, tools: Tools) -> None:
    """[S] The page is read by the models of pypi-simple, and by uv, without a warning."""
    assert index.login is not None
    with pypi_simple.PyPISimple(index.simple, auth=tuple(index.login)) as reader:
        read = reader.get_project_page(shelf.name)
        names = reader.get_index_page().projects
    assert {file.filename for file in read.packages} == {file.filename for file in shelf.files}
    assert {file.digests["sha256"] for file in read.packages} == {f.sha256 for f in shelf.files}
    assert shelf.name in names
    ran = tools.venv().uv(
        "install", "--index-url", index.simple_with_login, f"{shelf.name}==1.5+cu121"
    )
    assert "warning" not in ran.text.lower()


def test_039_private_keys(index: Index, page: dict[str, Any]) -> None:
    """[s] Beyond the standard there are only keys that begin with an underscore."""
    meta, files = page["meta"], page["files"]
    listed = index.get("", JSON).json()
    seen = [
        (page, PAGE_KEYS),
        (meta, META_KEYS),
        *((file, FILE_KEYS) for file in files),
        (listed, {"meta", "projects"}),
        (listed["meta"], META_KEYS),
        *((project, {"name"}) for project in listed["projects"]),
    ]
    for value, known in seen:
        assert {key for key in value if not key.startswith("_")} <= known


def test_040_stable(quiet: Index, shelf: Shelf) -> None:
    """[P] Two requests without a change between them get the same bytes."""
    for path in ("", f"{shelf.name}/"):
        first, second = (quiet.get(path, JSON) for _ in range(2))
        assert first.content == second.content
