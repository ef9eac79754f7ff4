"""Pages of upstreams in JSON and HTML: what is kept, what is dropped, what is refused."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_server.domain.names import project_name
from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status
from stillroom_server.domain.upstream import UpstreamFile
from stillroom_server.upstream.pages import read_page
from stillroom_server.upstream.raw import RawPage, Unreadable

URL = "https://index.example/simple/foo/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"
FOO = project_name("foo")
SHA256 = "0123456789abcdef" * 4
META = '<meta name="pypi:repository-version" content="1.0">'


def json_page(*rows, **top):
    document = {"meta": {"api-version": "1.1"}, "name": "foo", "files": list(rows)} | top
    return RawPage(json.dumps(document).encode(), JSON, URL)


def row(**fields):
    return {"filename": "foo-1.0.tar.gz", "url": "/f/foo-1.0.tar.gz", "hashes": {}} | fields


def html_page(body, *, content_type=HTML, url=URL):
    return RawPage(f"<!DOCTYPE html><html><body>{body}</body></html>".encode(), content_type, url)


def read_files(page, project):
    return read_page(page, project).files


def only(page):
    (file,) = read_files(page, FOO)
    return file


def filenames(page):
    return [file.filename for file in read_files(page, FOO)]


# Both forms


def test_a_json_page_with_all_fields_is_read():
    page = json_page(
        {
            "filename": "foo-1.0-py3-none-any.whl",
            "url": "https://files.example/foo-1.0-py3-none-any.whl#sha256=ignored",
            "hashes": {"sha256": SHA256.upper(), "md5": "a" * 32},
            "size": 1337,
            "upload-time": "2026-01-02T03:04:05.678901Z",
            "requires-python": ">=3.8",
            "yanked": "broken",
            "core-metadata": {"sha256": SHA256},
            "provenance": "https://index.example/integrity/foo/1.0/provenance",
            "gpg-sig": False,
        }
    )
    assert read_files(page, FOO) == (
        UpstreamFile(
            filename="foo-1.0-py3-none-any.whl",
            url="https://files.example/foo-1.0-py3-none-any.whl",
            hashes={"sha256": SHA256, "md5": "a" * 32},
            size=1337,
            uploaded=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            requires_python=">=3.8",
            yanked="broken",
            core_metadata={"sha256": SHA256},
            provenance="https://index.example/integrity/foo/1.0/provenance",
        ),
    )


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", f"{JSON[:-4]}html"])
def test_an_html_page_with_all_fields_is_read(content_type):
    page = html_page(
        f'<a href="../../f/foo-1.0-py3-none-any.whl#sha256={SHA256}" '
        f'data-requires-python="&gt;=3.8" data-yanked="bad &amp; worse" data-size="1337" '
        f'data-upload-time="2026-01-02T03:04:05Z" data-core-metadata="sha256={SHA256}" '
        f'data-provenance="https://index.example/p?a=1&amp;b=2">x</a>',
        content_type=content_type,
    )
    assert read_files(page, FOO) == (
        UpstreamFile(
            filename="foo-1.0-py3-none-any.whl",
            url="https://index.example/f/foo-1.0-py3-none-any.whl",
            hashes={"sha256": SHA256},
            size=1337,
            uploaded=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            requires_python=">=3.8",
            yanked="bad & worse",
            core_metadata={"sha256": SHA256},
            provenance="https://index.example/p?a=1&b=2",
        ),
    )


def test_files_keep_the_order_of_the_upstream_and_the_first_of_a_name_wins():
    page = json_page(
        row(filename="foo-2.0.tar.gz", size=1),
        row(filename="foo-1.0.tar.gz", size=2),
        row(filename="foo-2.0.tar.gz", size=3),
    )
    files = read_files(page, FOO)
    assert [(file.filename, file.size) for file in files] == [
        ("foo-2.0.tar.gz", 1),
        ("foo-1.0.tar.gz", 2),
    ]


def test_an_empty_json_page_is_a_project_without_files():
    assert read_files(json_page(), FOO) == ()


# Pages that are none


UNUSABLE = [{}, "text", row(filename=None), row(url=None), row(url="s3://bucket/foo-1.0.tar.gz")]


@pytest.mark.parametrize("bad", UNUSABLE)
def test_json_of_which_no_row_can_be_used_is_unreadable_rather_than_a_project_without_files(bad):
    with pytest.raises(Unreadable, match="none of the 2 files"):
        read_files(json_page(bad, bad), FOO)


@pytest.mark.parametrize("meta", ["", META])
def test_html_of_which_no_file_can_be_used_is_unreadable_whatever_it_says_of_itself(meta):
    links = '<a href="/help">?</a><a href="s3://b/foo-1.0.zip">x</a><a href="http://xn--/foo-2.0.zip">y</a>'
    with pytest.raises(Unreadable, match="none of the 2 files"):
        read_files(html_page(meta + links), FOO)


def test_files_whose_names_no_installer_could_use_are_no_reason_to_refuse_a_page():
    assert read_files(json_page(row(filename="foo.tar.gz")), FOO) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"files": null}',
        b'{"files": {}}',
        b"<html>",
        b'{"files": [',
        b"\xff",
    ],
)
def test_json_without_a_list_of_files_is_unreadable(content):
    with pytest.raises(Unreadable):
        read_files(RawPage(content, JSON, URL), FOO)


def test_json_that_is_nested_without_end_is_unreadable():
    with pytest.raises(Unreadable):
        read_files(RawPage(b"[" * 100_000, JSON, URL), FOO)


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "text/plain", JSON.replace("v1", "v2")]
)
def test_other_types_are_unreadable(content_type):
    with pytest.raises(Unreadable, match="no form of the Simple API"):
        read_files(RawPage(b'{"files": []}', content_type, URL), FOO)


@pytest.mark.parametrize("version", ["1.0", "1.4", "1.9", "1"])
def test_every_version_1_is_read(version):
    assert filenames(json_page(row(), meta={"api-version": version})) == ["foo-1.0.tar.gz"]


@pytest.mark.parametrize("meta", [None, {}, []])
def test_a_page_that_says_no_version_is_of_version_1(meta):
    assert filenames(json_page(row(), meta=meta)) == ["foo-1.0.tar.gz"]


@pytest.mark.parametrize("version", ["2.0", "0.9", "10.0", "", None, ["1.0"]])
def test_another_major_version_is_unreadable(version):
    with pytest.raises(Unreadable, match="version"):
        read_files(json_page(row(), meta={"api-version": version}), FOO)


def test_html_of_another_major_version_is_unreadable():
    page = html_page('<meta name="pypi:repository-version" content="2.0"><a href="foo-1.0.zip">')
    with pytest.raises(Unreadable, match=r"2\.0"):
        read_files(page, FOO)


@pytest.mark.parametrize(
    "body",
    ["", "Down for maintenance", '<a href="/login">Log in</a><a href="../">up</a>', "<![broken["],
)
def test_html_that_may_be_anything_is_unreadable_rather_than_a_project_without_files(body):
    with pytest.raises(Unreadable):
        read_files(html_page(body), FOO)


def test_html_that_says_it_is_of_the_simple_api_may_be_empty():
    assert read_files(html_page(META), FOO) == ()


def test_links_that_are_never_closed_take_no_more_time_than_others():
    links = "".join(f'<a href="foo-1.{number}.zip">x' for number in range(20_000))
    assert len(read_files(html_page(links), FOO)) == 20_000


@pytest.mark.parametrize("unfinished", ["<a ", "<a href=x ", "<a href='", "<!--", "</"])
def test_tags_that_are_never_finished_take_no_more_time_than_others(unfinished):
    assert filenames(html_page(META + '<a href="foo-1.0.zip">x</a>' + unfinished * 20_000)) == [
        "foo-1.0.zip"
    ]


# File names


HOSTILE_NAMES = [
    "",
    ".",
    "..",
    ".hidden-1.0.tar.gz",
    "../foo-1.0.tar.gz",
    "a/foo-1.0.tar.gz",
    "a\\foo-1.0.tar.gz",
    "foo-1.0.tar.gz\n",
    "foo-1.0\x00.tar.gz",
    "foo-1.0\u202e.tar.gz",
    "..%2ffoo-1.0.tar.gz",
    "foo-1.0%2etar.gz",
    f"foo-1.0.{'x' * 250}.zip",
    f"foo-1.0{'é' * 125}.zip",
]


@pytest.mark.parametrize("filename", HOSTILE_NAMES)
def test_hostile_file_names_are_dropped(filename):
    assert filenames(json_page(row(filename=filename), row())) == ["foo-1.0.tar.gz"]


@pytest.mark.parametrize(
    "filename",
    [
        "bar-1.0.tar.gz",
        "bar-1.0-py3-none-any.whl",
        "foo_bar-1.0-py3-none-any.whl",
        "foo.tar.gz",
        "foo-x.whl",
    ],
)
def test_files_of_another_project_are_dropped(filename):
    assert filenames(json_page(row(filename=filename), row())) == ["foo-1.0.tar.gz"]


@pytest.mark.parametrize(
    "filename",
    [
        "Foo-1.0.tar.gz",
        "foo-1.0.zip",
        "foo-1.0-py2.7.egg",
        "foo-1.0.win32.exe",
        "FOO-1.0-1-py3-none-any.whl",
    ],
)
def test_files_of_the_project_are_kept_however_they_spell_it(filename):
    assert filenames(json_page(row(filename=filename))) == [filename]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        1,
        [],
        {},
        "text",
        {"url": "/f/x"},
        {"filename": "foo-1.0.zip"},
        row(url=1),
        row(filename=None),
    ],
)
def test_rows_without_a_name_and_a_url_are_dropped(bad):
    assert filenames(json_page(bad, row())) == ["foo-1.0.tar.gz"]


def test_the_name_of_a_file_in_html_is_the_end_of_its_path_decoded_once():
    page = html_page(
        '<a href="/f/foo-1.0%2Blocal-py3-none-any.whl?x=/y.zip">a</a>'
        '<a href="/f/..%252Ffoo-1.0.tar.gz">b</a>'
        '<a href="/f/..%2Ffoo-1.0.tar.gz">c</a>'
        '<a href="/f/foo-1.0%FF.tar.gz">d</a>'
    )
    assert filenames(page) == ["foo-1.0+local-py3-none-any.whl"]


def test_a_name_full_of_hyphens_takes_no_time():
    page = html_page(META + f'<a href="{"-" * 1_000_000}.zip">x</a>')
    assert filenames(page) == []


# URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("foo-1.0.tar.gz", "https://index.example/simple/foo/foo-1.0.tar.gz"),
        ("../../f/x.gz", "https://index.example/f/x.gz"),
        ("//cdn.example/x.gz", "https://cdn.example/x.gz"),
        ("http://cdn.example:8080/x.gz?sig=1#egg=foo", "http://cdn.example:8080/x.gz?sig=1"),
        (" /f/x.gz ", "https://index.example/f/x.gz"),
        ("/f/☃ x.gz?a=é&b=%C3%A9", "https://index.example/f/%E2%98%83%20x.gz?a=%C3%A9&b=%C3%A9"),
        ("http://bücher.example/x.gz", "http://xn--bcher-kva.example/x.gz"),
        ("http://xn--bcher-kva.example/x.gz", "http://xn--bcher-kva.example/x.gz"),
        ("http://[2001:db8::1]:8080/x.gz", "http://[2001:db8::1]:8080/x.gz"),
    ],
)
def test_urls_are_made_absolute_and_ascii_and_lose_their_fragment(url, expected):
    assert only(json_page(row(url=url))).url == expected


HOSTILE_URLS = [
    "javascript:alert(1)",
    "file:///etc/passwd",
    "ftp://files.example/x",
    "data:text/plain,x",
    "http:///x",
    "http://[::1",
    "http://host:port/x",
    "http://host:99999/x",
    "https://user:secret@files.example/x",
    "https://files.example/x\r\nHost: y",
    "https://files.example/x\x00",
    "http://xn--/x",
    "http://files.xn--a/x",
    "http://xn--bücher.example/x",
    "http://files..example/x",
    f"http://{'x' * 64}.example/x",
    "http://☃.example/x",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_urls_are_dropped(url):
    assert filenames(json_page(row(filename="foo-2.0.tar.gz", url=url), row())) == [
        "foo-1.0.tar.gz"
    ]


def test_the_base_of_an_html_page_is_honoured_once():
    page = html_page('<base href="/other/"><base href="/third/"><a href="foo-1.0.zip">x</a>')
    assert only(page).url == "https://index.example/other/foo-1.0.zip"


@pytest.mark.parametrize("base", ["javascript:x", "file:///etc/", "http://[::1"])
def test_a_hostile_base_takes_all_links_with_it(base):
    assert filenames(html_page(f'{META}<base href="{base}"><a href="foo-1.0.zip">x</a>')) == []


# Single fields


@pytest.mark.parametrize("wrong", [None, 1, [], "text"])
def test_a_field_of_the_wrong_type_is_dropped_and_the_file_stays(wrong):
    file = only(json_page(row(hashes=wrong)))
    assert file.hashes == {}
    assert only(json_page(row(**{"core-metadata": wrong}))).core_metadata is None


@pytest.mark.parametrize(
    "hashes",
    [
        {"sha256": "short"},
        {"sha256": "z" * 64},
        {"sha256": SHA256 + "0"},
        {"sha256": None},
        {"sha256": "\u0660" * 64},
        {"crc32": "0" * 8},
        {"shake_128": "0" * 32},
        {"__class__": SHA256},
    ],
)
def test_unknown_and_malformed_digests_are_dropped(hashes):
    assert only(json_page(row(hashes=hashes | {"md5": "a" * 32}))).hashes == {"md5": "a" * 32}


@pytest.mark.parametrize("fragment", ["sha256=short", "egg=foo", "sha256", "=", ""])
def test_a_fragment_that_is_no_digest_is_dropped(fragment):
    assert only(html_page(f'<a href="foo-1.0.zip#{fragment}">x</a>')).hashes == {}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, 0),
        (5, 5),
        (-1, None),
        (True, None),
        (1.5, None),
        ("5", None),
        (None, None),
        (2**63, None),
    ],
)
def test_sizes(size, expected):
    assert only(json_page(row(size=size))).size == expected


@pytest.mark.parametrize("size", ["", "-1", "1.5", "٣", "9" * 5000])
def test_sizes_in_html_that_are_none(size):
    assert only(html_page(f'<a href="foo-1.0.zip" data-size="{size}">x</a>')).size is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.1Z", datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        ("", None),
        (1767323045, None),
        (None, None),
    ],
)
def test_upload_times_are_aware_and_in_utc(text, expected):
    uploaded = only(json_page(row(**{"upload-time": text}))).uploaded
    assert uploaded == expected
    assert uploaded is None or uploaded.tzinfo is UTC


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (False, False),
        (True, True),
        ("why", "why"),
        ("", True),
        (None, False),
        (0, False),
        (1, False),
        ([], False),
    ],
)
def test_yanked_is_false_true_or_a_reason(said, expected):
    yanked = only(json_page(row(yanked=said))).yanked
    assert yanked == expected
    assert type(yanked) is type(expected)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [("", False), ("data-yanked", True), ('data-yanked=""', True), ('data-yanked="why"', "why")],
)
def test_yanked_in_html_is_said_by_the_attribute_alone(attribute, expected):
    assert only(html_page(f'<a href="foo-1.0.zip" {attribute}>x</a>')).yanked == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (">=3.8", ">=3.8"),
        (" >=3.8 ", ">=3.8"),
        ("", None),
        (None, None),
        (3, None),
        (">=3\n", None),
    ],
)
def test_requires_python_is_text_or_not_said(said, expected):
    assert only(json_page(row(**{"requires-python": said}))).requires_python == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, None),
        ({"core-metadata": True}, {}),
        ({"core-metadata": False}, None),
        ({"core-metadata": {"sha256": SHA256.upper()}}, {"sha256": SHA256}),
        ({"core-metadata": {"sha256": "short"}}, {}),
        ({"dist-info-metadata": {"sha256": SHA256}}, {"sha256": SHA256}),
        ({"data-dist-info-metadata": True}, {}),
        ({"core-metadata": False, "dist-info-metadata": True}, None),
        ({"core-metadata": None, "dist-info-metadata": True}, {}),
        ({"dist-info-metadata": True, "data-dist-info-metadata": False}, {}),
    ],
)
def test_the_newest_name_of_core_metadata_decides(keys, expected):
    assert only(json_page(row(**keys))).core_metadata == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("", None),
        ('data-core-metadata="true"', {}),
        (f'data-core-metadata="sha256={SHA256}"', {"sha256": SHA256}),
        (f'data-dist-info-metadata="sha256={SHA256}"', {"sha256": SHA256}),
        ('data-core-metadata="true" data-dist-info-metadata="sha256=x"', {}),
        ('data-core-metadata="false"', None),
    ],
)
def test_core_metadata_in_html(attributes, expected):
    assert only(html_page(f'<a href="foo-1.0.zip" {attributes}>x</a>')).core_metadata == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("https://index.example/p", "https://index.example/p"),
        ("http://index.example/p#x", "http://index.example/p"),
        ("/p", "https://index.example/p"),
        ("p.provenance", "https://index.example/simple/foo/p.provenance"),
        ("", None),
        (None, None),
        (True, None),
        ({}, None),
        ("javascript:x", None),
        ("https://user:secret@index.example/p", None),
        ("https://index.example/\n", "https://index.example/"),
        ("https://index.example/\nx", None),
    ],
)
def test_provenance_is_a_url_on_the_web(said, expected):
    assert only(json_page(row(provenance=said))).provenance == expected


def test_provenance_in_html_is_resolved_against_the_base():
    body = '<base href="/other/"><a href="foo-1.0.zip" data-provenance="p">x</a>'
    assert only(html_page(body)).provenance == "https://index.example/other/p"
    assert only(html_page('<a href="foo-1.0.zip" data-provenance>x</a>')).provenance is None


# The status of the project


def status_of(page):
    return read_page(page, FOO).status


@pytest.mark.parametrize("status", ["active", "deprecated", "archived", "quarantined"])
def test_a_status_is_read_with_its_reason(status):
    expected = ProjectStatus(Status(status), "moved to bar")
    said = {"status": status, "reason": "moved to bar", "since": "2020"}
    assert status_of(json_page(row(), **{"project-status": said})) == expected
    meta = (
        f'{META}<meta name="pypi:project-status" content="{status}">'
        '<meta name="pypi:project-status-reason" content="moved to bar">'
    )
    assert status_of(html_page(meta + '<a href="foo-1.0.zip">x</a>')) == expected


@pytest.mark.parametrize(
    "said",
    [
        None,
        "archived",
        [],
        {},
        {"status": None},
        {"status": "gone"},
        {"status": "Archived"},
        {"status": ["archived"]},
        {"state": "archived"},
    ],
)
def test_what_is_no_status_that_we_know_is_active(said):
    assert status_of(json_page(row(), **{"project-status": said})) == ACTIVE


def test_a_status_inside_meta_is_tolerated_and_the_right_place_decides():
    meta = {"api-version": "1.4", "project-status": {"status": "archived"}}
    assert status_of(json_page(row(), meta=meta)).status is Status.ARCHIVED
    right = {"status": "deprecated"}
    page = json_page(row(), meta=meta, **{"project-status": right})
    assert status_of(page).status is Status.DEPRECATED


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("one\n two\t", "one two"),
        ("", None),
        ("  ", None),
        (None, None),
        (5, None),
        (["x"], None),
        ("\x00", None),
        ("x\u202ey", None),
    ],
)
def test_a_reason_is_one_line_of_text_or_none(said, expected):
    page = json_page(row(), **{"project-status": {"status": "archived", "reason": said}})
    assert status_of(page) == ProjectStatus(Status.ARCHIVED, expected)


def test_the_first_of_several_statuses_in_html_counts():
    metas = "".join(
        f'<meta name="pypi:project-status" content="{status}">'
        for status in ("archived", "active")
    )
    assert status_of(html_page(META + metas)).status is Status.ARCHIVED


# Whatever an upstream sends

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=3,
)
hostile_rows = st.lists(
    st.fixed_dictionaries(
        {
            "filename": st.text()
            | st.sampled_from(["foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl"]),
            "url": st.text() | st.sampled_from(["x", "//[", "http://h:x", "https://h/x#y"]),
        },
        optional={
            "hashes": anything | st.dictionaries(st.sampled_from(["sha256", "md5"]), anything),
            "size": anything,
            "upload-time": anything | st.datetimes().map(str),
            "requires-python": anything,
            "yanked": anything,
            "core-metadata": anything,
            "provenance": anything,
        },
    ),
    max_size=3,
)


@given(hostile_rows, anything)
def test_what_is_read_from_any_rows_can_be_served(rows, status):
    try:
        page = read_page(json_page(*rows, **{"project-status": status}), FOO)
    except Unreadable:
        assert rows
        return
    assert page.status.reason is None or page.status.reason.isprintable()
    for file in page.files:
        assert file.provenance is None or file.provenance.startswith(("http://", "https://"))
        assert file.filename.isprintable()
        assert "/" not in file.filename
        assert file.url.startswith(("http://", "https://"))
        assert file.url.isascii()
        assert file.size is None or file.size >= 0
        assert file.uploaded is None or file.uploaded.tzinfo is UTC
        assert file.yanked != ""


@given(st.binary(), st.sampled_from([JSON, HTML]))
def test_any_bytes_are_read_or_unreadable(content, content_type):
    with contextlib.suppress(Unreadable):
        read_files(RawPage(content, content_type, URL), FOO)


@given(
    st.lists(
        st.sampled_from(
            ["<a ", "href=", "'", '"', ">", "</a>", "<base ", "<!", "<![", "x", "&#0;", "#", "//["]
        )
    )
)
def test_any_tags_are_read_or_unreadable(parts):
    with contextlib.suppress(Unreadable):
        read_files(RawPage("".join(parts).encode(), HTML, URL), FOO)
