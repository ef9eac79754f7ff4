"""Core metadata as it stands in an archive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillroom_server.domain.metadata import CoreMetadata, parse_metadata

VERSIONS = ["1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"]


def _raw(*lines: str, version: str = "2.1", body: str = "") -> bytes:
    head = [f"Metadata-Version: {version}", "Name: Demo.App", "Version: 1.0", *lines]
    return ("\n".join(head) + "\n" + (f"\n{body}" if body else "")).encode()


def _faults(raw: bytes) -> list[str]:
    with pytest.raises(ExceptionGroup) as caught:
        parse_metadata(raw)
    assert all(isinstance(error, ValueError) for error in caught.value.exceptions)
    return [str(error) for error in caught.value.exceptions]


@pytest.mark.parametrize("version", [*VERSIONS, "2.9", "2.10"])
def test_every_metadata_version_of_the_first_two_kinds_is_read(version):
    metadata = parse_metadata(_raw("Requires-Python: >=3.9", version=version))
    assert isinstance(metadata, CoreMetadata)
    assert (metadata.name, metadata.project, str(metadata.version)) == (
        "Demo.App", "demo-app", "1.0",
    )  # fmt: skip
    assert metadata.requires_python == ">=3.9"
    assert metadata.fields["metadata_version"] == version


@pytest.mark.parametrize("version", ["3.0", "0.9", "10.1"])
def test_a_metadata_version_of_another_kind_is_refused(version):
    [fault] = _faults(_raw(version=version))
    assert fault.startswith("Metadata-Version: ")
    assert "is not known here" in fault


@pytest.mark.parametrize("version", ["", "two", "2", "2.x", "-2.1", "2.1.1", "2." + "1" * 5_000])
def test_a_metadata_version_that_is_none_is_refused(version):
    [fault] = _faults(_raw(version=version))
    assert fault.startswith("Metadata-Version: ")
    assert len(fault) < 200


def test_a_later_minor_version_is_held_to_the_rules_that_are_known():
    assert _faults(_raw("Requires-Python: later", version="2.9"))


def test_the_bytes_are_kept_as_they_are():
    raw = _raw("Summary: one", body="A description.\r\nTwo lines.\n")
    assert parse_metadata(raw).raw == raw


FIELDS = (
    "Summary: A demo",
    "Home-page: https://demo.test",
    "Author: Ann",
    "License: MIT",
    "Keywords: a,b",
    "Platform: any",
    "Classifier: Private :: Do Not Upload",
    "Classifier: Typing :: Typed",
    "Requires-Dist: six>=1",
    'Requires-Dist: idna; python_version < "3"',
    "Provides-Extra: tests",
    "Project-URL: Home, https://demo.test",
    "X-Unknown: ignored",
)


def test_fields_have_the_keys_that_clients_of_devpi_read():
    fields = parse_metadata(_raw(*FIELDS, body="Hello.")).fields
    assert fields["name"] == "Demo.App"
    assert fields["summary"] == "A demo"
    assert fields["home_page"] == "https://demo.test"
    assert fields["author"] == "Ann"
    assert fields["license"] == "MIT"
    assert fields["keywords"] == "a,b"
    assert fields["platform"] == ["any"]
    assert fields["classifiers"] == ["Private :: Do Not Upload", "Typing :: Typed"]
    assert fields["requires_dist"] == ["six>=1", 'idna; python_version < "3"']
    assert fields["provides_extras"] == ["tests"]
    assert fields["project_urls"] == ["Home, https://demo.test"]
    assert fields["description"] == "Hello."
    assert "x_unknown" not in fields


def test_what_is_not_said_is_empty():
    fields = parse_metadata(_raw()).fields
    assert fields["summary"] == ""
    assert fields["requires_dist"] == []
    assert fields["description"] == ""


def test_the_description_may_be_a_field_or_the_body():
    assert parse_metadata(_raw("Description: short")).fields["description"] == "short"
    assert parse_metadata(_raw("Description: x", body="body")).fields["description"] == "body"


def test_unknown_stands_for_nothing():
    metadata = parse_metadata(
        _raw("Summary: UNKNOWN", "Platform: UNKNOWN", "Author: UNKNOWN", version="1.0")
    )
    assert metadata.fields["summary"] == ""
    assert metadata.fields["platform"] == []
    assert metadata.fields["author"] == ""
    assert metadata.requires_python is None


@pytest.mark.parametrize("field", ["Metadata-Version", "Name", "Version"])
def test_a_field_that_must_be_there_is_missing_or_twice(field):
    lines = {"Metadata-Version": "2.1", "Name": "demo", "Version": "1.0"}
    missing = "".join(f"{key}: {value}\n" for key, value in lines.items() if key != field)
    twice = "".join(f"{key}: {value}\n" for key, value in lines.items())
    twice += f"{field.upper()}: {lines[field]}\n"
    assert _faults(missing.encode()) == [f"{field}: it must stand exactly once, not 0 times"]
    assert _faults(twice.encode()) == [f"{field}: it must stand exactly once, not 2 times"]


def test_everything_that_is_missing_is_named_at_once():
    assert len(_faults(b"Summary: nothing else\n")) == 3
    assert len(_faults(b"")) == 3


def test_two_claims_about_the_python_version_are_refused():
    # Installers would read the first, or the last, or none.
    faults = _faults(_raw("Requires-Python: >=3", "Requires-Python: <3"))
    assert faults == ["Requires-Python: it must stand at most once"]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (_raw() + b"Summary: a\0b\n", "METADATA: it must hold no NUL character"),
        (_raw() + "Author: J\xf6rg\n".encode("latin-1"), "METADATA: it must be UTF-8"),
        (_raw().replace(b"Demo.App", b"-demo"), "name: '-demo' is invalid"),
        (_raw().replace(b"Demo.App", b"Demo\n App"), "name: "),
        (_raw().replace(b"1.0\n", b"one\n"), "version: 'one' is invalid"),
        (_raw().replace(b"1.0\n", b"1" * 5_000 + b"\n"), "METADATA: Exceeds the limit"),
        (_raw("Requires-Python: later"), "requires-python: 'later' is invalid"),
        (_raw("Requires-Dist: (("), "requires-dist: "),
        (_raw("Provides-Extra: a b", version="2.3"), "provides-extra: "),
        (_raw("License-Expression: no such", version="2.4"), "license-expression: "),
        (_raw("License-File: ../secret", version="2.4"), "license-file: "),
    ],
)
def test_what_a_client_could_misread_is_refused(raw, fault):
    [said] = _faults(raw)
    assert said.startswith(fault)


def test_a_byte_order_mark_hides_the_fields():
    assert all("exactly once, not 0 times" in fault for fault in _faults(b"\xef\xbb\xbf" + _raw()))


@pytest.mark.parametrize(
    "lines",
    [
        ("Summary: two", "Summary: lines"),
        ("Summary: folded\n  twice",),
        ("Description-Content-Type: text/anything",),
        ("Dynamic: Nothing",),
        ("Keywords: a", "Keywords: b"),
        ("License-Expression: MIT",),
        ("License: two", "License: times"),
    ],
)
def test_what_old_tools_get_wrong_and_nobody_minds_is_let_through(lines):
    assert parse_metadata(_raw(*lines)).project == "demo-app"


@pytest.mark.parametrize(
    ("version", "dynamic", "is_static"),
    [
        ("2.1", (), False),
        ("2.2", (), True),
        ("2.4", ("Description", "Keywords"), True),
        ("2.2", ("Requires-Dist",), False),
        ("2.2", ("requires-python",), False),
        ("2.10", ("Provides-Extra",), False),
        ("2.10", (), True),
        ("1.2", (), False),
    ],
)
def test_metadata_is_static_when_no_build_may_change_what_a_resolver_reads(
    version, dynamic, is_static
):
    lines = [f"Dynamic: {field}" for field in dynamic]
    assert parse_metadata(_raw(*lines, version=version)).is_static is is_static


_LINES = st.lists(
    st.builds(
        "{}: {}".format,
        st.sampled_from(["Name", "Version", "Metadata-Version", "Requires-Dist", "Dynamic", "X"]),
        st.text(max_size=20),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(_LINES | st.lists(st.text(max_size=20), max_size=4))
def test_whatever_stands_there_it_is_read_or_refused_with_named_faults(lines):
    raw = "\n".join(["Metadata-Version: 2.1", "Name: demo", "Version: 1", *lines])
    try:
        said = [parse_metadata(raw.encode(errors="surrogatepass")).project]
    except ExceptionGroup as group:
        said = [str(error).partition(": ")[2] for error in group.exceptions]
    assert all(said)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_metadata_are_refused(raw):
    with pytest.raises(ExceptionGroup):
        parse_metadata(raw)
