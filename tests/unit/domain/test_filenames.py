"""What the names of distributions say."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from stillroom_server.domain.distributions import (
    MAX_TAG_COMBINATIONS,
    FileType,
    parse_filename,
    release_key,
    version_in,
)
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import ProjectName, project_name

GOOD = [
    ("demo-1.0-py3-none-any.whl", "demo", "1.0", "py3"),
    ("Demo_App-1.0.0-py3-none-any.whl", "demo-app", "1.0.0", "py3"),
    ("demo.app-1.0-py3-none-any.whl", "demo-app", "1.0", "py3"),
    ("demo-1.0-7build-py3-none-any.whl", "demo", "1.0", "py3"),
    ("demo-1.0+cpu.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
     "demo", "1.0+cpu.1", "cp311"),
    ("demo-1!2.0rc1-py2.py3-none-any.whl", "demo", "1!2.0rc1", "py2.py3"),
    ("demo-1.0.tar.gz", "demo", "1.0", "source"),
    ("demo_app-1.0.tar.gz", "demo-app", "1.0", "source"),
    ("demo-app-1.0.tar.gz", "demo-app", "1.0", "source"),
    ("Demo.App-1.0.dev3.tar.gz", "demo-app", "1.0.dev3", "source"),
    ("a-1.tar.gz", "a", "1", "source"),
]  # fmt: skip

BAD = {
    "empty": "",
    "no ending": "demo-1.0",
    "only an ending": ".tar.gz",
    "another ending": "demo-1.0.zip",
    "an ending in capitals": "demo-1.0-py3-none-any.WHL",
    "an egg": "demo-1.0-py3.11.egg",
    "a signature": "demo-1.0.tar.gz.asc",
    "no version": "demo.tar.gz",
    "a version that is none": "demo-one.tar.gz",
    "too few parts": "demo-1.0-any.whl",
    "too many parts": "demo-1.0-1-py3-none-any-x.whl",
    "a build that is no number": "demo-1.0-b1-py3-none-any.whl",
    "a path": "../demo-1.0.tar.gz",
    "a folder": "a/demo-1.0.tar.gz",
    "a folder of Windows": "a\\demo-1.0.tar.gz",
    "hidden": ".demo-1.0.tar.gz",
    "a control character": "demo\x07-1.0.tar.gz",
    "a NUL": "demo-1.0.tar.gz\0",
    "a new line": "demo-1.0.tar.gz\n",
    "a space in front": " demo-1.0.tar.gz",
    "a space within": "de mo-1.0.tar.gz",
    "a percent sign": "demo%2e-1.0.tar.gz",
    "not ASCII": "démo-1.0.tar.gz",
    "another direction of text": "demo\N{RIGHT-TO-LEFT OVERRIDE}-1.0.tar.gz",
    "a project that is none": "-1.0.tar.gz",
    "a project of marks": "_-1.0.tar.gz",
    "a wheel of marks": "__-1.0-py3-none-any.whl",
    "too long": "d" * 249 + "-1.tar.gz",
}


@pytest.mark.parametrize(("text", "project", "version", "tag"), GOOD)
def test_a_name_says_project_version_and_kind(text, project, version, tag):
    said = parse_filename(text)
    assert (said.text, said.project, str(said.version)) == (text, project, version)
    assert said.filetype is (FileType.WHEEL if text.endswith(".whl") else FileType.SDIST)
    assert said.python_tag == tag


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_name_outside_of_the_standards_is_refused_with_the_rule(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_filename(text)


SAME = [
    ("demo_app-1.0.tar.gz", "Demo-App-1.0.tar.gz"),
    ("demo-1.0.tar.gz", "demo-v1.0.tar.gz"),
    ("demo_app-1.0-py3-none-any.whl", "Demo_App-1.0-PY3-none-any.whl"),
    ("demo-1.0-py2.py3-none-any.whl", "demo-1.0-py3.py2-none-any.whl"),
    ("demo-1.0-1-py3-none-any.whl", "demo-1.0-01-py3-none-any.whl"),
]
DIFFERENT = [
    ("demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"),
    ("demo-1.0.tar.gz", "demo-1.1.tar.gz"),
    ("demo-1.0-py3-none-any.whl", "demo-1.0-1-py3-none-any.whl"),
    ("demo-1.0-1-py3-none-any.whl", "demo-1.0-1a-py3-none-any.whl"),
    ("demo-1.0-py3-none-any.whl", "demo-1.0-py2.py3-none-any.whl"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_artefact_have_one_key(one, other):
    assert parse_filename(one).key == parse_filename(other).key


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_artefacts_have_two_keys(one, other):
    assert parse_filename(one).key != parse_filename(other).key


def test_compressed_tags_that_stand_for_too_many_are_refused_at_once():
    tags = ".".join(f"a{number}" for number in range(11))
    text = f"demo-1.0-{tags}-{tags}-{tags}.whl"
    assert MAX_TAG_COMBINATIONS < 11**3
    before = time.process_time()
    with pytest.raises(ValueError, match="too many combinations"):
        parse_filename(text)
    assert time.process_time() - before < 0.1


def test_as_many_compressed_tags_as_real_wheels_have_are_fine():
    platforms = ".".join(f"macosx_{number}_0_universal2" for number in range(10))
    assert parse_filename(f"demo-1.0-py2.py3-none-{platforms}.whl").project == "demo"


_ALPHABET = st.sampled_from("aZ09-_.+!% /\\\0\n\u0130\N{LATIN SMALL LETTER E WITH ACUTE}")
_TEXTS = st.text() | st.text(_ALPHABET, max_size=40)


@settings(deadline=None, max_examples=300)
@given(_TEXTS, st.sampled_from(["", ".whl", ".tar.gz", "-1.0.tar.gz", "-1.0-py3-none-any.whl"]))
@example("a", "-1.0.tar.gz")
def test_whatever_the_name_it_is_read_or_refused_with_a_value_error(text, ending):
    try:
        said = parse_filename(text + ending)
    except ValueError:
        return
    assert project_name(said.project) == said.project
    assert parse_filename(said.text) == said
    assert said.key.isascii()


LISTED = [
    ("demo-1.0.tar.gz", "1.0"),
    ("demo-1.0.zip", "1.0"),
    ("demo-1.0.tar.bz2", "1.0"),
    ("demo-1.0.tgz", "1.0"),
    ("demo-1.0.tar.Z", "1.0"),
    ("demo-1.0-py2.7.egg", "1.0"),
    ("demo-1.0.win32-py2.7.exe", "1.0"),
    ("demo-1.0.win-amd64-py3.4.msi", "1.0"),
    ("demo-1.0.linux-x86_64.tar.gz", "1.0"),
    ("demo-1.0-1.noarch.rpm", "1.0.post1"),
    ("demo-v1.0-beta.tar.gz", "1.0b0"),
    ("Demo-1.0.zip", "1.0"),
    ("demo-1.0-py3-none-any.whl", "1.0"),
    ("demo-1.0+local.1-cp39-abi3-any.whl", "1.0+local.1"),
    ("demo-01.00-py3-none-any.whl", "1.0"),
    ("demo.tar.gz", None),
    ("demo-latest.zip", None),
    ("demo-one-py3-none-any.whl", None),
    ("other-1.0.tar.gz", None),
    ("other-1.0-py3-none-any.whl", None),
    ("demo-app-1.0.tar.gz", None),
    ("", None),
    ("demo", None),
    ("demo-", None),
    ("demo-" + "1" * 5_000 + ".tar.gz", None),
    ("demo-" + "1" * 5_000 + "-py3-none-any.whl", None),
]


@pytest.mark.parametrize(("filename", "version"), LISTED, ids=[row[0][:40] for row in LISTED])
def test_the_version_in_a_name_that_an_upstream_lists(filename, version):
    assert version_in(filename, ProjectName("demo")) == version


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("demo-app-1.0.tar.gz", "1.0"),
        ("demo.app-1.0.zip", "1.0"),
        ("demo_app-1.0-py2.7.egg", "1.0"),
        ("demo_app-1.0-py3-none-any.whl", "1.0"),
        ("demo-1.0.tar.gz", None),
    ],
)
def test_a_project_with_a_dash_is_found_in_every_spelling(filename, version):
    assert version_in(filename, ProjectName("demo-app")) == version


@settings(deadline=None, max_examples=300)
@given(_TEXTS, st.sampled_from(["", ".whl", ".tar.gz", ".zip", "-1.0.exe"]))
def test_no_name_that_an_upstream_lists_can_do_harm(text, ending):
    for filename in (text + ending, f"demo-{text}{ending}"):
        version = version_in(filename, ProjectName("demo"))
        assert version is None or str(Version(version)) == version


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1.0", "1"),
        ("1.0.0", "1"),
        (" V1.0-RC1 ", "1rc1"),
        ("1.0-1", "1.post1"),
        ("1.0+cpu", "1+cpu"),
        ("not a version", "not a version"),
        ("", ""),
        ("1" * 5_000, "1" * 5_000),
    ],
    ids=lambda text: text[:20],
)
def test_spellings_of_one_release_have_one_key_and_what_is_no_version_stays(text, key):
    assert release_key(text) == key


def test_the_helper_for_names_and_the_one_for_file_names_agree():
    # A name that `project_name` refuses must not come in by a file's name.
    for text in ("a" * 201, "-a", "a-"):
        with pytest.raises(InvalidRequest):
            project_name(text)
        with pytest.raises(ValueError, match=r"\w"):
            parse_filename(f"{text}-1.0-py3-none-any.whl")
