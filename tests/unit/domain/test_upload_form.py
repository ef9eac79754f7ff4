"""Where the form of an upload contradicts the archive."""

import pytest

from stillroom_server.domain.metadata import UploadForm, form_faults, parse_metadata

ARCHIVE = parse_metadata(
    b"Metadata-Version: 2.1\nName: Demo.App\nVersion: 1.0\nRequires-Python: >=3.9, <4\n"
)
SILENT = parse_metadata(b"Metadata-Version: 2.1\nName: Demo.App\nVersion: 1.0\n")
GIVEN = {
    "filename": "demo_app-1.0.tar.gz",
    "name": "demo-app",
    "version": "1.0",
    "filetype": "sdist",
    "requires_python": ">=3.9,<4",
    "digests": {},
}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "DEMO_app", "version": "1.0.0"},
        {"name": "", "version": "", "filetype": "", "requires_python": ""},
        {"name": "UNKNOWN", "version": "UNKNOWN", "requires_python": "UNKNOWN"},
        {"requires_python": "<4,>=3.9"},
    ],
)
def test_a_form_that_says_the_same_or_nothing_agrees(fields):
    assert form_faults(UploadForm(**GIVEN | fields), ARCHIVE, "sdist") == []


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", "other", "the form says 'other', the archive 'Demo.App'"),
        ("version", "2.0", "the form says '2.0', the archive '1.0'"),
        ("version", "one", "the form says 'one', the archive '1.0'"),
        ("filetype", "bdist_wheel", "the form says 'bdist_wheel', the file is a sdist"),
        ("requires_python", ">=3", "the form says '>=3', the archive '>=3.9, <4'"),
        ("requires_python", "later", "the form says 'later', the archive '>=3.9, <4'"),
    ],
)
def test_a_contradiction_is_named_with_what_both_say(field, value, rule):
    [fault] = form_faults(UploadForm(**GIVEN | {field: value}), ARCHIVE, "sdist")
    assert (fault.field, fault.rule) == (field, rule)


def test_all_contradictions_are_named_at_once():
    form = UploadForm("x", "other", "9", "bdist_wheel", "<3", {})
    fields = [fault.field for fault in form_faults(form, ARCHIVE, "sdist")]
    assert fields == ["name", "version", "filetype", "requires_python"]


def test_a_python_version_that_the_archive_does_not_ask_for_is_a_contradiction():
    [fault] = form_faults(UploadForm(**GIVEN), SILENT, "sdist")
    assert fault.rule.endswith("the archive 'none'")


def test_values_of_a_megabyte_are_compared_and_not_repeated():
    big = "1" * 1_000_000
    form = UploadForm("x", big, big, big, big, {})
    faults = form_faults(form, ARCHIVE, "sdist")
    assert len(faults) == 4
    assert all(len(str(fault)) < 200 for fault in faults)
