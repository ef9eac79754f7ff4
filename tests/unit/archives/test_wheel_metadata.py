"""The METADATA of mirrored wheels: found in whatever installers can read, within bounds."""

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillroom_server.archives import wheel_metadata
from stillroom_server.archives.bounds import ArchiveLimits
from stillroom_server.archives.inspector import ArchiveInspector
from stillroom_server.domain.errors import InvalidRequest, UpstreamFailed
from support.distributions import make_wheel
from support.hostile_archives import Part, end_zip64, parts_of, zip_of

WHEEL = make_wheel("example", "1.0", summary="line\r\nends and é stay as they are")
METADATA = "example-1.0.dist-info/METADATA"
INSPECTOR = ArchiveInspector(ArchiveLimits())


def read(content: bytes) -> bytes:
    return INSPECTOR.wheel_metadata(io.BytesIO(content))


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read(content)
    return str(caught.value)


def part(data: bytes = b"Name: x\n", name: str = METADATA, **lies) -> Part:
    return Part(name.encode(), data).lying(**lies)


def zipped(*names: str, method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name in names:
            archive.writestr(name, f"this is {name}")
        archive.comment = comment
    return target.getvalue()


class Watched(io.BytesIO):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_it_is_given_byte_for_byte():
    assert read(WHEEL.content) == WHEEL.metadata


def test_wheels_that_we_would_not_take_ourselves_are_read_as_installers_read_them():
    # A prefix, a comment, a data descriptor, names that agree with nothing: none of it matters.
    assert read(b"#!/bin/sh\n" + WHEEL.content) == WHEEL.metadata
    name = "another-9.dist-info/METADATA"
    assert read(zipped(name, comment=b"hello")) == f"this is {name}".encode()
    assert read(zipped(name, method=zipfile.ZIP_STORED)) == f"this is {name}".encode()
    streamed = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "with a descriptor")
    assert read(streamed.getvalue()) == b"with a descriptor"


class _Unseekable:
    def __init__(self, target: io.BytesIO) -> None:
        self.write = target.write
        self.flush = target.flush


def test_a_large_wheel_is_hardly_read():
    wheel = make_wheel("example", "1.0", members={"data.bin": bytes(range(256)) * 40_000})
    padded = zip_of([Part(b"pad", b""), *parts_of(wheel)], before_directory=b"x" * 3_000_000)
    file = Watched(padded)
    assert INSPECTOR.wheel_metadata(file) == wheel.metadata
    assert file.taken < 200_000


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["example/METADATA", "METADATA", "a.dist-info/metadata", "a.dist-info/METADATA.txt"],
        ["vendor/other-1.0.dist-info/METADATA"],
        ["a-1.dist-info/METADATA", "b-1.dist-info/METADATA"],
    ],
    ids=["nothing", "other names", "further down", "two"],
)
def test_there_must_be_exactly_one(names):
    found = 2 if len(names) == 2 else 0
    assert f"it holds {found} of them" in refusal(zipped(*names))


def test_one_that_is_there_twice_is_refused():
    assert "it holds 2 of them" in refusal(zip_of([part(b"one"), part(b"two")]))


def test_those_of_vendored_projects_do_not_count():
    vendored = Part(b"example/_vendor/other-1.0.dist-info/METADATA", b"Name: other")
    assert read(zip_of([vendored, part(b"own")])) == b"own"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is no zip"),
        (b"PK\x05\x06", "it is no zip"),
        (b"x" * 100_000, "it is no zip"),
        (WHEEL.content[:-30], "it is no zip"),
        (WHEEL.content[len(WHEEL.content) // 2 :], "it is no zip"),
        (zip_of([part(crc=1)]), "or damaged"),
        (zip_of([part(packed=b"\xff" * 20, compressed=20)]), "or damaged"),
        (zip_of([part(flags=1)]), "or damaged"),
        (zip_of([part(size=100, crc=0)]), "or damaged"),
        (zip_of([part(method=14)]), "neither stored nor deflated"),
        (zip_of([part(method=12)]), "neither stored nor deflated"),
        (zip_of([part(needed=90)]), "or damaged"),
        (zip_of([part()], end={"length": 0xFFFFFF}), "or damaged"),
        (zip_of([part()], end={"start": 0xFFFFFF}), "or damaged"),
        (zip_of([part(offset=0xFFFFFF)]), "or damaged"),
        (zip_of([part()], before_end=end_zip64(1, 2**62, 2**62)), "or damaged"),
    ],
)
def test_what_cannot_be_read_is_told(content, why):
    message = refusal(content)
    assert message.startswith("content: no METADATA can be read from it: ")
    assert why in message


def test_too_much_of_it_is_refused_whatever_the_directory_says(monkeypatch):
    monkeypatch.setattr(wheel_metadata, "METADATA_BYTES", 1_000)
    assert read(zip_of([part(b"x" * 1_000)])) == b"x" * 1_000
    assert "it is over 1,000 bytes" in refusal(zip_of([part(b"x" * 1_001)]))
    # A member that unpacks to more than it says is cut at what it says; then its CRC is wrong.
    assert "damaged" in refusal(zip_of([part(b"x" * 5_000_000, size=10)]))


def test_a_bomb_is_not_unpacked():
    bomb = zip_of([part(bytes(100_000_000))])
    assert "it is over 10,485,760 bytes" in refusal(bomb)


def test_a_directory_without_end_is_not_read_to_its_end():
    # The end record promises 200 MB of directory, and they are there.
    length = 200_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, length, 0, 0)
    file = Watched(bytes(length) + end)
    with pytest.raises(InvalidRequest, match="its directory is too long"):
        INSPECTOR.wheel_metadata(file)
    assert file.taken < 20_000_000


def test_many_members_are_no_trouble():
    parts = [Part(f"example/{number:050}.py".encode()) for number in range(60_000)]
    assert read(zip_of([*parts, part(b"found")])) == b"found"


def test_errors_of_the_file_itself_pass_through():
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise UpstreamFailed("the upstream broke off")

    with pytest.raises(UpstreamFailed, match="broke off"):
        INSPECTOR.wheel_metadata(Breaking(WHEEL.content))


@settings(deadline=None, max_examples=600)
@given(
    st.lists(st.tuples(st.integers(0, len(WHEEL.content) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(WHEEL.content)),
    st.binary(max_size=30),
)
def test_a_damaged_wheel_is_refused_or_read(changes, cut, put_in):
    broken = bytearray(WHEEL.content)
    for position, value in changes:
        broken[position] = value
    if not changes:
        broken[cut:cut] = put_in
    try:
        metadata = read(bytes(broken))
    except InvalidRequest:
        return
    with zipfile.ZipFile(io.BytesIO(broken)) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        assert metadata == archive.read(name)
        assert zlib.crc32(metadata) == archive.getinfo(name).CRC
