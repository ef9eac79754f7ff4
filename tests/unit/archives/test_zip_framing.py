"""A wheel must be a zip that every reader reads alike."""

import io
import struct
import unicodedata
import zipfile

import pytest

from support.distributions import make_record, make_wheel
from support.hostile_archives import (
    WHEEL,
    Part,
    end_zip64,
    faults_in,
    parts_of,
    tar_member,
    zip_of,
)

PARTS = parts_of(make_wheel())
EXTRA = Part(b"more.py", b"x = 1\n")
NO_TWINS = "no two members may have one name, not even in another case or Unicode form"
ZIP64 = struct.Struct("<2H2Q")


def unreadable(content: bytes) -> str:
    """The one reason why these bytes are no readable wheel."""
    [fault] = faults_in(content, WHEEL)
    field, kind, reason = fault.split(": ", 2)
    assert (field, kind) == ("content", "it is not a readable wheel")
    return reason


def with_extra(**header_and_entry) -> list[Part]:
    return [*PARTS, EXTRA.lying(**header_and_entry)]


def test_a_wheel_written_by_hand_is_accepted():
    assert faults_in(zip_of(PARTS), WHEEL) == []


# What honest tools write: shapes seen in wheels of setuptools, flit, hatchling, poetry, pdm, uv
# and maturin


def rewritten(*, method=zipfile.ZIP_DEFLATED, force_zip64=False, mode=0o100644) -> bytes:
    """The plain wheel, written by `zipfile` in some way."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in PARTS:
            info = zipfile.ZipInfo(part.name.decode())
            info.compress_type = method
            info.external_attr = mode << 16
            with archive.open(info, "w", force_zip64=force_zip64) as member:
                member.write(part.data)
    return buffer.getvalue()


def test_stored_members():
    assert faults_in(rewritten(method=zipfile.ZIP_STORED), WHEEL) == []


def test_zip64_fields_that_a_small_member_does_not_need():
    assert faults_in(rewritten(force_zip64=True), WHEEL) == []


@pytest.mark.parametrize("mode", [0, 0o644, 0o100600, 0o100755, 0o100666])
def test_modes_with_and_without_a_type(mode):
    assert faults_in(rewritten(mode=mode), WHEEL) == []


def test_entries_for_directories():
    folder = Part(b"example/").lying(mode=0o40755, method=0, packed=b"", compressed=0)
    assert faults_in(zip_of([folder, *PARTS]), WHEEL) == []


def test_the_directory_may_have_another_order_than_the_members():
    content = zip_of(PARTS)
    start, end = content.index(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    entries = [b"PK\x01\x02" + part for part in content[start:end].split(b"PK\x01\x02")[1:]]
    turned = content[:start] + b"".join(reversed(entries)) + content[end:]
    assert turned != content
    assert faults_in(turned, WHEEL) == []


def test_names_in_utf8():
    assert faults_in(make_wheel(members={"dätä ü.txt": b"x"}).content, WHEEL) == []


def test_extra_fields_of_info_zip():
    extra = struct.pack("<2H5s", 0x5455, 5, b"\1\0\0\0\0")
    parts = [part.lying(extra=extra) for part in PARTS]
    assert faults_in(zip_of(parts), WHEEL) == []


def test_sixty_six_thousand_members_which_need_zip64():
    members = {f"m{number}.py": b"" for number in range(66_000)}
    wheel = make_wheel(members=members)
    assert faults_in(wheel.content, WHEEL) == []


# Ends


@pytest.mark.parametrize(
    "content", [b"P", b"\0" * 10_000, b"PK\x03\x04", b"no zip" * 100], ids=lambda c: c[:6]
)
def test_u14_what_is_no_zip_is_refused(content):
    assert unreadable(content)


def test_u14_a_wheel_that_is_cut_off_anywhere_is_refused():
    content = zip_of(PARTS)
    for length in range(len(content)):
        assert unreadable(content[:length])


def test_u04_a_prefix_is_refused():
    assert unreadable(b"#!/bin/sh\n" + zip_of(PARTS)) == (
        "its directory is not where its end record says"
    )
    assert unreadable(zip_of(PARTS, prefix=b"#!/bin/sh\n")) == (
        "it holds data that its directory does not name"
    )


@pytest.mark.parametrize("suffix", [b"\0", b"\n", zip_of([EXTRA])])
def test_u04_trailing_data_is_refused(suffix):
    assert unreadable(zip_of(PARTS, suffix=suffix))


@pytest.mark.parametrize("comment", [b"c", zip_of([EXTRA])], ids=["text", "a zip"])
def test_u04_a_comment_is_refused(comment):
    assert unreadable(zip_of(PARTS, end={"comment": comment}))


@pytest.mark.parametrize(
    "lie",
    [
        {"disk": 1},
        {"here": 1},
        {"count": 1},
        {"here": 3, "count": 3},
        {"start": 1},
        {"length": 9},
    ],
    ids=str,
)
def test_u10_a_split_archive_or_a_lying_end_record_is_refused(lie):
    assert unreadable(zip_of(PARTS, end=lie))


def test_data_between_directory_and_end_is_refused():
    assert unreadable(zip_of(PARTS, before_end=b"hidden"))


# Zip64 ends


def with_zip64_end(*, end=None, **lies) -> bytes:
    plain = zip_of(PARTS)
    *_, count, length, start, _ = struct.unpack("<4s4H2LH", plain[-22:])
    return zip_of(PARTS, before_end=end_zip64(count, length, start, **lies), end=end)


def test_one_that_agrees_is_accepted():
    wide = {"here": 0xFFFF, "count": 0xFFFF, "length": 0xFFFFFFFF, "start": 0xFFFFFFFF}
    assert faults_in(with_zip64_end(), WHEEL) == []
    assert faults_in(with_zip64_end(end=wide), WHEEL) == []


@pytest.mark.parametrize(
    "lie", [{"at": 0}, {"rest": 60}, {"count": 3}, {"length": 9}, {"start": 0}], ids=str
)
def test_u08_one_that_lies_is_refused(lie):
    assert unreadable(with_zip64_end(**lie))


def test_u08_one_that_the_end_record_contradicts_is_refused():
    assert "contradict each other" in unreadable(with_zip64_end(end={"start": 1}))


# Members


def test_u05_a_member_that_only_the_directory_has_is_refused():
    ghost = Part(b"ghost.py", b"x", has_header=False)
    assert unreadable(zip_of([*PARTS, ghost]))


def test_u05_a_member_that_the_directory_has_not_is_refused():
    for parts in ([EXTRA, *PARTS], [*PARTS, EXTRA]):
        hidden = [Part(p.name, p.data, has_entry=p is not EXTRA) for p in parts]
        assert unreadable(zip_of(hidden)) == "it holds data that its directory does not name"


@pytest.mark.parametrize("gap", [b"\0", b"hidden"])
def test_data_between_members_is_refused(gap):
    first = Part(PARTS[0].name, PARTS[0].data, after=gap)
    reason = "it holds data that its directory does not name"
    assert unreadable(zip_of([first, *PARTS[1:]])) == reason
    assert unreadable(zip_of(PARTS, before_directory=gap)) == reason


def test_u13_overlapping_members_are_refused():
    inside = Part(b"inside.py", b"", has_header=False, entry={"offset": 10})
    assert unreadable(zip_of([*PARTS, inside])) == "its members overlap"


def test_u13_members_that_share_their_data_are_refused():
    twin = Part(b"twin.py", PARTS[0].data, has_header=False, entry={"offset": 0})
    assert unreadable(zip_of([*PARTS, twin])) == "its members overlap"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("signature", b"PK\x03\x05"),
        ("name", b"none.py"),
        ("name", b"more.pyc"),
        ("method", 0),
        ("flags", 2),
        ("crc", 1),
        ("compressed", 1),
        ("compressed", 10_000),
        ("size", 1),
        ("size", 0xFFFFFFFF),
    ],
    ids=str,
)
def test_u07_a_header_that_contradicts_the_directory_is_refused(key, value):
    liar = Part(EXTRA.name, EXTRA.data, header={key: value})
    assert unreadable(zip_of([*PARTS, liar])) == (
        "the header of 'more.py' contradicts the directory"
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("signature", b"PK\x01\x03"),
        ("comment", b"c"),
        ("disk", 1),
        ("offset", 1),
        ("offset", 0xFFFFFFFF),
        ("offset", 0xFFFFFFFE),
        ("compressed", 0xFFFFFFFE),
        ("compressed", 0xFFFFFFFF),
    ],
    ids=str,
)
def test_an_entry_that_lies_is_refused(key, value):
    liar = Part(EXTRA.name, EXTRA.data, entry={key: value})
    assert unreadable(zip_of([*PARTS, liar]))


def test_offsets_and_sizes_of_astronomic_height_are_refused():
    wide = struct.pack("<2H3Q", 1, 24, 2**63, 2**63, 2**64 - 1)
    lies = {"size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    liar = Part(EXTRA.name, EXTRA.data, entry={**lies, "extra": wide})
    [fault] = faults_in(zip_of([*PARTS, liar]), WHEEL)
    assert "unpacks to more than 50 times" in fault


@pytest.mark.parametrize("size", [0, 1, 5, 7, 2**31])
def test_u07_a_size_that_is_not_true_is_refused(size):
    fault = faults_in(zip_of(with_extra(size=size)), WHEEL)[-1]
    assert "'more.py' has another size" in fault or "it unpacks to more than" in fault


def test_u07_a_crc_that_is_not_true_is_refused():
    assert "another size or CRC than it says" in faults_in(zip_of(with_extra(crc=1)), WHEEL)[-1]


@pytest.mark.parametrize(
    "packed", [b"", b"\xff" * 8, b"\x03\x00\x00", b"\x4b"], ids=["none", "bad", "more", "less"]
)
def test_compressed_data_that_is_damaged_is_refused(packed):
    faults = faults_in(zip_of(with_extra(packed=packed, compressed=len(packed))), WHEEL)
    assert "'more.py'" in faults[-1]


def test_u07_data_descriptors_are_refused_with_the_way_out():
    class Unseekable(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError

        seek = tell

    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in PARTS:
            archive.writestr(part.name.decode(), part.data)
    [fault] = faults_in(buffer.getvalue(), WHEEL)
    assert "no member may have a data descriptor; write the wheel to a seekable file" in fault


@pytest.mark.parametrize(
    ("lie", "rule"),
    [
        ({"flags": 1}, "no member may be encrypted"),
        ({"flags": 1 << 6}, "no member may be encrypted"),
        ({"flags": 1 << 13}, "no member may be encrypted"),
        ({"flags": 1 << 5}, "no member may use special features of zip"),
        ({"needed": 64}, "no member may use special features of zip"),
        ({"method": 12}, "members must be stored or deflated"),
        ({"method": 93}, "members must be stored or deflated"),
        ({"method": 99}, "members must be stored or deflated"),
    ],
    ids=str,
)
def test_u10_encryption_and_rare_compression_are_refused(lie, rule):
    assert faults_in(zip_of(with_extra(**lie)), WHEEL) == [f"content: {rule}: 'more.py'"]


def test_all_such_members_are_told_at_once():
    parts = [
        EXTRA.lying(flags=1),
        Part(b"b.py").lying(method=12),
        Part(b"c.py").lying(flags=1),
    ]
    assert faults_in(zip_of(parts), WHEEL) == [
        "content: no member may be encrypted: 'more.py', 'c.py'",
        "content: members must be stored or deflated: 'b.py'",
    ]


@pytest.mark.parametrize("mode", [0o120777, 0o20666, 0o60666, 0o10644, 0o140777, 0o40755])
def test_u16_links_devices_and_pipes_are_refused(mode):
    [fault] = faults_in(zip_of(with_extra(mode=mode)), WHEEL)
    assert fault == "content: members must be files or empty directories: 'more.py'"


def test_a_directory_with_content_is_refused():
    [fault] = faults_in(zip_of([*PARTS, Part(b"folder/", b"x")]), WHEEL)
    assert "empty directories: 'folder/'" in fault


# Extra fields


@pytest.mark.parametrize(
    "extra",
    [
        b"\0",
        b"\0\0\0",
        struct.pack("<2H", 0x5455, 5),
        struct.pack("<2H", 0x5455, 0) * 2,
        struct.pack("<2H", 0x7075, 0),
        struct.pack("<2HQ", 1, 8, 6),
        ZIP64.pack(1, 16, 6, 6),
    ],
    ids=[
        "1 byte",
        "3 bytes",
        "too long",
        "twice",
        "unicode path",
        "zip64 of 8",
        "zip64 of 16",
    ],
)
def test_u08_u09_broken_or_ambiguous_ones_are_refused(extra):
    assert unreadable(zip_of([*PARTS, Part(EXTRA.name, EXTRA.data, entry={"extra": extra})]))


@pytest.mark.parametrize("sizes", [(6, 7), (7, 8), (8, 6), (2**40, 2**40)], ids=str)
def test_u08_zip64_sizes_in_front_of_a_member_must_be_true(sizes):
    lie = {"extra": ZIP64.pack(1, 16, *sizes), "size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF}
    true = (len(EXTRA.data), 8)
    content = zip_of([*PARTS, Part(EXTRA.name, EXTRA.data, header=lie)])
    assert (faults_in(content, WHEEL) == []) == (sizes == true)


# Names


def faults_with_names(*names: str) -> list[str]:
    parts = [Part(name.encode(), b"").lying(flags=1 << 11) for name in names]
    return faults_in(zip_of([*PARTS, *parts]), WHEEL)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "a/./x", "a//x", ".", "..", "", "a/.."],
    ids="U-16 {!r}".format,
)
def test_u16_parts_that_lead_elsewhere_are_refused(name):
    [fault] = faults_with_names(name)
    assert fault.startswith(
        "content: names of members must not have parts that are empty, '.' or '..': "
    )


@pytest.mark.parametrize("name", ["/x", "//x", "C:\\x", "C:/x", "c:x"])
def test_u16_absolute_names_are_refused(name):
    [fault] = faults_with_names(name)
    assert "names of members must not" in fault


@pytest.mark.parametrize(
    "name", ["a\\b", "..\\x", "a\0b", "a\nb", "a\x7f", "a\x85", "a\u202etxt.exe", "a\u2066"]
)
def test_u09_control_characters_and_backslashes_are_refused(name):
    [fault] = faults_with_names(name)
    assert fault.startswith(
        "content: names of members must not hold control characters or backslashes: "
    )
    assert fault.isprintable()


@pytest.mark.parametrize("name", ["a/" * 1000 + "x", "x" * 1025], ids=["deep", "long"])
def test_u13_deep_and_long_names_are_refused(name):
    [fault] = faults_with_names(name)
    assert "must not be over 1024 bytes or 100 parts" in fault
    assert len(fault) < 300


@pytest.mark.parametrize(
    ("names", "flags"),
    [([b"\xff.py"], 1 << 11), (["ä.py".encode()], 0)],
    ids=["utf-8", "none"],
)
def test_u09_names_of_unclear_encoding_are_refused(names, flags):
    parts = [Part(name, b"").lying(flags=flags) for name in names]
    assert "not ASCII" in unreadable(zip_of([*PARTS, *parts]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.py", "a.py"),
        ("a.py", "A.PY"),
        ("straße.py", "STRASSE.py"),
        (unicodedata.normalize("NFC", "é.py"), unicodedata.normalize("NFD", "é.py")),
        ("folder/a.py", "Folder/A.py"),
        ("a", "a/"),
    ],
    ids=ascii,
)
def test_u06_names_that_mean_one_file_somewhere_are_refused(first, second):
    assert any(NO_TWINS in fault for fault in faults_with_names(first, second))


def test_u06_the_same_by_a_backslash_is_refused():
    assert faults_with_names("a/b.py", "a\\b.py")


def test_u06_a_second_copy_of_metadata_is_refused():
    again = Part(b"example-1.0.dist-info/METADATA", b"Name: evil\n")
    assert faults_in(zip_of([*PARTS, again]), WHEEL) == [
        f"content: {NO_TWINS}: 'example-1.0.dist-info/METADATA'"
    ]


def test_a_file_cannot_have_members_below_it():
    [fault] = faults_with_names("a", "a-b", "a.b", "A/b/c")
    assert fault == "content: no member may lie below a file or link: 'A/b/c'"


def test_every_broken_rule_is_told():
    faults = faults_with_names("../x", "/x", "a\\b", "c", "C")
    assert len(faults) == 4


def test_names_that_only_look_strange_are_accepted():
    names = [
        "a b",
        "...",
        "a..b",
        "~x",
        "-x",
        "ab:c",
        "€.txt",
        "日本.py",
        "👩‍💻.txt",
        ".hidden",
    ]
    files = {part.name.decode(): part.data for part in PARTS[:-1]} | dict.fromkeys(names, b"")
    record = PARTS[-1].name.decode()
    wheel = make_wheel(members={**files, record: make_record(files, record)})
    assert faults_in(wheel.content, WHEEL) == []


def test_u03_a_zip_that_is_also_a_tar_is_refused():
    zip_first = zip_of([Part(b"x" * 60, b"").lying(packed=bytes(600), compressed=600), *PARTS])
    block = bytearray(zip_first[:512])
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert unreadable(bytes(block) + zip_first[512:]) == "it is both a zip and a tar"
    assert unreadable(tar_member(b"example-1.0/PKG-INFO") + zip_of(PARTS)) == (
        "it is both a zip and a tar"
    )
