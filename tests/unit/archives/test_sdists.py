"""What the inspector accepts as an sdist, and every rule by which it refuses one."""

import io
import tarfile

import pytest

from stillroom_server.archives.bounds import ArchiveLimits
from stillroom_server.archives.inspector import ArchiveInspector
from stillroom_server.domain.distributions import parse_filename
from support.distributions import make_metadata, make_sdist, make_tar_gz
from support.hostile_archives import SDIST, faults_in, tar_gz, tar_member

TOP = b"example-1.0/"
PKG_INFO = tar_member(TOP + b"PKG-INFO", make_metadata())


def sdist_with(*blocks: bytes) -> bytes:
    return tar_gz(PKG_INFO, *blocks)


def test_the_metadata_of_an_sdist_is_read_byte_for_byte():
    sdist = make_sdist("Some.Name", "1.0", requires_dist=["six"], body="é")
    inspector = ArchiveInspector(ArchiveLimits())
    metadata = inspector.inspect(
        io.BytesIO(sdist.content), parse_filename(sdist.filename)
    ).metadata
    assert metadata.raw == sdist.metadata
    assert (metadata.project, str(metadata.version)) == ("some-name", "1.0")
    assert metadata.is_static


def test_an_sdist_with_only_a_setup_py_is_accepted():
    files = {"example-1.0/PKG-INFO": make_metadata(), "example-1.0/setup.py": b""}
    assert faults_in(make_tar_gz(files), SDIST) == []


@pytest.mark.parametrize(
    ("filename", "top"),
    [
        ("foo_bar-1.0.tar.gz", "foo_bar-1.0"),
        ("foo_bar-1.0.tar.gz", "Foo-Bar-1.0"),
        ("foo_bar-1.0.tar.gz", "foo.bar-1.0.0"),
        ("Foo-Bar-1.0.tar.gz", "foo_bar-1.0"),
        ("foo_bar-1.0.post1.tar.gz", "foo-bar-1.0-1"),
        ("foo_bar-1.0+local.1.tar.gz", "foo-bar-1.0+local.1"),
    ],
)
def test_u19_old_spellings_of_the_directory_are_accepted(filename, top):
    version = str(parse_filename(filename).version)
    content = make_tar_gz({f"{top}/PKG-INFO": make_metadata("foo-bar", version)})
    assert faults_in(content, filename) == []


@pytest.mark.parametrize("top", ["example", "example-1.1", "other-1.0", "1.0", "-", "example1.0"])
def test_u19_a_directory_of_another_name_is_refused(top):
    content = make_tar_gz({f"{top}/PKG-INFO": make_metadata()})
    assert faults_in(content, SDIST) == [
        f"content: its {top!r} must be named like the project and version"
    ]


def test_u19_several_top_level_directories_are_refused():
    [fault] = faults_in(sdist_with(tar_member(b"other/x")), SDIST)
    assert "one top-level directory, this one holds 2: 'example-1.0', 'other'" in fault


def test_u19_an_empty_tar_is_refused():
    assert "this one holds 0" in faults_in(tar_gz(), SDIST)[0]


@pytest.mark.parametrize(
    "where", [b"PKG-INFO", TOP + b"sub/PKG-INFO", TOP + b"pkg-info", TOP + b"PKG-INFO/"]
)
def test_u19_pkg_info_must_lie_in_the_top_level_directory(where):
    kind = b"5" if where.endswith(b"/") else b"0"
    content = tar_gz(tar_member(TOP + b"setup.py"), tar_member(where, kind=kind))
    assert "content: its top-level directory must hold a PKG-INFO file" in faults_in(
        content, SDIST
    ) or faults_in(content, SDIST)[0].startswith("content: an sdist must hold one")


@pytest.mark.parametrize("kind", [b"1", b"2"])
def test_pkg_info_must_be_a_file_of_its_own(kind):
    link = tar_member(TOP + b"PKG-INFO", kind=kind, target=TOP + b"x" if kind == b"1" else b"x")
    content = tar_gz(tar_member(TOP + b"x", make_metadata()), link)
    assert faults_in(content, SDIST) == [
        "content: its top-level directory must hold a PKG-INFO file"
    ]


def test_m02_name_and_version_must_be_those_of_the_file_name():
    content = make_tar_gz({"example-1.0/PKG-INFO": make_metadata("other", "3")})
    assert faults_in(content, SDIST) == [
        "Name: the metadata says 'other', the file name 'example'",
        "Version: the metadata says '3', the file name '1.0'",
    ]


def test_m04_bad_metadata_is_refused_by_the_field_at_fault():
    content = make_tar_gz({"example-1.0/PKG-INFO": b"Name: \xff\n"})
    assert faults_in(content, SDIST) == ["METADATA: it must be UTF-8"]


def test_m04_a_pkg_info_of_10_mb_is_refused():
    content = make_tar_gz({"example-1.0/PKG-INFO": make_metadata(body="x" * 10_000_000)})
    assert faults_in(content, SDIST) == ["content: PKG-INFO is over 2,097,152 bytes"]


def test_m17_promised_licence_files_must_be_there():
    headers = [("License-File", "LICENSE"), ("License-File", "sub/NOTICE")]
    sdist = make_sdist(pkg_info_version="2.4", extra_headers=headers, members={"LICENSE": b"MIT"})
    assert faults_in(sdist.content, SDIST) == [
        "License-File: these files are not in the archive: 'sub/NOTICE'"
    ]


def test_m17_license_and_license_expression_exclude_each_other():
    headers = [("License", "MIT"), ("License-Expression", "MIT")]
    sdist = make_sdist(pkg_info_version="2.4", extra_headers=headers)
    assert faults_in(sdist.content, SDIST) == [
        "License-Expression: it replaces License; leave one of them out"
    ]


def test_all_faults_are_told_at_once():
    content = tar_gz(
        tar_member(b"other-1.0/PKG-INFO", make_metadata("third", metadata_version="2.4")),
        tar_member(b"other-1.0/pipe", kind=b"6"),
        tar_member(b"other-1.0/link", kind=b"2", target=b"/etc/passwd"),
        tar_member(b"other-1.0/../x"),
    )
    faults = faults_in(content, SDIST)
    assert [fault.partition(": ")[0] for fault in faults] == ["content"] * 4 + ["Name"]


# Links


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (b"link", b"PKG-INFO"),
        (b"a/link", b"../PKG-INFO"),
        (b"a/b/link", b"../../c/./d"),
        (b"a/link", b".."),
        (b"link", b"dangling"),
    ],
)
def test_u16_symbolic_links_that_stay_inside_are_accepted(name, target):
    assert faults_in(sdist_with(tar_member(TOP + name, kind=b"2", target=target)), SDIST) == []


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (b"link", b".."),
        (b"link", b"../x"),
        (b"a/link", b"../../x"),
        (b"a/link", b"./../../x"),
        (b"link", b"/etc/passwd"),
        (b"link", b"C:\\x"),
        (b"link", b"..\\x"),
        (b"link", b"a/../../x"),
        (b"link", b"a/.."),
    ],
)
def test_u16_symbolic_links_that_may_lead_outside_are_refused(name, target):
    link = tar_member(TOP + name, kind=b"2", target=target)
    assert faults_in(sdist_with(link), SDIST) == [
        f"content: links must point into the sdist: {(TOP + name).decode()!r}"
    ]


def test_u16_a_way_out_over_two_links_is_refused():
    blocks = (
        tar_member(TOP + b"a/here", kind=b"2", target=b".."),
        tar_member(TOP + b"a/out", kind=b"2", target=b"here/../x"),
    )
    assert "'example-1.0/a/out'" in faults_in(sdist_with(*blocks), SDIST)[0]


def test_u16_a_member_below_a_link_is_refused():
    blocks = (
        tar_member(TOP + b"a", kind=b"2", target=b"b"),
        tar_member(TOP + b"a/x", b"data"),
    )
    [fault] = faults_in(sdist_with(*blocks), SDIST)
    assert fault == ("content: no member may lie below a file or link: 'example-1.0/a/x'")


def test_u16_a_top_level_directory_that_is_a_link_is_refused():
    blocks = (tar_member(b"example-1.0", kind=b"2", target=b"../x"), PKG_INFO)
    assert len(faults_in(tar_gz(*blocks), SDIST)) == 2


def test_hard_links_to_earlier_files_are_accepted():
    link = tar_member(TOP + b"link", kind=b"1", target=TOP + b"PKG-INFO")
    assert faults_in(sdist_with(link), SDIST) == []


@pytest.mark.parametrize("target", [b"PKG-INFO", TOP + b"later", b"/etc/passwd", b"../x", b""])
def test_u16_hard_links_to_anything_else_are_refused(target):
    link = tar_member(TOP + b"link", kind=b"1", target=target)
    [fault] = faults_in(sdist_with(link, tar_member(TOP + b"later")), SDIST)
    assert "links must point into the sdist" in fault


@pytest.mark.parametrize("kind", [b"3", b"4", b"6"])
def test_u16_devices_and_pipes_are_refused(kind):
    assert faults_in(sdist_with(tar_member(TOP + b"dev", kind=kind)), SDIST) == [
        "content: no member may be a device or pipe: 'example-1.0/dev'"
    ]


@pytest.mark.parametrize(
    "name", [b"../x", b"/x", TOP + b"../../x", TOP + b"a//x", b"./example-1.0/x", b"C:/x", b""]
)
def test_u16_names_that_lead_elsewhere_are_refused(name):
    assert any(
        "names of members must not" in f for f in faults_in(sdist_with(tar_member(name)), SDIST)
    )


@pytest.mark.parametrize("name", [b"pkg-info", b"PKG-INFO", b"PKG-INFO/x"])
def test_u06_u12_names_that_clash_are_refused(name):
    [fault] = faults_in(sdist_with(tar_member(TOP + name)), SDIST)
    assert "content: no " in fault


@pytest.mark.parametrize(
    "tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
)
def test_the_formats_of_all_build_tools_are_accepted(tar_format):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tar_format) as archive:
        for name in ("PKG-INFO", "a" * 60 + "/" + "b" * 80, "c" * 90):
            member = tarfile.TarInfo(f"example-1.0/{name}")
            member.size, member.mtime = len(make_metadata()), 1_700_000_000
            archive.addfile(member, io.BytesIO(make_metadata()))
    assert faults_in(buffer.getvalue(), SDIST) == []
