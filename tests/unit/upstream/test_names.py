"""Lists of all projects that are fed bit by bit: what is taken, what is passed over or refused."""

import contextlib
import json
import tracemalloc

import ijson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillroom_server.upstream.names import name_reader, valid_names
from stillroom_server.upstream.raw import Unreadable

URL = "https://index.example/simple/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
META = '<meta name="pypi:repository-version" content="1.0">'


@pytest.fixture(params=["the fastest there is", "python"])
def _backend(request, monkeypatch):
    """ijson has a parser in C and one in Python; both must do."""
    if request.param == "python":
        python = ijson.get_backend("python")
        monkeypatch.setattr(ijson, "basic_parse_coro", python.basic_parse_coro)


@contextlib.contextmanager
def reading(content_type, url=URL):
    """A reader that is closed even if nobody reads to the end, as the adapter does."""
    reader = name_reader(content_type, url)
    try:
        yield reader
    finally:
        with contextlib.suppress(Unreadable):
            reader.close()


def read(content, content_type, *, step=None):
    names = []
    step = step or max(len(content), 1)
    with reading(content_type) as reader:
        for start in range(0, len(content), step):
            names += reader.feed(content[start : start + step])
        reader.close()
    return names


def read_json(document, **how):
    return read(json.dumps(document).encode(), JSON, **how)


def read_html(body, **how):
    return read(f"<!DOCTYPE html><html><body>{body}</body></html>".encode(), HTML, **how)


def test_names_are_normalised_and_those_that_are_none_passed_over():
    texts = ["Foo.Bar", "-x", "", "baz", "a b", "x" * 300, "é", "../up", "foo\n"]
    assert list(valid_names(texts)) == ["foo-bar", "baz"]


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain"])
def test_other_types_are_unreadable(content_type):
    with pytest.raises(Unreadable, match="no form of the Simple API"):
        name_reader(content_type, URL)


# JSON


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, None])
def test_json_is_read_however_it_is_cut(step):
    document = {
        "name": "no",
        "meta": {"api-version": "1.9", "_last-serial": 7, "name": "no"},
        "other": [{"name": "no"}, ["name", "no"]],
        "projects": [
            {"name": "a}b"},
            {"_last-serial": 1, "name": "ünï\\code", "name2": "no"},
            {"tags": {"name": "no"}, "name": "c", "list": ["name", {"name": "no"}]},
            ["name", "no"],
            "no",
            None,
            {},
            {"name": None},
            {"name": ["no"]},
            {"name": "d"},
        ],
        "after": {"name": "no"},
    }
    assert read_json(document, step=step) == ["a}b", "ünï\\code", "c", "d"]


@pytest.mark.usefixtures("_backend")
def test_an_empty_json_list_is_a_list():
    assert read_json({"projects": []}) == []


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"  ",
        b"null",
        b"1",
        b'"projects"',
        b"[]",
        b"{}",
        b'{"projects": null}',
        b'{"projects": "x"}',
        b'{"projects": {}}',
        b'{"projects": {"a": {"name": "x"}}}',
        b'{"other": {"projects": []}}',
        b"{",
        b'{"projects": [',
        b'{"projects": [{"name": "a"}',
        b'{"projects": [{"name": "a"}]',
        b'{"projects": [{"name": "a"}, {"na',
        b'{"projects": [{"name": "a"}]} x',
        b'{"projects": [{"name": "a"}]}{}',
        b'{"projects": [{"name": "\xff"}]}',
        b'{"projects": [NaN]}',
        b'{"projects": [' + b"9" * 5000 + b"]}",
        b'{"projects": [1e99999]}',
        b"<html>",
    ],
)
def test_what_is_no_json_list_is_unreadable(content):
    with pytest.raises(Unreadable):
        read(content, JSON)


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("version", ["2.0", "0.9", "", None, 2])
def test_another_major_version_is_unreadable_wherever_it_is_said(version):
    for document in (
        {"meta": {"api-version": version}, "projects": []},
        {"projects": [], "meta": {"api-version": version}},
    ):
        with pytest.raises(Unreadable, match="version"):
            read_json(document)


@pytest.mark.usefixtures("_backend")
def test_json_that_is_nested_without_end_is_unreadable():
    with pytest.raises(Unreadable, match="nested more than 100 deep"):
        read(b'{"projects": [' + b"[{}," * 100_000, JSON, step=50_000)


@pytest.mark.usefixtures("_backend")
@pytest.mark.parametrize("filling", [b"x", b"}"])
def test_a_text_without_end_is_unreadable_before_it_fills_the_memory(filling):
    with reading(JSON) as reader:
        reader.feed(b'{"projects": [{"name": "')
        with pytest.raises(Unreadable, match="a text of more than"):
            _feed(reader, filling * 65_536, 1000)


def test_a_text_of_a_byte_at_a_time_takes_no_more_time_than_others():
    with reading(JSON) as reader, pytest.raises(Unreadable, match="a text of more than"):
        _feed(reader, b" ", 2_000_000)


def _feed(reader, data, times):
    for _ in range(times):
        reader.feed(data)


def most_held(content_type, beginning, row, end):
    """How many names a long list has, and the most memory that was held while it was read."""
    piece = b"".join(row % n for n in range(3000))  # no part ends where a row does
    parts = [piece[start : start + 10_007] for start in range(0, len(piece), 10_007)]
    with reading(content_type) as reader:
        reader.feed(beginning)
        tracemalloc.start()
        try:
            count = sum(len(reader.feed(part)) for _ in range(6) for part in parts)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        reader.feed(end)
        reader.close()
    return count, peak


@pytest.mark.usefixtures("_backend")
def test_of_a_long_json_list_little_is_held():
    row = b'{"_last-serial": 12345678, "name": "project-%d"}, '
    count, peak = most_held(JSON, b'{"projects": [', row, b"{}]}")
    assert count == 18_000
    assert peak < 400_000


def test_of_a_long_html_list_little_is_held():
    count, peak = most_held(HTML, b"<html>", b'<a href="project-%d/">project</a>', b"</html>")
    assert count == 18_000
    assert peak < 400_000


# HTML


@pytest.mark.parametrize("step", [1, 5, 64, None])
def test_names_in_html_are_what_links_add_to_the_url_of_the_list(step):
    body = (
        '<a href="../">up</a><a href="Foo_Bar/">x</a><a href="/simple/baz/">x</a>'
        '<a href="/simple/qux">x</a><a href="?C=N">x</a><a href="/other/no/">x</a>'
        '<a href="https://elsewhere.example/simple/no/">x</a><a href="./dot/">x</a>'
        '<a href="https://index.example/simple/whole/#x">é</a><a href="/simple/a/b/">x</a>'
        '<a href="%66oo">x</a><a href="//index.example/simple/net/">x</a><a>x</a>'
    )
    expected = ["Foo_Bar", "baz", "qux", "dot", "whole", "foo", "net"]
    found = read_html(body, step=step)
    assert [name for name in found if "C=N" not in name and name != ".."] == expected
    assert list(valid_names(found)) == ["foo-bar", "baz", "qux", "dot", "whole", "foo", "net"]


def test_the_base_of_an_html_list_is_honoured():
    assert read_html(f'{META}<base href="/other/"><a href="no/">x</a>') == []
    assert read_html('<base href="/simple/"><a href="yes/">x</a>') == ["yes"]
    assert read_html(f'{META}<base href="javascript:x"><a href="no/">x</a>') == []


@pytest.mark.parametrize(
    "body", ["", "Down for maintenance", '<a href="/login">Log in</a>', "<![broken["]
)
def test_what_is_no_html_list_is_unreadable(body):
    with pytest.raises(Unreadable):
        read_html(body)


def test_html_that_says_it_is_of_the_simple_api_may_be_empty():
    assert read_html(META) == []


def test_html_of_another_major_version_is_unreadable():
    with pytest.raises(Unreadable, match=r"2\.0"):
        read_html(META.replace("1.0", "2.0") + '<a href="x/">x</a>')


@pytest.mark.parametrize("unfinished", ["<a href='", "<!--", "<script>", "<a ", "<![CDATA["])
def test_a_tag_without_end_is_unreadable_before_it_fills_the_memory(unfinished):
    with reading(HTML) as reader:
        reader.feed(unfinished.encode())
        with pytest.raises(Unreadable, match=r"a tag of more than|not HTML"):
            _feed(reader, b"x" * 65_536, 1000)


# Whatever an upstream sends


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(), st.sampled_from([JSON, HTML]), st.integers(1, 10))
@pytest.mark.usefixtures("_backend")
def test_any_bytes_are_a_list_or_unreadable(content, content_type, step):
    with contextlib.suppress(Unreadable):
        list(valid_names(read(content, content_type, step=step)))


tokens = st.sampled_from(
    [*'{}[]:, 1\\"', '"projects"', '"name"', '"meta"', '"api-version"', '"1.0"', "null", '"x}y"']
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(tokens), st.integers(1, 10))
@pytest.mark.usefixtures("_backend")
def test_what_is_read_from_json_is_what_it_says(parts, step):
    content = "".join(parts)
    try:
        names = read(content.encode(), JSON, step=step)
    except Unreadable:
        return
    document = json.loads(content)
    assert isinstance(document["projects"], list)
    assert all(isinstance(name, str) for name in names)


rows = st.lists(
    st.dictionaries(st.sampled_from(["name", "x"]), st.text() | st.none() | st.lists(st.text()))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.integers(1, 50))
@pytest.mark.usefixtures("_backend")
def test_every_name_of_a_json_list_is_read(rows, step):
    document = json.dumps({"projects": rows}, ensure_ascii=False)
    content = document.encode("utf-8", errors="ignore")
    expected = [row["name"] for row in json.loads(content)["projects"] if "name" in row]
    assert read(content, JSON, step=step) == [name for name in expected if isinstance(name, str)]


@given(
    st.lists(
        st.sampled_from(
            ["<a ", "href=", "'", '"', ">", "</a>", "<base ", "<!", "<![", "x", "&#0;", "#", "//["]
        )
    ),
    st.integers(1, 10),
)
def test_any_tags_are_a_list_or_unreadable(parts, step):
    with contextlib.suppress(Unreadable):
        read("".join(parts).encode(), HTML, step=step)
