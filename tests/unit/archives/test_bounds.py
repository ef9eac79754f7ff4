"""No archive costs more time or memory than it may."""

import contextlib
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from stillroom_server.archives.bounds import MIB, ArchiveLimits
from support.distributions import make_metadata, make_sdist, make_tar_gz, make_wheel
from support.hostile_archives import SDIST, WHEEL, Part, end_zip64, faults_in, tar_member, zip_of

BOMB = ["content: it unpacks to more than 50 times its size"]


def gzip_of_zeros(head: bytes, mebibytes: int) -> bytes:
    """A gzip file with very many zeros after the head, which was never in memory as a whole."""

    def pieces() -> Iterator[bytes]:
        compressor = zlib.compressobj(level=9, wbits=31)
        yield compressor.compress(head)
        for _ in range(mebibytes):
            yield compressor.compress(bytes(MIB))
        yield compressor.flush()

    return b"".join(pieces())


@contextlib.contextmanager
def two_seconds() -> Iterator[None]:
    """Fails if the block takes more processor time than that."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 2


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Fails if the block takes more than 16 MiB on top of what there is."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "head",
    [
        tar_member(b"example-1.0/zeros", size=1 << 29),
        tar_member(b"example-1.0/PKG-INFO", make_metadata()),
        b"",
    ],
    ids=["a huge member", "zeros after the end", "nothing but zeros"],
)
def test_u13_a_tar_of_half_a_gibibyte_is_refused(head):
    content = gzip_of_zeros(head, 512)
    assert len(content) < MIB
    with two_seconds():
        assert faults_in(content, SDIST) == BOMB
    with little_memory():
        assert faults_in(content, SDIST) == BOMB


def test_u13_a_zip_bomb_is_refused_by_what_it_declares():
    huge = Part(b"zeros", b"x").lying(size=0xFFFFFFF0)
    assert faults_in(zip_of([huge]), WHEEL) == BOMB


def test_u13_a_zip_bomb_that_declares_less_is_cut_short():
    packed = gzip_of_zeros(b"", 200)[10:-8]
    liar = Part(b"zeros", b"").lying(packed=packed, compressed=len(packed), size=5)
    parts = [Part(b"example-1.0.dist-info/METADATA", make_metadata()), liar]
    content = zip_of(parts)
    with two_seconds(), little_memory():
        assert "'zeros' has another size" in faults_in(content, WHEEL)[-1]


def test_u13_strong_compression_of_little_data_is_no_bomb():
    content = make_wheel(members={"zeros": bytes(8 * MIB)}).content
    assert len(content) * 50 < 8 * MIB
    assert faults_in(content, WHEEL) == []


TOO_MANY = ["content: it holds more than 100,000 members"]


def test_u13_a_zip_of_two_hundred_thousand_empty_members_is_refused():
    one = zip_of([Part(b"m")])
    entry_at, end_at = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    members, directory = one[:entry_at] * 200_000, one[entry_at:end_at] * 200_000
    wide = end_zip64(200_000, len(directory), len(members))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    content = members + directory + wide + end
    with two_seconds():
        assert faults_in(content, WHEEL) == TOO_MANY
    with little_memory():
        assert faults_in(content, WHEEL) == TOO_MANY


def test_u13_a_tar_of_two_hundred_thousand_empty_members_is_refused():
    compressor = zlib.compressobj(level=1, wbits=31)
    content = compressor.compress(tar_member(b"m") * 200_000) + compressor.flush()
    with two_seconds():
        assert faults_in(content, SDIST) == TOO_MANY


def test_the_number_of_members_is_known_before_any_is_read():
    content = make_wheel(members={f"m{number}": b"" for number in range(20)}).content
    assert faults_in(content, WHEEL, ArchiveLimits(members=23)) == [
        "content: it holds more than 23 members"
    ]
    assert faults_in(content, WHEEL, ArchiveLimits(members=24)) == []


def test_long_names_are_bounded_together():
    members = {f"{number}-{'x' * 200}": b"" for number in range(20)}
    limits = ArchiveLimits(name_bytes=4000)
    expected = ["content: the names of its members are over 4,000 bytes"]
    assert faults_in(make_wheel(members=members).content, WHEEL, limits) == expected
    assert faults_in(make_sdist(members=members).content, SDIST, limits) == expected


def test_texts_that_are_parsed_as_a_whole_are_bounded():
    info = "example-1.0.dist-info"
    limits = ArchiveLimits(text_bytes=1000, record_bytes=1000)
    for name in ("METADATA", "RECORD", "entry_points.txt"):
        wheel = make_wheel(members={f"{info}/{name}": b"\n" * 1001})
        assert faults_in(wheel.content, WHEEL, limits)[0] == (
            f"content: '{info}/{name}' is over 1,000 bytes"
        )


def test_the_number_of_fields_is_bounded():
    wheel = make_wheel(requires_dist=["six"] * 10)
    assert faults_in(wheel.content, WHEEL, ArchiveLimits(headers=12)) == [
        "content: its metadata has more than 12 fields"
    ]
    assert faults_in(wheel.content, WHEEL, ArchiveLimits(headers=13)) == []


def test_u15_the_time_is_bounded():
    limits = ArchiveLimits(seconds=0, bytes_per_second=2**60)
    late = ["content: checking it took longer than 0 seconds"]
    assert faults_in(make_wheel().content, WHEEL, limits) == late
    assert faults_in(make_sdist().content, SDIST, limits) == late


def test_a_larger_file_has_more_time():
    limits = ArchiveLimits(seconds=1, bytes_per_second=MIB)
    limits.deadline(0).check()
    assert faults_in(make_wheel().content, WHEEL, limits) == []


def test_very_many_deep_names_take_no_long_time():
    depth = "/".join("d" for _ in range(90))
    names = {f"example-1.0/{number}/{depth}": b"" for number in range(2000)}
    content = make_tar_gz({"example-1.0/PKG-INFO": make_metadata()} | names)
    with two_seconds():
        assert faults_in(content, SDIST) == []
