"""E. Metadata files: items 51 to 59."""

import gzip
import hashlib
import zlib
from collections.abc import Callable

import pytest
import zstandard

from conformance.index import Index, OpenIndex
from conformance.shelf import Shelf
from conformance.tools import Tools
from stillroom_server.testing import Distribution, LocalUpstream
from support.distributions import import_name, make_sdist, make_wheel
from support.front import Front

UNPACK: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda body: body,
    "identity": lambda body: body,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def metadata_url(index: Index, project: str, distribution: Distribution) -> str:
    """Where the metadata of a file is, if there is any."""
    return f"{index.file_url(project, distribution.filename)}.metadata"


def test_051_advertised_metadata_is_there(index: Index, shelf: Shelf) -> None:
    """[S] Each advertised `<file url>.metadata`: 200, the bytes of METADATA in the wheel."""
    rows = index.rows(shelf.name)
    advertised = [file for file in shelf.files if rows[file.filename].get("core-metadata")]
    assert set(shelf.wheels) <= set(advertised)
    for file in advertised:
        answer = index.get(metadata_url(index, shelf.name, file))
        assert answer.status_code == 200
        assert answer.content == file.metadata


def test_052_no_promise_that_is_not_kept(
    index: Index, shelf: Shelf, upstream: LocalUpstream, mirror: Index, project: str
) -> None:
    """[S] No `core-metadata` for files whose `.metadata` would be 404 (eggs, old sdists)."""
    egg = Distribution(f"{project.replace('-', '_')}-1.0-py3.11.egg", b"an egg", b"")
    old = make_sdist(project, "0.9", pkg_info_version="1.0")
    upstream.add(old, core_metadata=False)
    upstream.add(egg, project=project, core_metadata=False)
    listed = [(index, shelf.name, shelf.old_sdist), (mirror, project, old)]
    for where, name, file in listed:
        assert not where.rows(name)[file.filename].get("core-metadata", False)
        assert where.get(metadata_url(where, name, file)).status_code == 404
    # Installers take no eggs: a mirror may list them or not, but never with metadata.
    row = mirror.rows(project).get(egg.filename, {})
    assert not row.get("core-metadata", False)


SDISTS = {
    "of 2.1": ("2.1", (), False),
    "of 1.2": ("1.2", (), False),
    "with dynamic requirements": ("2.2", ("Requires-Dist",), False),
    "with a dynamic Python": ("2.2", ("Requires-Python",), False),
    "with dynamic extras": ("2.4", ("Summary", "provides-extra"), False),
    "of 2.2": ("2.2", (), True),
    "with a dynamic summary": ("2.3", ("Summary",), True),
}


@pytest.mark.parametrize("what", SDISTS)
def test_053_sdists_with_final_metadata(index: Index, project: str, what: str) -> None:
    """[P] Sdists: advertised only from PKG-INFO 2.2 on, if no field for resolvers is Dynamic."""
    version, dynamic, is_final = SDISTS[what]
    headers = [("Dynamic", field) for field in dynamic]
    sdist = make_sdist(project, "1.0", pkg_info_version=version, extra_headers=headers)
    index.upload(sdist)
    advertised = index.rows(project)[sdist.filename].get("core-metadata", False)
    answer = index.get(metadata_url(index, project, sdist))
    assert bool(advertised) <= is_final
    assert (answer.status_code == 200) == bool(advertised)
    if advertised:
        assert answer.content == sdist.metadata


def test_054_encodings(index: Index, project: str) -> None:
    """[C] `.metadata` as identity has no Content-Encoding; as zstd or gzip it is the same."""
    wheel = make_wheel(project, "1.0", body="many words " * 1_000)
    index.upload(wheel)
    url = metadata_url(index, project, wheel)
    plain, body = index.raw(url, {"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert body == wheel.metadata
    for accepted in ("gzip", "zstd", "zstd,gzip,deflate", "gzip, deflate"):
        answer, packed = index.raw(url, {"Accept-Encoding": accepted})
        encoding = answer.headers.get("Content-Encoding")
        assert encoding is None or encoding in accepted
        assert UNPACK[encoding](packed) == wheel.metadata


def choosy(project: str) -> list[Distribution]:
    """Three releases, newest first, of which only the last can be installed."""
    missing = [f"{project}-absent==9.0"]
    return [
        make_wheel(project, "3.0", requires_dist=missing),
        make_wheel(project, "2.0", requires_dist=missing),
        make_wheel(project, "1.0"),
    ]


def test_055_pip_resolves_by_metadata(
    index: Index, open_index: OpenIndex, project: str, front: Front, tools: Tools
) -> None:
    """[C] `pip install --dry-run` with three versions fetches no wheel while it resolves."""
    wheels = choosy(project)
    index.upload(*wheels)
    seen = open_index(index.name, front=front)
    environment = tools.venv()
    ran = environment.pip("install", "--dry-run", "--index-url", seen.simple_with_login, project)
    assert f"Would install {project}-1.0" in ran.out
    asked = [request.filename for request in front.requests]
    assert [asked.count(f"{wheel.filename}.metadata") for wheel in wheels] == [1, 1, 1]
    assert not {wheel.filename for wheel in wheels} & set(asked)


def test_056_uv_resolves_by_metadata(
    index: Index, open_index: OpenIndex, project: str, front: Front, tools: Tools
) -> None:
    """[C] `uv pip compile` issues no HEAD or Range for files with `.metadata`."""
    wheels = choosy(project)
    index.upload(*wheels)
    seen = open_index(index.name, front=front)
    wanted = tools.home / "requirements.in"
    wanted.write_text(f"{project}\n")
    ran = tools.run("uv", "pip", "compile", "--index-url", seen.simple_with_login, wanted)
    assert f"{project}==1.0" in ran.out
    assert {request.method for request in front.requests} == {"GET"}
    assert not [request for request in front.requests if "range" in request.headers]
    asked = {request.filename for request in front.requests}
    assert f"{wheels[2].filename}.metadata" in asked
    assert not {wheel.filename for wheel in wheels} & asked


def test_057_the_archive_says_what_metadata_says(index: Index, project: str, tools: Tools) -> None:
    """[C] Where the form differs, the side file is the archive's, and pip installs it."""
    wheel = make_wheel(project, "1.0", summary="Of the archive")
    changes = {
        "summary": "Of the form",
        "requires_dist": "of-the-form",
        "metadata_version": "2.3",
        "provides_extra": "of-the-form",
    }
    assert index.send(wheel, changes).status_code == 200
    said = index.rows(project)[wheel.filename]["core-metadata"]
    assert said == {"sha256": hashlib.sha256(wheel.metadata).hexdigest()}
    assert index.get(metadata_url(index, project, wheel)).content == wheel.metadata
    environment = tools.venv()
    ran = environment.pip("install", "--index-url", index.simple_with_login, project)
    assert "inconsistent" not in ran.text.lower()
    assert environment.version(import_name(project)) == "1.0"


def test_058_no_query_in_urls(
    index: Index, shelf: Shelf, upstream: LocalUpstream, mirror: Index, project: str
) -> None:
    """[P] No listed URL contains `?`, not even where the upstream's does."""
    wheel = make_wheel(project, "1.0")
    upstream.add(wheel)
    signed = f"{upstream.file_url(wheel)}?signature=S"
    upstream.add(wheel, row={"url": signed})
    pages = [(index, shelf.name), (mirror, project)]
    for where, name in pages:
        urls = [row["url"] for row in where.rows(name).values()]
        urls += [link.href for link in where.html(name).links]
        assert urls
        assert not [url for url in urls if "?" in url]
    assert mirror.get(mirror.file_url(project, wheel.filename)).content == wheel.content


def test_059_mirrored_metadata_is_the_upstreams(
    upstream: LocalUpstream, mirror: Index, project: str
) -> None:
    """[S] A mirror passes `.metadata` on byte for byte, or does not advertise it."""
    wheel = make_wheel(project, "1.0")
    told = Distribution(wheel.filename, wheel.content, wheel.metadata + b"\n")
    upstream.add(told)
    row = mirror.rows(project)[wheel.filename]
    if row.get("core-metadata", False):
        assert row["core-metadata"] == {"sha256": hashlib.sha256(told.metadata).hexdigest()}
        assert mirror.get(metadata_url(mirror, project, wheel)).content == told.metadata
    else:
        assert mirror.get(metadata_url(mirror, project, wheel)).status_code == 404
