"""An sdist must be one gzip member with one tar, which every reader reads alike."""

import gzip
import io
import tarfile

import pytest

from stillroom_server.archives.bounds import ArchiveLimits
from stillroom_server.archives.gzip_stream import GzipStream
from stillroom_server.archives.tar_framing import TarReader
from support.distributions import gzipped, make_metadata, make_sdist
from support.hostile_archives import (
    SDIST,
    Part,
    faults_in,
    pax_header,
    pax_record,
    tar_gz,
    tar_member,
    zip_of,
)

TOP = b"example-1.0/"
PKG_INFO = tar_member(TOP + b"PKG-INFO", make_metadata())
LONG = "example-1.0/" + "long/" * 40 + "name"


def unreadable(content: bytes) -> str:
    """The one reason why these bytes are no readable sdist."""
    [fault] = faults_in(content, SDIST)
    field, kind, reason = fault.split(": ", 2)
    assert (field, kind) == ("content", "it is not a readable sdist")
    return reason


def names_in(content: bytes) -> list[str]:
    limits = ArchiveLimits()
    stream = GzipStream(io.BytesIO(content), len(content), limits, limits.deadline(0))
    return [member.name for member in TarReader(stream, limits)]


# Gzip


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\x1f", "its gzip stream is cut off"),
        (bytes(10_000), "it is not compressed by gzip, or damaged"),
        (PKG_INFO + bytes(1024), "it is not compressed by gzip, or damaged"),
        (gzip.compress(b""), "it is cut off"),
    ],
    ids=["empty", "one byte", "NULs", "plain tar", "nothing"],
)
def test_u14_what_is_no_gzip_is_refused(content, reason):
    assert unreadable(content) == reason


def test_u14_an_sdist_that_is_cut_off_anywhere_is_refused():
    content = make_sdist().content
    for length in range(len(content)):
        assert unreadable(content[:length])


def test_u14_a_wrong_crc_or_length_is_refused():
    content = bytearray(make_sdist().content)
    for position in (-8, -4):
        broken = bytearray(content)
        broken[position] ^= 1
        assert unreadable(bytes(broken)) == "it is not compressed by gzip, or damaged"


@pytest.mark.parametrize(
    "suffix",
    [b"\0", b"\n", bytes(512), gzip.compress(b""), make_sdist("evil").content],
    ids=["NUL", "new line", "block", "gzip member", "sdist"],
)
def test_u12_what_follows_the_gzip_member_is_refused(suffix):
    content = make_sdist().content + suffix
    assert unreadable(content) == "something follows its gzip stream"


def test_u12_an_sdist_in_two_gzip_members_is_refused():
    tar = PKG_INFO + bytes(1024)
    for cut in (512, 700, len(tar) - 1):
        content = gzipped(tar[:cut]) + gzipped(tar[cut:])
        assert unreadable(content) == "something follows its gzip stream"


def test_every_size_of_read_gives_the_same_bytes():
    data = bytes(range(256)) * 3000
    limits = ArchiveLimits()
    for size in (1000, 512, 262_144, 300_000, 10**6):
        packed = gzipped(data)
        stream = GzipStream(io.BytesIO(packed), len(packed), limits, limits.deadline(0))
        parts = iter(lambda stream=stream, size=size: stream.read(size), b"")
        assert b"".join(parts) == data


def test_u03_a_tar_that_is_also_a_zip_is_refused():
    inner = zip_of([Part(b"evil.py", b"x")])
    polyglot = gzip.GzipFile(fileobj=(buffer := io.BytesIO()), mode="wb", compresslevel=0)
    with polyglot:
        polyglot.write(PKG_INFO + tar_member(TOP + b"z", inner) + bytes(1024))
    assert tarfile.is_tarfile(io.BytesIO(buffer.getvalue()))
    assert unreadable(buffer.getvalue()) == "it is both a zip and a tar"


# End


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(1023)], ids=len)
def test_a_tar_that_does_not_end_is_refused(end):
    assert unreadable(tar_gz(PKG_INFO, end=end))


@pytest.mark.parametrize("end", [bytes(1024), bytes(10_240), bytes(3_000_000)], ids=len)
def test_any_number_of_zeros_may_follow(end):
    assert faults_in(tar_gz(PKG_INFO, end=end), SDIST) == []


@pytest.mark.parametrize("zeros", [512, 1024, 10_240])
def test_u12_what_follows_the_zeros_is_refused(zeros):
    hidden = tar_member(TOP + b"hidden.py", b"x")
    content = tar_gz(PKG_INFO, end=bytes(zeros) + hidden + bytes(1024))
    assert unreadable(content) == "something follows its last member"


def test_a_member_that_is_cut_off_is_refused():
    cut = tar_member(TOP + b"x", b"data", size=100_000)
    assert unreadable(tar_gz(PKG_INFO, cut)) == "it is cut off"
    assert unreadable(tar_gz(tar_member(TOP + b"PKG-INFO", b"x", size=100_000))) == (
        "it is cut off"
    )


# Headers


@pytest.mark.parametrize(
    "member",
    [
        tar_member(TOP + b"x", checksum=1),
        tar_member(TOP + b"x", magic=b"ustar\x0001"),
        tar_member(TOP + b"x", magic=b"ustar  \0", prefix=b"hidden"),
        tar_member(TOP + b"x", magic=bytes(8), prefix=b"hidden"),
        tar_member(TOP + b"x", size_field=b"-0000000001\0"),
        tar_member(TOP + b"x", size_field=b"0000000009\0\0"),
        tar_member(TOP + b"x", size_field=b"00\x0000000001\0"),
        tar_member(TOP + b"x", size_field=b"\xff" * 12),
        tar_member(b"\xff.py"),
        tar_member(TOP + b"x", kind=b"2", target=b"\xff"),
        tar_member(TOP + b"x/", b"data"),
    ],
    ids=[
        "checksum", "magic", "GNU prefix", "old prefix", "negative", "not octal", "gap",
        "negative binary", "name", "target", "slash",
    ],
)  # fmt: skip
def test_u15_broken_headers_are_refused(member):
    assert unreadable(tar_gz(PKG_INFO, member))


@pytest.mark.parametrize("kind", [b"S", b"M", b"V", b"D", b"N", b"X", b"7", b"8", b"\xff"])
def test_u11_sparse_members_and_rare_kinds_are_refused(kind):
    assert unreadable(tar_gz(PKG_INFO, tar_member(TOP + b"x", kind=kind))) == (
        "members must be files, directories or links, and not sparse"
    )


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"5", b"6"])
def test_only_files_may_have_content(kind):
    member = tar_member(TOP + b"x", b"data", kind=kind, target=b"PKG-INFO")
    assert unreadable(tar_gz(PKG_INFO, member)) == "only a file may have content"


def test_u15_a_huge_size_is_refused_before_memory_is_taken():
    for field in (b"77777777777\0", b"\x80" + b"\xff" * 11):
        member = tar_member(TOP + b"PKG-INFO", size_field=field)
        [fault] = faults_in(tar_gz(member), SDIST)
        assert "PKG-INFO is over" in fault
        other = tar_member(TOP + b"other", size_field=field)
        assert unreadable(tar_gz(PKG_INFO, other)) == "it is cut off"


def test_directories_of_old_tars_are_known_by_their_slash():
    assert names_in(tar_gz(tar_member(b"a/", kind=b"\0", magic=bytes(8)))) == ["a/"]
    assert names_in(tar_gz(tar_member(b"a", kind=b"5"))) == ["a/"]


def test_a_prefix_is_part_of_the_name():
    assert names_in(tar_gz(tar_member(b"b", prefix=b"a"))) == ["a/b"]


# Extended headers


@pytest.mark.parametrize(
    "blocks",
    [
        (pax_header({"path": LONG}), tar_member(b"short")),
        (pax_header({"path": LONG, "size": "3", "mtime": "1.5"}), tar_member(b"s", b"abc")),
        (tar_member(b"././@LongLink", LONG.encode() + b"\0", kind=b"L"), tar_member(b"short")),
        (
            pax_header({"comment": "git"}, kind=b"g"),
            pax_header({"path": LONG}),
            tar_member(b"s"),
        ),
    ],
    ids=["pax", "size as uv writes it", "GNU", "global comment of git"],
)
def test_long_names_are_read_as_tarfile_reads_them(blocks):
    content = tar_gz(PKG_INFO, *blocks)
    assert names_in(content) == ["example-1.0/PKG-INFO", LONG]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == names_in(content)
    assert faults_in(content, SDIST) == []


@pytest.mark.parametrize("size", ["0", "4", "03", " 3", "-3", "9" * 5000, ""])
def test_u12_a_size_that_differs_from_the_header_is_refused(size):
    blocks = (pax_header({"size": size}), tar_member(TOP + b"x", b"abc"))
    assert unreadable(tar_gz(PKG_INFO, *blocks)) == ("two headers give one member different sizes")


@pytest.mark.parametrize(
    "blocks",
    [
        (pax_header({"path": "a"}), pax_header({"path": "b"})),
        (pax_header({"path": "a"}), tar_member(b"x", b"b\0", kind=b"L")),
        (tar_member(b"x", b"a\0", kind=b"L"), tar_member(b"x", b"b\0", kind=b"L")),
        (tar_member(b"x", b"a\0", kind=b"K"), tar_member(b"x", b"b\0", kind=b"K")),
    ],
)
def test_two_names_for_one_member_are_refused(blocks):
    content = tar_gz(PKG_INFO, *blocks, tar_member(TOP + b"x"))
    assert unreadable(content) == "two headers name or size the same member"


@pytest.mark.parametrize("key", ["path", "linkpath", "size"])
def test_a_global_header_that_names_members_is_refused(key):
    assert "global header" in unreadable(tar_gz(pax_header({key: "1"}, kind=b"g"), PKG_INFO))


@pytest.mark.parametrize("kind", [b"x", b"g"])
@pytest.mark.parametrize("key", ["GNU.sparse.map", "GNU.sparse.major", "GNU.sparse.name"])
def test_u11_sparse_members_of_pax_are_refused(key, kind):
    content = tar_gz(pax_header({key: "1"}, kind=kind), PKG_INFO)
    assert unreadable(content) == "no member may be sparse"


def test_another_character_set_is_refused():
    content = tar_gz(pax_header({"hdrcharset": "BINARY"}), PKG_INFO)
    assert unreadable(content) == "names of members must be UTF-8"


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"0 a=b\n",
        b"5 a=b\n",
        b"7 a=b\n",
        b"99 a=b\n",
        b"6 a=bx",
        b"5 ab\n",
        b"-6 a=b\n",
        b"9" * 5000 + b" a=b\n",
        b"6 a=b\n\0\0",
        pax_record("a", "b") * 2,
    ],
)
def test_u15_broken_records_are_refused(data):
    content = tar_gz(tar_member(b"pax", data, kind=b"x"), PKG_INFO)
    assert unreadable(content) == "an extended header is broken"


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_huge_header_is_refused_unread(kind):
    content = tar_gz(tar_member(b"x", size=2**31, kind=kind))
    assert unreadable(content) == "an extended header is over 1,048,576 bytes"


@pytest.mark.parametrize("last", [pax_header({"path": "a"}), tar_member(b"x", b"a", kind=b"L")])
def test_a_header_without_a_member_is_refused(last):
    assert unreadable(tar_gz(PKG_INFO, last)) == "its last header belongs to no member"
