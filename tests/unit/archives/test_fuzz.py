"""Damaged archives get a refusal, whatever the damage; accepted ones are read alike by others."""

import contextlib
import io
import tarfile
import zipfile
import zlib
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from stillroom_server.archives.bounds import ArchiveLimits, UnreadableArchive
from stillroom_server.archives.entry_points import entry_point_faults
from stillroom_server.archives.gzip_stream import GzipStream
from stillroom_server.archives.members import name_faults
from stillroom_server.archives.metadata_shape import shape_faults
from stillroom_server.archives.record import parse_record
from stillroom_server.archives.tar_framing import TarReader
from stillroom_server.archives.zip_framing import read_members
from stillroom_server.domain.errors import InvalidRequest
from support.distributions import gzipped, make_sdist, make_wheel
from support.hostile_archives import faults_in

LIMITS = ArchiveLimits()
WHEEL = make_wheel(
    metadata_version="2.4",
    extra_headers=[("License-File", "LICENSE")],
    members={
        "example-1.0.dist-info/licenses/LICENSE": b"MIT",
        "example-1.0.dist-info/entry_points.txt": b"[console_scripts]\nrun = example:main\n",
    },
)
SDIST = make_sdist(members={"long/" * 30 + "name": b"x", "ä": b"y"})
TAR = zlib.decompress(SDIST.content, wbits=31)


@dataclass(frozen=True)
class Damage:
    """Some bytes replaced; or, if none are, a piece removed, doubled or put in."""

    changes: list[tuple[int, int]]
    start: int
    end: int
    extra: bytes

    def done_to(self, data: bytes) -> bytes:
        broken = bytearray(data)
        for position, value in self.changes:
            broken[position % len(broken)] = value
        if self.changes:
            return bytes(broken)
        return bytes(broken[: self.start] + self.extra + broken[self.end :])


VALUES = st.sampled_from(b"\0\1\7\x08\x1f ./\\\x7f\x80\xfe\xff") | st.integers(0, 255)
PLACES = st.integers(0, len(TAR))
DAMAGE = st.builds(
    Damage,
    changes=st.lists(st.tuples(PLACES, VALUES), max_size=6),
    start=PLACES,
    end=PLACES,
    extra=st.binary(max_size=40),
)


def with_true_checksums(tar: bytes) -> bytes:
    """Every block that was a header of the sound tar gets the checksum of what it now holds."""
    blocks = bytearray(tar)
    for at in range(0, len(TAR) - 511, 512):
        if TAR[at + 257 : at + 262] == b"ustar" and at + 512 <= len(blocks):
            blocks[at + 148 : at + 156] = b" " * 8
            blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
    return bytes(blocks)


@settings(deadline=None, max_examples=400)
@given(DAMAGE)
def test_a_damaged_wheel_is_refused_or_read_by_zipfile_in_the_same_way(damage):
    content = damage.done_to(WHEEL.content)
    if faults_in(content, WHEEL.filename):
        return
    members = read_members(io.BytesIO(content), len(content), LIMITS, LIMITS.deadline(0))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(member.name for member in members)


@settings(deadline=None, max_examples=200)
@given(DAMAGE)
def test_a_damaged_sdist_is_refused_or_accepted(damage):
    faults_in(damage.done_to(SDIST.content), SDIST.filename)


@settings(deadline=None, max_examples=600)
@given(DAMAGE)
def test_a_damaged_tar_is_refused_or_read_by_tarfile_in_the_same_way(damage):
    content = gzipped(with_true_checksums(damage.done_to(TAR)))
    if faults_in(content, SDIST.filename):
        return
    stream = GzipStream(io.BytesIO(content), len(content), LIMITS, LIMITS.deadline(0))
    names = [member.name.removesuffix("/") for member in TarReader(stream, LIMITS)]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == names


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=2000))
def test_any_bytes_are_refused(content):
    assert faults_in(content, WHEEL.filename)
    assert faults_in(content, SDIST.filename)
    assert faults_in(gzipped(content), SDIST.filename)


@settings(deadline=None, max_examples=200)
@given(DAMAGE, st.sampled_from(["METADATA", "RECORD", "entry_points.txt"]))
def test_damaged_texts_in_a_wheel_are_refused_or_accepted(damage, name):
    path = f"example-1.0.dist-info/{name}"
    with zipfile.ZipFile(io.BytesIO(WHEEL.content)) as archive:
        text = damage.done_to(archive.read(path))
    faults_in(make_wheel(members={path: text}).content, WHEEL.filename)


@given(st.binary(max_size=300))
def test_any_bytes_are_safe_in_the_small_parsers(raw):
    entry_point_faults(raw)
    shape_faults(raw, LIMITS)
    with contextlib.suppress(ValueError):
        parse_record(raw, LIMITS)


@given(st.lists(st.text(alphabet="aA./\\éÉ\u0301ß s\0\u202e", max_size=12), max_size=8))
def test_names_that_pass_stay_below_the_root_and_are_told_apart(names):
    if name_faults(names):
        return
    folded = {name.removesuffix("/").casefold() for name in names}
    assert len(folded) == len(names)
    for name in names:
        assert not {"", ".", ".."} & set(name.removesuffix("/").split("/"))


def test_the_internal_refusal_never_leaves_the_inspector():
    assert not issubclass(UnreadableArchive, InvalidRequest)
    assert faults_in(b"x", WHEEL.filename)
