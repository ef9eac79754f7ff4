"""N. Other clients and mirrors: items 142 to 150."""

import itertools
import json
import re
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from conformance.index import Index, OpenIndex
from conformance.memory import Watch
from conformance.pages import HTML, JSON
from conformance.tools import Tools
from stillroom_server.testing import LocalUpstream, generated_name
from support.distributions import import_name, make_sdist, make_wheel
from support.front import Front

OLD, NEW = "2023-05-01T10:11:12.345678Z", "2025-05-01T00:00:00Z"
BETWEEN = "2024-01-01T00:00:00Z"

MANY_FILES = 5_000
MANY_NAMES = 100_000
MEGABYTE = 1_000_000

INFO_KEYS = {
    "author", "author_email", "bugtrack_url", "classifiers", "description",
    "description_content_type", "docs_url", "download_url", "downloads", "dynamic", "home_page",
    "keywords", "license", "license_expression", "license_files", "maintainer",
    "maintainer_email", "name", "package_url", "platform", "project_url", "project_urls",
    "provides_extra", "release_url", "requires_dist", "requires_python", "summary", "version",
    "yanked", "yanked_reason",
}  # fmt: skip
FILE_KEYS = {
    "filename", "packagetype", "python_version", "has_sig", "comment_text", "md5_digest",
    "digests", "size", "downloads", "upload_time", "upload_time_iso_8601", "url",
    "requires_python", "yanked", "yanked_reason",
}  # fmt: skip


# pip


def test_142_pip_index_versions(index: Index, project: str, tools: Tools) -> None:
    """[C] `pip index versions x --json` says the right list."""
    index.upload(*(make_wheel(project, version) for version in ("1.0", "1.10", "1.9", "2.0rc1")))
    ran = tools.venv().pip(
        "index", "versions", "--json", "--index-url", index.simple_with_login, project
    )
    told = json.loads(ran.out)
    assert (told["name"], told["latest"]) == (project, "1.10")
    assert told["versions"] == ["1.10", "1.9", "1.0"]


def test_142_pip_download(index: Index, project: str, tools: Tools, tmp_path: Path) -> None:
    """[C] `pip download` brings wheels and sdists as they are."""
    files = make_wheel(project, "2.0"), make_sdist(project, "1.0")
    index.upload(*files)
    environment = tools.venv()
    for file, wanted in zip(files, (f"{project}==2.0", f"{project}==1.0"), strict=True):
        where = ("--index-url", index.simple_with_login, "--dest", tmp_path / "down")
        environment.pip("download", "--no-deps", *where, wanted)
        assert (tmp_path / "down" / file.filename).read_bytes() == file.content


def test_142_require_hashes(index: Index, project: str, tools: Tools, tmp_path: Path) -> None:
    """[C] `pip install --require-hashes` takes what has the digest, and nothing else."""
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    environment, wanted = tools.venv(), tmp_path / "requirements.txt"
    install = ("install", "--index-url", index.simple_with_login, "--require-hashes", "-r", wanted)
    wanted.write_text(f"{project}==1.0 --hash=sha256:{'0' * 64}\n")
    environment.pip(*install, status=None)
    assert environment.version(import_name(project)) is None
    wanted.write_text(f"{project}==1.0 --hash=sha256:{wheel.sha256}\n")
    environment.pip(*install)
    assert environment.version(import_name(project)) == "1.0"


# Times


def test_143_every_file_has_its_time(
    index: Index, upstream: LocalUpstream, mirror: Index, project: str
) -> None:
    """[C] Every file has an upload-time; that of a mirror is the upstream's."""
    files = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    for file, time in zip(files, (OLD, NEW), strict=True):
        upstream.add(file, upload_time=time)
    rows = mirror.rows(project)
    told = [datetime.fromisoformat(rows[file.filename]["upload-time"]) for file in files]
    assert told == [datetime.fromisoformat(time) for time in (OLD, NEW)]
    silent = make_wheel(f"{project}-silent", "1.0")
    upstream.add(silent, upload_time=None)
    assert "upload-time" in mirror.rows(f"{project}-silent")[silent.filename]
    index.upload(*files)
    assert all("upload-time" in row for row in index.rows(project).values())


@pytest.fixture
def dated(upstream: LocalUpstream, mirror: Index, project: str) -> Index:
    """A mirror with two releases of the project, years apart."""
    upstream.add(make_wheel(project, "1.0"), upload_time=OLD)
    upstream.add(make_wheel(project, "2.0"), upload_time=NEW)
    return mirror


def test_143_pip_goes_back_in_time(dated: Index, project: str, tools: Tools) -> None:
    """[C] `pip install --uploaded-prior-to <date>` chooses by upload-time."""
    environment = tools.venv()
    url = ("--index-url", dated.simple_with_login)
    environment.pip("install", *url, "--uploaded-prior-to", BETWEEN, project)
    assert environment.version(import_name(project)) == "1.0"


def application(tools: Tools, simple: str, *requirements: str, more: str = "") -> Path:
    """A project for uv that needs something of an index."""
    folder = tools.home / "application"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f"""\
[project]
name = "application"
version = "1.0"
requires-python = ">=3.11"
dependencies = {json.dumps(requirements)}

[tool.uv]
{more}

[[tool.uv.index]]
url = "{simple}"
default = true
"""
    )
    return folder


def locked(folder: Path, project: str) -> dict[str, object]:
    """What uv.lock says of a project."""
    packages = tomllib.loads((folder / "uv.lock").read_text())["package"]
    (found,) = (package for package in packages if package["name"] == project)
    return found


def test_143_uv_goes_back_in_time(dated: Index, project: str, tools: Tools) -> None:
    """[C] `uv lock --exclude-newer <date>` chooses by upload-time."""
    folder = application(tools, dated.simple_with_login, project)
    tools.run("uv", "lock", "--exclude-newer", BETWEEN, folder=folder)
    assert locked(folder, project)["version"] == "1.0"


# Locks


def test_144_uv_lock(
    index: Index, open_index: OpenIndex, project: str, secure_front: Front, tools: Tools
) -> None:
    """[C] Locking twice gives one lock; syncing asks for file URLs only; the lock says it all."""
    seen = open_index(index.name, front=secure_front)
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    folder = application(tools, seen.simple_with_login, project)
    tools.run("uv", "lock", folder=folder)
    lock = (folder / "uv.lock").read_text()
    (file,) = locked(folder, project)["wheels"]
    assert file["url"].startswith(seen.place.url)
    assert "@" not in file["url"]
    assert (file["hash"], file["size"]) == (f"sha256:{wheel.sha256}", len(wheel.content))
    assert re.match(r"\d{4}-\d\d-\d\dT", str(file["upload-time"]).replace(" ", "T"))
    tools.run("uv", "lock", "--upgrade", "--refresh", folder=folder)
    assert (folder / "uv.lock").read_text() == lock
    secure_front.forget()
    tools.run("uv", "cache", "clean", folder=folder)
    tools.run("uv", "sync", "--locked", folder=folder)
    names = {request.filename for request in secure_front.requests}
    assert wheel.filename in names
    assert names <= {wheel.filename, f"{wheel.filename}.metadata"}


def test_145_poetry_lock(
    index: Index, open_index: OpenIndex, project: str, front: Front, tools: Tools
) -> None:
    """[C] `poetry lock` downloads no bodies of files."""
    needed = f"{project}-needed"
    index.upload(make_wheel(project, "1.0", requires_dist=[needed]), make_wheel(needed, "1.0"))
    seen = open_index(index.name, front=front)
    folder = tools.poetry_project(seen, project)
    tools.client("poetry", "lock", "--no-interaction", folder=folder)
    names = [
        package["name"]
        for package in tomllib.loads((folder / "poetry.lock").read_text())["package"]
    ]
    assert sorted(names) == sorted([project, needed])
    asked = [request for request in front.requests if "." in request.filename]
    assert asked
    assert all(request.filename.endswith(".metadata") for request in asked)


# The legacy JSON API


def test_146_legacy_json(
    index: Index, project: str, legacy_json_path: Callable[..., str], yank: Callable[..., None]
) -> None:
    """[s] `/pypi/<name>/json` and `/pypi/<name>/<version>/json`: their shape; 404 for unknown."""
    base = index.place.url
    first = make_wheel(project, "1.0", summary="First", requires_python=">=3.8")
    second, sdist = make_wheel(project, "2.0", summary="Second"), make_sdist(project, "2.0")
    newest = make_wheel(project, "3.0rc1")
    index.upload(first, second, sdist, newest)
    yank(index.name, project, "1.0", "it breaks")
    answer = index.get(base + legacy_json_path(index.name, project))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    told = answer.json()
    assert told.keys() >= {"info", "last_serial", "releases", "urls", "vulnerabilities"}
    assert told["info"].keys() >= INFO_KEYS
    assert (told["info"]["version"], told["info"]["summary"]) == ("2.0", "Second")
    assert told["releases"].keys() == {"1.0", "2.0", "3.0rc1"}
    assert {file["filename"] for file in told["urls"]} == {second.filename, sdist.filename}
    (old,) = told["releases"]["1.0"]
    assert old.keys() >= FILE_KEYS
    assert (old["yanked"], old["yanked_reason"]) == (True, "it breaks")
    assert old["digests"]["sha256"] == first.sha256
    assert (old["size"], old["requires_python"]) == (len(first.content), ">=3.8")
    assert index.get(str(answer.url.join(old["url"]))).content == first.content
    release = index.get(base + legacy_json_path(index.name, project, "1.0")).json()
    assert release["info"]["version"] == "1.0"
    assert {file["filename"] for file in release["urls"]} == {first.filename}
    assert "releases" not in release
    for path in ((project, "9.9"), (f"{project}-unknown", ""), (f"{project}-unknown", "1.0")):
        unknown = index.get(base + legacy_json_path(index.name, *path))
        assert unknown.status_code == 404


def test_146_renovate(index: Index, project: str, legacy_json_path: Callable[..., str]) -> None:
    """[s] What Renovate asks and reads: `<registry>/<name>/json` with its `releases`."""
    index.upload(make_wheel(project, "1.0"), make_wheel(project, "2.0"))
    path = legacy_json_path(index.name, project)
    for ending in ("", "/"):
        told = index.get(f"{index.place.url}{path}{ending}", "application/json").json()
        for files in told["releases"].values():
            (file,) = files
            assert datetime.fromisoformat(file["upload_time"])
            assert file["yanked"] is False
        assert told["info"]["name"]
        assert told["info"]["home_page"] is None or isinstance(told["info"]["home_page"], str)


# Mirrors


def test_147_a_mirror_drops_nothing(
    upstream: LocalUpstream, mirror: Index, open_index: OpenIndex, project: str,
    secure_front: Front,
) -> None:  # fmt: skip
    """[P] yanked, requires-python, size, hashes, upload-time, provenance and status are kept."""
    wheel = make_wheel(project, "1.0", requires_python=">=3.8, <4")
    sdist = make_sdist(project, "2.0")
    upstream.add(
        wheel,
        yanked="it breaks",
        upload_time=OLD,
        provenance={"version": 1, "attestation_bundles": []},
        hashes=("sha256", "sha512"),
    )
    upstream.add(sdist, upload_time=NEW)
    upstream.set_status(project, "deprecated", "use another")
    outside = open_index(mirror.name, front=secure_front)
    page = outside.page(project)
    assert page["project-status"] == {"status": "deprecated", "reason": "use another"}
    rows = {file["filename"]: file for file in page["files"]}
    row = rows[wheel.filename]
    assert row["yanked"] == "it breaks"
    assert row["requires-python"] == ">=3.8, <4"
    assert row["size"] == len(wheel.content)
    assert row["hashes"].keys() == {"sha256", "sha512"}
    assert row["hashes"]["sha256"] == wheel.sha256
    assert datetime.fromisoformat(row["upload-time"]) == datetime.fromisoformat(OLD)
    assert row["core-metadata"]
    assert row["provenance"]
    assert rows[sdist.filename]["yanked"] is False
    assert rows.keys() == {wheel.filename, sdist.filename}
    assert outside.html(project).meta["pypi:project-status"] == "deprecated"


def serials(index: Index, project: str, legacy_json: str) -> list[int]:
    """All serials that the server says: in the legacy JSON, in pages, in their headers."""
    told: list[int] = [index.get(legacy_json).json()["last_serial"]]
    for path in ("", f"{project}/"):
        answer = index.get(path, JSON)
        document = answer.json()
        said = [
            answer.headers.get("X-PyPI-Last-Serial"),
            document["meta"].get("_last-serial"),
            *(entry.get("_last-serial") for entry in document.get("projects", ())),
        ]
        told.append(max((int(serial) for serial in said if serial is not None), default=0))
    return told


def test_148_serials_only_grow(
    index: Index, project: str, legacy_json_path: Callable[..., str], yank: Callable[..., None]
) -> None:
    """[P] That it can be mirrored is not promised; the serials that it says are monotone."""
    legacy_json = index.place.url + legacy_json_path(index.name, project)
    changes: list[Callable[[], object]] = [
        lambda: index.upload(make_wheel(project, "1.0")),
        lambda: index.upload(make_sdist(project, "1.0")),
        lambda: yank(index.name, project, "1.0", "it breaks"),
    ]
    seen = []
    for change in changes:
        change()
        seen.append(serials(index, project, legacy_json))
    of_legacy_json = [told[0] for told in seen]
    assert of_legacy_json == sorted(set(of_legacy_json))
    for before, after in itertools.pairwise(seen):
        assert all(was <= now for was, now in zip(before, after, strict=True))


def test_149_public_base_behind_a_proxy(
    index: Index,
    open_index: OpenIndex,
    upstream: LocalUpstream,
    mirror: Index,
    project: str,
    secure_front: Front,
) -> None:
    """[P] Behind a prefix and TLS, every absolute URL uses the public base."""
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    upstream.add(wheel, provenance={"version": 1, "attestation_bundles": []})
    seen, mirrored = (open_index(one.name, front=secure_front) for one in (index, mirror))
    redirected = seen.get(f"{project.upper()}/", JSON)
    target = redirected.headers["Location"]
    assert str(redirected.url.join(target)) == f"{seen.simple}{project}/"
    row = mirrored.rows(project)[wheel.filename]
    assert row["provenance"].startswith(f"{secure_front.url}/")
    for outside in (seen, mirrored):
        url = outside.file_url(project, wheel.filename)
        assert url.startswith(f"{secure_front.url}/")
        assert outside.get(url).content == wheel.content
        for accept in (JSON, HTML):
            for path in ("", f"{project}/"):
                text = outside.get(path, accept).text
                assert index.place.url not in text
                assert mirror.place.adapter.url not in text


# Size


BUDGET = 10.0
"""Seconds to the first byte where a page has to be fetched and built first."""
CACHED = 0.5
"""Seconds to the first byte where it was asked before; the best of TRIES, as machines are busy."""
TRIES = 5
MEMORY = 300 * MEGABYTE
"""By which a server may grow, whatever else it does meanwhile."""


def test_150_large_pages(
    upstream: LocalUpstream, mirror: Index, project: str, server_pid: int
) -> None:
    """[P] 5,000 files and 100,000 names: soon, in bounded memory, compressed from the cache."""
    for number in range(MANY_FILES):
        upstream.add(make_wheel(project, f"1.{number}"))
    upstream.generated_names = MANY_NAMES
    with Watch(server_pid) as watch:
        for path in (f"{project}/", ""):
            first, answer, plain = mirror.timed(path, {"Accept": JSON})
            assert answer.status_code == 200
            assert first < BUDGET
            for encoding in ("gzip", "zstd"):
                headers = {"Accept": JSON, "Accept-Encoding": encoding}
                _first, answer, packed = mirror.timed(path, headers)
                assert answer.headers["Content-Encoding"] == encoding
                assert len(packed) < len(plain) / 2
                assert min(mirror.timed(path, headers)[0] for _ in range(TRIES)) < CACHED
            listed = json.loads(plain)
            if path:
                assert len(listed["files"]) == MANY_FILES
            else:
                names = {entry["name"] for entry in listed["projects"]}
                assert {generated_name(0), generated_name(MANY_NAMES - 1), project} <= names
                assert len(names) == MANY_NAMES + 1
    assert watch.growth < MEMORY
