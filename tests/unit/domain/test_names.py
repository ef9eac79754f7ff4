"""Names of users, indexes and projects."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import IndexName, project_name, user_name

GOOD_NAMES = ["a", "7", "dev", "Dev-2", "a.b_c-d@e", "x" * 64, "first.last@host.test"]
BAD_NAMES = {
    "empty": "",
    "a space": "a b",
    "a slash": "a/b",
    "our own mark": "+api",
    "a dot in front": ".a",
    "a dot at the end": "a.",
    "a new line at the end": "dev\n",
    "a NUL": "a\0b",
    "too long": "x" * 65,
    "not ASCII": "dév",
    "a Cyrillic look-alike": "d\N{CYRILLIC SMALL LETTER IE}v",
    "a digit of another script": "dev\N{ARABIC-INDIC DIGIT ONE}",
}


@pytest.mark.parametrize("text", GOOD_NAMES)
def test_a_user_has_a_plain_ascii_name(text):
    assert user_name(text) == text


@pytest.mark.parametrize("text", BAD_NAMES.values(), ids=BAD_NAMES)
def test_other_names_of_users_are_refused_with_the_rule(text):
    with pytest.raises(InvalidRequest, match=r"^user: .* is not a user name; use 1 to 64 ASCII"):
        user_name(text)


@pytest.mark.parametrize("text", BAD_NAMES.values(), ids=BAD_NAMES)
def test_both_parts_of_an_index_name_are_checked(text):
    with pytest.raises(InvalidRequest, match=r"^user: "):
        IndexName.checked(text, "base")
    with pytest.raises(InvalidRequest, match=r"^index: "):
        IndexName.checked("dev", text)


@pytest.mark.parametrize("text", ["dev/base", "/dev/base", "dev/base/", " /dev/base/ "])
def test_the_slashes_that_clients_put_around_an_index_name_are_ignored(text):
    assert IndexName.parse(text) == IndexName.checked("dev", "base")


@pytest.mark.parametrize("text", ["", "dev", "dev/", "dev/base/extra", "dev//base", "/"])
def test_an_index_name_has_exactly_two_parts(text):
    with pytest.raises(InvalidRequest):
        IndexName.parse(text)


def test_an_index_name_is_shown_as_user_slash_index():
    assert str(IndexName.checked("dev", "base")) == "dev/base"


def test_names_of_indexes_sort_by_user_then_index():
    names = [IndexName.parse(text) for text in ("b/a", "a/b", "a/a")]
    assert [str(name) for name in sorted(names)] == ["a/a", "a/b", "b/a"]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Foo.Bar", "foo-bar"),
        ("foo__bar", "foo-bar"),
        ("foo-_.bar", "foo-bar"),
        ("A", "a"),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_project_name_is_normalised(text, normal):
    assert project_name(text) == normal


@pytest.mark.parametrize(
    "text",
    ["", ".", "-a", "a-", "a b", "a/b", "foo\n", "fóo", "\u212aelvin", "\u017foo", "x" * 201],
    ids=ascii,
)
def test_what_is_no_project_name_is_refused_with_the_rule(text):
    with pytest.raises(InvalidRequest, match=r"^name: .* is not a project name"):
        project_name(text)


@settings(deadline=None)
@given(st.text())
def test_a_normalised_project_name_stays_as_it_is(text):
    try:
        name = project_name(text)
    except InvalidRequest:
        return
    assert project_name(name) == name
    assert name.isascii()


@pytest.mark.parametrize("check", [user_name, project_name, IndexName.parse])
def test_a_message_does_not_repeat_a_name_of_a_megabyte(check):
    with pytest.raises(InvalidRequest) as caught:
        check("/" + "x" * 1_000_000)
    assert len(caught.value.message) < 400
