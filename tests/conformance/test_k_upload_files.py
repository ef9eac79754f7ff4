"""K. Upload, files: items 111 to 120."""

import io
import zipfile
from collections.abc import Callable

import pytest
from packaging.version import Version

from conformance.index import Index
from conformance.tools import Tools
from stillroom_server.testing import Distribution
from support.distributions import (
    import_name,
    make_metadata,
    make_record,
    make_sdist,
    make_tar_gz,
    make_wheel,
    wheel_file,
)
from support.forms import content, text
from support.hostile_archives import Part, parts_of, tar_gz, tar_member, zip_of

ACTION = text(":action", "file_upload")


def refused(index: Index, project: str, filename: str, body: bytes) -> str:
    """Upload a file that must be refused with 400 and leave nothing; what was said."""
    answer = index.send_parts([ACTION, content(Distribution(filename, body, b""))])
    assert answer.status_code == 400, f"{filename!r}: {answer.status_code} {answer.text}"
    assert index.get(f"{project}/").status_code == 404
    return answer.text


WHEEL_NAMES = {
    "not normalised": "Conf.Bar_Baz-1.0-py3-none-any.whl",
    "dashes in the name": "{dashed}-1.0-py3-none-any.whl",
    "too few dashes": "{stem}-py3-none.whl",
    "too many dashes": "{stem}-1-2-py3-none-any.whl",
    "a build tag without a digit": "{stem}-a1-py3-none-any.whl",
    "a version that is not canonical": "{name}-01.0-py3-none-any.whl",
    "no version": "{name}-latest-py3-none-any.whl",
    "nothing but dashes": "-----.whl",
}


@pytest.mark.parametrize("what", WHEEL_NAMES)
def test_111_names_of_wheels(index: Index, project: str, what: str) -> None:
    """[S] Bad names of wheels are refused or normalised; never 500."""
    name = import_name(project)
    filename = WHEEL_NAMES[what].format(name=name, stem=f"{name}-1.0", dashed=project)
    wheel = make_wheel(project, "1.0")
    answer = index.send_parts([ACTION, content(Distribution(filename, wheel.content, b""))])
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert len(index.rows(project)) == 1
    else:
        assert index.get(f"{project}/").status_code == 404


@pytest.mark.parametrize("ending", [".zip", ".tar.bz2", ".egg", ".exe", ".tgz", ".TAR.GZ", ""])
def test_112_other_kinds_of_sdists(index: Index, project: str, ending: str) -> None:
    """[S] An sdist is `{name_}-{version}.tar.gz` and nothing else."""
    sdist = make_sdist(project, "1.0")
    refused(index, project, sdist.filename.removesuffix(".tar.gz") + ending, sdist.content)
    index.upload(sdist)


def test_113_another_name_or_version(index: Index, project: str) -> None:
    """[S] Name or version of the file name other than in the metadata: 400."""
    for file in (make_wheel(project, "1.0"), make_sdist(project, "1.0")):
        for change in ((import_name(project), "other"), ("1.0", "2.0")):
            name = file.filename.replace(*change, 1)
            assert name != file.filename
            refused(index, project, name, file.content)
    assert index.get("other/").status_code == 404


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_114_incomplete_wheels(index: Index, project: str, missing: str) -> None:
    """[S] A wheel without METADATA, WHEEL or RECORD: 400."""
    wheel = make_wheel(project, "1.0")
    kept = [part for part in parts_of(wheel) if not part.name.decode().endswith(missing)]
    assert missing in refused(index, project, wheel.filename, zip_of(kept))


def test_114_two_dist_infos(index: Index, project: str) -> None:
    """[S] A wheel with two dist-info directories: 400."""
    twin = {
        "other-1.0.dist-info/METADATA": make_metadata("other", "1.0"),
        "other-1.0.dist-info/WHEEL": wheel_file(),
        "other-1.0.dist-info/RECORD": b"",
    }
    wheel = make_wheel(project, "1.0", members=twin)
    assert "dist-info" in refused(index, project, wheel.filename, wheel.content)


def zipped(wheel: Distribution, method: int) -> bytes:
    """A wheel with its members packed by another method."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=method) as archive:
        for part in parts_of(wheel):
            archive.writestr(part.name.decode(), part.data)
    return buffer.getvalue()


def with_member(name: str, data: bytes = b"x") -> Callable[[Distribution], bytes]:
    """A member that is listed in RECORD like the others."""

    def made(wheel: Distribution) -> bytes:
        parts = [part for part in parts_of(wheel) if not part.name.endswith(b"RECORD")]
        (old,) = (part for part in parts_of(wheel) if part.name.endswith(b"RECORD"))
        files = {part.name.decode(): part.data for part in parts} | {name: data}
        record = Part(old.name, make_record(files, old.name.decode()))
        return zip_of([*parts, Part(name.encode(), data), record])

    return made


def overlapping(wheel: Distribution) -> bytes:
    """Two entries of the directory for the same bytes."""
    parts = parts_of(wheel)
    ghost = Part(parts[0].name + b"x", parts[0].data, entry={"offset": 0}, has_header=False)
    return zip_of([*parts, ghost])


ZIPS: dict[str, Callable[[Distribution], bytes]] = {
    "bomb": with_member("bomb.bin", bytes(100_000_000)),
    "encrypted": lambda wheel: zip_of(part.lying(flags=1) for part in parts_of(wheel)),
    "bzip2": lambda wheel: zipped(wheel, zipfile.ZIP_BZIP2),
    "lzma": lambda wheel: zipped(wheel, zipfile.ZIP_LZMA),
    "zstd": lambda wheel: zip_of(part.lying(method=93) for part in parts_of(wheel)),
    "duplicate": lambda wheel: zip_of([*parts_of(wheel), parts_of(wheel)[0]]),
    "parent": with_member("../evil.py"),
    "absolute": with_member("/etc/evil.py"),
    "backslash": with_member("..\\evil.py"),
    "drive": with_member("C:/evil.py"),
    "symlink": lambda wheel: zip_of(
        [part.lying(mode=0o120777) if part.name.endswith(b".py") else part
         for part in parts_of(wheel)]
    ),
    "overlapping": overlapping,
    "trailing": lambda wheel: wheel.content + b"trailing",
    "leading": lambda wheel: b"#!/bin/sh\n" + wheel.content,
    "truncated": lambda wheel: wheel.content[:-30],
}  # fmt: skip


@pytest.mark.parametrize("what", ZIPS)
def test_115_hostile_zips(index: Index, project: str, what: str) -> None:
    """[P] Bombs, encryption, other compressions, doubled and evil names, hidden bytes: 400."""
    wheel = make_wheel(project, "1.0")
    sound = zip_of(parts_of(wheel))
    refused(index, project, wheel.filename, ZIPS[what](wheel))
    index.upload(Distribution(wheel.filename, sound, wheel.metadata))


def tar_of(project: str, *members: bytes) -> bytes:
    """A sound sdist with further members, written as they are."""
    top = f"{import_name(project)}-1.0/".encode()
    told = make_metadata(project, "1.0", metadata_version="2.2")
    return tar_gz(tar_member(top + b"PKG-INFO", told), *members)


TARS: dict[str, Callable[[str, bytes], bytes]] = {
    "two tops": lambda project, _top: tar_of(project, tar_member(b"other/x", b"x")),
    "no PKG-INFO": lambda _project, top: make_tar_gz({f"{top.decode()}setup.py": b""}),
    "sparse": lambda project, top: tar_of(project, tar_member(top + b"x", b"x", kind=b"S")),
    "character device": lambda project, top: tar_of(project, tar_member(top + b"x", kind=b"3")),
    "block device": lambda project, top: tar_of(project, tar_member(top + b"x", kind=b"4")),
    "fifo": lambda project, top: tar_of(project, tar_member(top + b"x", kind=b"6")),
    "parent": lambda project, top: tar_of(project, tar_member(top + b"../../x", b"x")),
    "absolute": lambda project, _top: tar_of(project, tar_member(b"/etc/x", b"x")),
    "link outside": lambda project, top: tar_of(
        project, tar_member(top + b"x", kind=b"2", target=b"../../../etc/passwd")
    ),
    "absolute link": lambda project, top: tar_of(
        project, tar_member(top + b"x", kind=b"2", target=b"/etc/passwd")
    ),
    "hard link outside": lambda project, top: tar_of(
        project, tar_member(top + b"x", kind=b"1", target=b"../x")
    ),
    "bomb": lambda project, top: tar_of(project, tar_member(top + b"x", bytes(100_000_000))),
    "truncated": lambda project, top: tar_of(project, tar_member(top + b"x", b"x"))[:-20],
}


@pytest.mark.parametrize("what", TARS)
def test_116_hostile_tars(index: Index, project: str, what: str) -> None:
    """[P] Two top directories, no PKG-INFO, sparse files, devices, evil paths and links: 400."""
    stem = f"{import_name(project)}-1.0"
    body = TARS[what](project, f"{stem}/".encode())
    refused(index, project, f"{stem}.tar.gz", body)
    sound = tar_of(project, tar_member(f"{stem}/x".encode(), b"x"))
    answer = index.send_parts([ACTION, content(Distribution(f"{stem}.tar.gz", sound, b""))])
    assert answer.status_code == 200, answer.text


def test_117_both_zip_and_tar(index: Index, project: str) -> None:
    """[P] A file that is a zip and a tar: 400 under each name."""
    wheel, sdist = make_wheel(project, "1.0"), make_sdist(project, "1.0")
    both = sdist.content + wheel.content
    assert zipfile.is_zipfile(io.BytesIO(both))
    for name in (sdist.filename, wheel.filename):
        refused(index, project, name, both)


EVIL_NAMES = {
    "control character": "{stem}\x1b-py3-none-any.whl",
    "new line": "{stem}-py3-none-any\n.whl",
    "NUL": "{stem}-py3-none-any\0.whl",
    "slash": "../{stem}-py3-none-any.whl",
    "backslash": "..\\\\{stem}-py3-none-any.whl",
    "too long": "{stem}-py3-none-" + "any" * 100 + ".whl",
}


@pytest.mark.parametrize("what", EVIL_NAMES)
def test_117_evil_names(index: Index, project: str, what: str) -> None:
    """[P] Control characters, slashes, NUL and more than 255 bytes in a file name: 400."""
    wheel = make_wheel(project, "1.0")
    name = EVIL_NAMES[what].format(stem=f"{import_name(project)}-1.0")
    refused(index, project, name, wheel.content)


TAGS = [
    "cp315-abi3.abi3t-manylinux_2_28_x86_64",
    "cp314-cp314-pyemscripten_2026_0_wasm32",
    "cp313-cp313-ios_13_0_arm64_iphoneos",
    "cp313-cp313-android_24_arm64_v8a",
    "cp311-cp311-linux_x86_64",
    "cp314-cp314t-macosx_26_0_arm64",
    "py2.py3-none-any",
    "cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_2_x86_64",
    "1build-py3-none-any",
]


@pytest.mark.parametrize("tag", TAGS)
def test_118_tags(index: Index, project: str, tag: str) -> None:
    """[C] Tags of today and compressed sets of them are accepted."""
    wheel = make_wheel(project, "1.0", tag=tag)
    index.upload(wheel)
    assert set(index.rows(project)) == {wheel.filename}


def test_119_all_kinds_of_versions(index: Index, project: str, tools: Tools) -> None:
    """[C] Local versions, epochs, post, dev and pre-releases are accepted and sorted right."""
    ordered = ["1.0.dev0", "1.0rc1", "1.0", "1.0+cu121", "1.0.post1", "1!0.1", "1!2.0"]
    index.upload(*(make_wheel(project, version) for version in reversed(ordered)))
    page = index.page(project)
    assert sorted(map(Version, page["versions"])) == [Version(version) for version in ordered]
    assert len(page["files"]) == len(ordered)
    wanted = tools.home / "requirements.in"
    newest = {
        "<1.0.post1": "1.0+cu121",
        "<1!0": "1.0.post1",
        "==1.0.dev0": "1.0.dev0",
        "": "1!2.0",
    }
    for limit, chosen in newest.items():
        wanted.write_text(f"{project}{limit}\n")
        ran = tools.run("uv", "pip", "compile", "--index-url", index.simple_with_login, wanted)
        assert f"{project}=={chosen}" in ran.out.split()


def test_120_variants(index: Index, project: str) -> None:
    """[P] Names of PEP 825 are refused where variants are not switched on."""
    wheel = make_wheel(project, "1.0")
    labelled = wheel.filename.replace("-any.whl", "-any-x86_64_v3.whl")
    refused(index, project, labelled, wheel.content)
    variants = f"{import_name(project)}-1.0-variants.json"
    refused(index, project, variants, b"{}")
