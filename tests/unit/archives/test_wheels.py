"""What the inspector accepts as a wheel, and every rule by which it refuses one."""

import base64
import hashlib
import io

import pytest

from stillroom_server.archives.bounds import ArchiveLimits
from stillroom_server.archives.inspector import ArchiveInspector
from stillroom_server.domain.distributions import parse_filename
from stillroom_server.domain.errors import InvalidRequest
from support.distributions import Distribution, make_metadata, make_record, make_wheel, make_zip
from support.hostile_archives import WHEEL, Part, faults_in, parts_of, zip_of

INFO = "example-1.0.dist-info"


def faults_of(wheel: Distribution) -> list[str]:
    return faults_in(wheel.content, wheel.filename)


def wheel_without(*names: str) -> bytes:
    return zip_of(part for part in parts_of(make_wheel()) if part.name.decode() not in names)


def test_the_metadata_of_a_wheel_is_read_byte_for_byte():
    wheel = make_wheel(
        "Some.Name", "1.0", requires_dist=["six"], requires_python=">=3.9", body="é"
    )
    inspector = ArchiveInspector(ArchiveLimits())
    metadata = inspector.inspect(
        io.BytesIO(wheel.content), parse_filename(wheel.filename)
    ).metadata
    assert metadata.raw == wheel.metadata
    assert (metadata.project, str(metadata.version)) == ("some-name", "1.0")
    assert metadata.requires_python == ">=3.9"
    assert metadata.fields["requires_dist"] == ["six"]


def test_the_file_is_read_from_its_start_wherever_it_stands():
    wheel = make_wheel()
    file = io.BytesIO(wheel.content)
    file.seek(7)
    ArchiveInspector(ArchiveLimits()).inspect(file, parse_filename(wheel.filename))


@pytest.mark.parametrize(
    ("name", "version", "filename"),
    [
        ("Foo.Bar", "1.0", "foo_bar-1.0-py3-none-any.whl"),
        ("foo-bar", "1.0", "Foo.Bar-1.0-py3-none-any.whl"),
        ("foo-bar", "1.0", "foo_bar-1.0.0-py3-none-any.whl"),
        ("foo-bar", "1.0+cpu", "foo_bar-1.0+cpu-py3-none-any.whl"),
        ("foo-bar", "1!2.0.post1", "foo_bar-1!2.0.post1-1build-py3-none-any.whl"),
    ],
)
def test_names_and_versions_are_compared_in_their_normal_form(name, version, filename):
    assert faults_in(make_wheel(name, version).content, filename) == []


@pytest.mark.parametrize(
    "metadata_version", ["1.0", "1.2", "2.1", "2.5", "2.9"], ids="M-05 {}".format
)
def test_known_and_later_metadata_versions_are_accepted(metadata_version):
    assert faults_of(make_wheel(metadata_version=metadata_version)) == []


# Structure


def test_a_wheel_without_dist_info_is_refused():
    content = make_zip({"example.py": b""})
    assert faults_in(content, WHEEL) == [
        "content: a wheel must hold one .dist-info directory, this one holds 0"
    ]


@pytest.mark.parametrize(
    "other", ["other-1.0.dist-info/METADATA", "evil-1.0.DIST-INFO/METADATA", "a-1.dist-info"]
)
def test_u19_a_second_dist_info_is_refused_in_any_form(other):
    [fault] = faults_of(make_wheel(members={other: b""}))
    assert "one .dist-info directory, this one holds 2" in fault
    assert repr(other.partition("/")[0]) in fault


def test_a_dist_info_further_down_is_a_matter_of_the_project():
    assert faults_of(make_wheel(members={"example/vendor-1.dist-info/METADATA": b"x"})) == []


def test_u19_a_dist_info_of_another_project_is_refused():
    [fault] = faults_in(make_wheel("other").content, WHEEL)[:1]
    assert "'other-1.0.dist-info' must be named like the project and version" in fault


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_u19_each_needed_file_must_be_there(name):
    faults = faults_in(wheel_without(f"{INFO}/{name}"), WHEEL)
    assert f"content: these files are missing: '{INFO}/{name}'" in faults


def test_all_missing_files_and_other_faults_are_told_at_once():
    wheel = make_wheel(
        "other",
        metadata_version="2.4",
        extra_headers=[
            ("License-File", "COPYING"),
            ("License", "a"),
            ("License-Expression", "MIT"),
        ],
        members={"other-1.0.dist-info/entry_points.txt": b"[console_scripts]\n../x = y\n"},
    )
    faults = faults_in(wheel.content, "example-2.0-py3-none-any.whl")
    assert [fault.partition(": ")[0] for fault in faults] == [
        "content",
        "Name",
        "Version",
        "License-Expression",
        "License-File",
        "content",
    ]


# Metadata


def test_m02_name_and_version_must_be_those_of_the_file_name():
    faults = faults_in(make_wheel("other", "3").content, WHEEL)
    assert "Name: the metadata says 'other', the file name 'example'" in faults
    assert "Version: the metadata says '3', the file name '1.0'" in faults


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        pytest.param(b"", "Metadata-Version", id="M-04 empty"),
        pytest.param("Name: é".encode("latin-1"), "METADATA", id="M-04 latin-1"),
        pytest.param(b"\xef\xbb\xbf" + make_metadata(), "Metadata-Version", id="M-04 BOM"),
        pytest.param(make_metadata(body="\0"), "METADATA", id="M-04 NUL"),
        pytest.param(
            make_metadata() + b"Summary: \xed\xa0\x80\n", "METADATA", id="M-04 surrogate"
        ),
        pytest.param(make_metadata(body="x" * 10_000_000), "content", id="M-04 10 MB"),
        pytest.param(
            make_metadata(extra_headers=[("Classifier", "x")] * 100_000),
            "content",
            id="M-04 100,000 classifiers",
        ),
        pytest.param(make_metadata(metadata_version="9.9"), "Metadata-Version", id="M-05 9.9"),
        pytest.param(
            make_metadata(extra_headers=[("Metadata-Version", "2.1")]),
            "Metadata-Version",
            id="M-05 twice",
        ),
        pytest.param(b"Name: example\nVersion: 1.0\n", "Metadata-Version", id="M-05 missing"),
        pytest.param(make_metadata(extra_headers=[("Name", "b")]), "Name", id="M-06 two names"),
        pytest.param(
            make_metadata(extra_headers=[("Version", "1.0")]),
            "Version",
            id="M-06 two versions",
        ),
        pytest.param(
            make_metadata(requires_dist=["a; " + "(" * 1000 + "x" + ")" * 1000]),
            "content",
            id="M-12 deep marker",
        ),
        pytest.param(make_metadata(requires_dist=["not valid!"]), "requires-dist", id="M-12"),
        pytest.param(make_metadata(requires_python="!!"), "requires-python", id="M-13"),
        pytest.param(make_metadata(version="9" * 10_000), "content", id="M-11 long version"),
    ],
)
def test_bad_metadata_is_refused_by_the_field_at_fault(metadata, field):
    wheel = make_wheel(members={f"{INFO}/METADATA": metadata})
    assert [fault.partition(": ")[0] for fault in faults_of(wheel)][:1] == [field]


def test_m04_mixed_line_ends_are_accepted():
    metadata = b"Metadata-Version: 2.1\r\nName: example\nVersion: 1.0\r\n\r\nText\n"
    assert faults_of(make_wheel(members={f"{INFO}/METADATA": metadata})) == []


def test_m06_unknown_fields_are_accepted():
    assert faults_of(make_wheel(extra_headers=[("X-Own", "1")])) == []


def test_a_field_that_takes_long_to_parse_never_reaches_the_parser():
    # A Description-Content-Type of 2 MB with many parameters once took two minutes.
    for field in ("Description-Content-Type", "Content-Type"):
        wheel = make_wheel(extra_headers=[(field, "text/plain;" + "a=b;" * 400_000)])
        [fault] = faults_of(wheel)
        assert field in fault


def test_a_long_licence_and_description_in_the_head_are_accepted():
    long = "\n        ".join(["word " * 20] * 2000)
    wheel = make_wheel(extra_headers=[("License", long), ("Description", long)])
    assert faults_of(wheel) == []


# Licences


def test_m17_license_and_license_expression_exclude_each_other():
    wheel = make_wheel(
        metadata_version="2.4",
        extra_headers=[("License", "MIT"), ("License-Expression", "MIT")],
    )
    assert faults_of(wheel) == ["License-Expression: it replaces License; leave one of them out"]


def test_m17_promised_licence_files_must_be_there():
    headers = [("License-File", "LICENSE"), ("License-File", "sub/NOTICE")]
    wheel = make_wheel(
        metadata_version="2.4",
        extra_headers=headers,
        members={f"{INFO}/licenses/LICENSE": b"MIT"},
    )
    assert faults_of(wheel) == ["License-File: these files are not in the archive: 'sub/NOTICE'"]


def test_before_metadata_2_4_a_licence_file_may_lie_anywhere():
    assert faults_of(make_wheel(extra_headers=[("License-File", "LICENSE")])) == []


# Entry points


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"; comment\n# comment\n\n[console_scripts]\nrun = example:main\n",
        b"[console_scripts]\r\nrun=example:main [extra]\r\n[gui_scripts]\nrun.x-y = a:b\n",
        "[own.group]\nä/b = example:main\n".encode(),
    ],
)
def test_what_build_tools_write_is_accepted(text):
    assert faults_of(make_wheel(members={f"{INFO}/entry_points.txt": text})) == []


@pytest.mark.parametrize("group", ["console_scripts", "gui_scripts"])
@pytest.mark.parametrize("name", ["../run", "a/b", "a\\b", "..", "/run"])
def test_u17_names_of_scripts_that_are_paths_are_refused(group, name):
    text = f"[{group}]\nfine = x:y\n  {name} = example:main\n".encode()
    [fault] = faults_of(make_wheel(members={f"{INFO}/entry_points.txt": text}))
    assert fault == f"content: names of scripts must not be paths: {name!r}"


def test_u17_a_file_that_is_not_utf8_is_refused():
    [fault] = faults_of(make_wheel(members={f"{INFO}/entry_points.txt": b"[\xff]"}))
    assert fault == "content: entry_points.txt must be UTF-8"


@pytest.mark.parametrize("text", [b"run = x:y\n", b"[a]\nrun\n", b"[a]\n= x\n", b"[a\nb = c\n"])
def test_u17_a_file_that_cannot_be_read_is_refused(text):
    [fault] = faults_of(make_wheel(members={f"{INFO}/entry_points.txt": text}))
    assert "groups of 'name = target'" in fault


# Record


def faults_with_record(record: bytes) -> list[str]:
    return faults_of(make_wheel(members={f"{INFO}/RECORD": record}))


def record_of() -> bytes:
    """The correct RECORD of the plain wheel."""
    files = {p.name.decode(): p.data for p in parts_of(make_wheel())}
    record = files.pop(f"{INFO}/RECORD")
    assert record == make_record(files, f"{INFO}/RECORD")
    return record


def test_a_correct_record_is_accepted_in_all_its_forms():
    record = record_of()
    assert faults_with_record(record) == []
    assert faults_with_record(record.replace(b"\n", b"\r\n")) == []
    assert faults_with_record(record.replace(f"{INFO}/RECORD,,\n".encode(), b"")) == []
    assert faults_with_record(record + record) == []


def test_stronger_digests_and_missing_sizes_are_accepted():
    files = {p.name.decode(): p.data for p in parts_of(make_wheel())}
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha512(data).digest()).decode()
        rows.append(f"{name},sha512={digest},\n")
    rows[-1] = f"{INFO}/RECORD,,\n"
    assert faults_with_record("".join(rows).encode()) == []


def test_signatures_need_no_row():
    members = {f"{INFO}/RECORD.jws": b"{}", f"{INFO}/RECORD.p7s": b"x"}
    members[f"{INFO}/RECORD"] = record_of()
    assert faults_of(make_wheel(members=members)) == []


@pytest.mark.parametrize("path", ["absent.py", "../outside.py", "/etc/passwd"])
def test_u18_a_row_for_a_file_that_is_not_there_is_refused(path):
    row = f"{path},sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n".encode()
    assert faults_with_record(record_of() + row) == [
        f"content: RECORD must list only files of the wheel: {path!r}"
    ]


def test_u18_a_file_without_a_row_is_refused():
    record = record_of().split(b"\n", 1)[1]
    assert faults_with_record(record) == ["content: RECORD must list every file: 'example.py'"]


def test_u18_a_wrong_digest_is_refused():
    record = record_of().replace(b"example.py,sha256=", b"example.py,sha256=A")
    assert faults_with_record(record) == [
        "content: RECORD must give the true digest of every file: 'example.py'"
    ]


@pytest.mark.parametrize("digest", ["", "md5=", "sha1=x", "sha3_256=x", "sha256"])
def test_u18_a_missing_or_weak_digest_is_refused(digest):
    record = f"example.py,{digest},\n".encode() + record_of().split(b"\n", 1)[1]
    [fault] = faults_with_record(record)[:1]
    assert fault.startswith("content: RECORD must give ")
    assert fault.endswith(" digest of every file: 'example.py'")


def test_u18_a_wrong_size_is_refused():
    record = record_of()
    first = record.split(b"\n", 1)[0]
    lying = first.rsplit(b",", 1)[0] + b",1"
    assert faults_with_record(record.replace(first, lying)) == [
        "content: RECORD must give the true size of every file: 'example.py'"
    ]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (b"\xff,,\n", "UTF-8"),
        (b"a,b\n", "a path, a digest and a size"),
        (b"a,,\na,x,\n", "contradict itself"),
        (b'"' + b"a" * 200_000 + b'",,\n', "CSV"),
        (b'"a",,"\n', "CSV"),
        (b"".join(b"a%d,,\n" % number for number in range(100_002)), "100,000 rows"),
    ],
)
def test_u18_a_record_that_cannot_be_read_is_refused(record, rule):
    [fault] = faults_with_record(record)
    assert fault.startswith("content: ")
    assert rule in fault


def test_long_lists_of_files_are_shortened():
    members = {f"m{number}.py": b"" for number in range(50)}
    members[f"{INFO}/RECORD"] = record_of()
    [fault] = faults_of(make_wheel(members=members))
    assert fault == (
        "content: RECORD must list every file: 'm0.py', 'm1.py', 'm10.py' and 47 more"
    )


def test_a_damaged_file_is_found_also_if_record_does_not_list_it():
    parts = parts_of(make_wheel(members={f"{INFO}/RECORD": record_of()}))
    broken = Part(b"broken.py", b"data").lying(crc=1)
    faults = faults_in(zip_of([*parts, broken]), WHEEL)
    assert len(faults) == 2
    assert "'broken.py' has another size or CRC than it says" in faults[1]


def test_a_fault_of_the_disk_is_not_blamed_on_the_client():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError("input/output error")

    with pytest.raises(OSError, match="input/output"):
        ArchiveInspector(ArchiveLimits()).inspect(Failing(b"PK"), parse_filename(WHEEL))


def test_messages_are_sentences_that_name_field_and_rule():
    with pytest.raises(InvalidRequest) as caught:
        ArchiveInspector(ArchiveLimits()).inspect(io.BytesIO(b""), parse_filename(WHEEL))
    assert caught.value.message == "content: it is not a readable wheel: it is empty"
