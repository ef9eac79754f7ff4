"""Pages as bytes: whatever a model holds, both forms say it, and strict readers read it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import html5lib
from hypothesis import given
from hypothesis import strategies as st
from pypi_simple import ProjectPage as StrictPage

from stillroom_server.domain.names import IndexName, project_name
from stillroom_server.domain.pages import PageFile, ProjectPage
from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status
from stillroom_server.domain.upstream import TimeSource
from stillroom_server.web.rendering import project_html, project_json
from support.rows import NOW

ADDRESS = "https://packages.example.org/team/dev/stage"
INDEX = IndexName.parse("root/pypi")
NAME = project_name("example")

# What an upstream may say; the readers of pages have made sure of no more.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
hashes = st.dictionaries(st.sampled_from(["sha256", "sha512", "md5"]), digests, max_size=2)
files = st.builds(
    PageFile,
    filename=st.builds("example-{}-py3-none-any.whl".format, st.integers(0, 99)),
    index=st.just(INDEX),
    hashes=hashes,
    size=st.none() | st.integers(0, 2**40),
    uploaded=st.none() | st.datetimes(timezones=st.just(UTC)),
    requires_python=st.none() | texts,
    yanked=st.booleans() | texts,
    core_metadata=st.none() | hashes,
    time_source=st.sampled_from(TimeSource),
    refused=st.none() | st.builds("sha256={}".format, digests),
    has_provenance=st.booleans(),
)
statuses = st.builds(ProjectStatus, st.sampled_from(Status), st.none() | texts)
pages = st.builds(
    ProjectPage,
    name=st.just(NAME),
    files=st.lists(files, max_size=4, unique_by=lambda file: file.filename).map(tuple),
    versions=st.just(("1",)),
    status=statuses,
)
addresses = st.none() | st.just(ADDRESS)


def a_page(*page_files: PageFile, **values: Any) -> ProjectPage:
    return ProjectPage(name=NAME, files=page_files, versions=("1.0",), **values)


def a_file(**values: Any) -> PageFile:
    given = {"hashes": {"sha256": "a" * 64}, "size": 7, "uploaded": NOW}
    return PageFile("example-1.0+x-py3-none-any.whl", INDEX, **{**given, **values})


def as_json(page: ProjectPage, address: str | None = None) -> dict[str, Any]:
    return json.loads(project_json(page, address))


def anchors(page: ProjectPage, address: str | None = None) -> list[dict[str, str]]:
    """The attributes of each link, and its `text`, read by a strict parser."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root = parser.parse(project_html(page, address), transport_encoding="utf-8")
    return [{**anchor.attrib, "text": anchor.text} for anchor in root.iter("a")]


def nulls(value: object) -> bool:
    """Whether there is a null anywhere."""
    if isinstance(value, dict):
        return any(map(nulls, value.values()))
    return any(map(nulls, value)) if isinstance(value, list) else value is None


@given(page=pages, address=addresses)
def test_no_json_page_holds_a_null_and_strict_readers_read_it(
    page: ProjectPage, address: str | None
) -> None:
    shown = as_json(page, address)
    assert not nulls(shown)
    read = StrictPage.from_json_data(shown, "https://packages.example.org/simple/example/")
    assert [package.filename for package in read.packages] == [f.filename for f in page.files]


@given(page=pages, address=addresses)
def test_both_forms_say_the_same(page: ProjectPage, address: str | None) -> None:
    rows, links = as_json(page, address)["files"], anchors(page, address)
    assert [row["filename"] for row in rows] == [link["text"] for link in links]
    for row, link in zip(rows, links, strict=True):
        assert link["href"].partition("#")[0] == row["url"]
        assert unquote(urlsplit(row["url"]).path.rpartition("/")[2]) == row["filename"]
        assert link.get("data-requires-python") == row.get("requires-python")
        assert link.get("data-provenance") == row.get("provenance")
        assert ("data-yanked" in link) == (row["yanked"] is not False)
        assert ("data-core-metadata" in link) == (row["core-metadata"] is not False)


@given(page=pages)
def test_a_status_is_said_unless_it_is_active(page: ProjectPage) -> None:
    shown = as_json(page)
    if page.status.status is Status.ACTIVE:
        assert "project-status" not in shown
        return
    reason = {} if page.status.reason is None else {"reason": page.status.reason}
    assert shown["project-status"] == {"status": page.status.status.value, **reason}
    root = html5lib.parse(project_html(page), namespaceHTMLElements=False)
    said = {meta.get("name"): meta.get("content") for meta in root.iter("meta")}
    assert said["pypi:project-status"] == page.status.status.value
    assert said.get("pypi:project-status-reason") == page.status.reason


def test_an_upload_time_that_is_not_the_upstreams_says_where_it_is_from() -> None:
    sources = {
        TimeSource.UPSTREAM: None,
        TimeSource.LAST_MODIFIED: "last-modified",
        TimeSource.FIRST_SEEN: "first-seen",
    }
    for source, said in sources.items():
        [row] = as_json(a_page(a_file(time_source=source)))["files"]
        assert row["upload-time"] == "2026-03-01T12:30:15.123456Z"
        assert row.get("_upload-time-source") == said
    [row] = as_json(a_page(a_file(uploaded=None, time_source=TimeSource.FIRST_SEEN)))["files"]
    assert not {"upload-time", "_upload-time-source"} & set(row)


def test_a_second_digest_is_shown_beside_the_one_that_is_served() -> None:
    [row] = as_json(a_page(a_file(refused=f"sha256={'b' * 64}")))["files"]
    assert row["hashes"] == {"sha256": "a" * 64}
    assert row["_refused"] == f"sha256={'b' * 64}"
    assert "_refused" not in as_json(a_page(a_file()))["files"][0]


def test_attestations_have_an_absolute_url_beside_that_of_the_file() -> None:
    page = a_page(a_file(has_provenance=True))
    [row] = as_json(page, ADDRESS)["files"]
    name = "example-1.0%2Bx-py3-none-any.whl"
    assert row["provenance"] == f"{ADDRESS}/+f/example/{'a' * 64}/{name}.provenance"
    assert anchors(page, ADDRESS)[0]["data-provenance"] == row["provenance"]
    for without in (as_json(page)["files"][0], as_json(a_page(a_file()), ADDRESS)["files"][0]):
        assert "provenance" not in without


def test_beyond_the_standard_there_are_private_keys_only() -> None:
    standard = {
        "filename", "url", "hashes", "requires-python", "core-metadata", "yanked", "size",
        "upload-time", "provenance",
    }  # fmt: skip
    everything = a_file(
        requires_python=">=3",
        has_provenance=True,
        refused="md5=0",
        time_source=TimeSource.FIRST_SEEN,
    )
    shown = as_json(a_page(everything, status=ProjectStatus(Status.ARCHIVED, "x")), ADDRESS)
    assert set(shown) == {"meta", "name", "versions", "files", "project-status"}
    beyond = set(shown["files"][0]) - standard
    assert beyond == {"_upload-time-source", "_refused"}


def test_times_are_told_in_utc() -> None:
    elsewhere = datetime.fromisoformat("2026-01-02T03:04:05+02:00")
    [row] = as_json(a_page(a_file(uploaded=elsewhere)))["files"]
    assert row["upload-time"] == "2026-01-02T01:04:05.000000Z"
    assert elsewhere.utcoffset() == timedelta(hours=2)
    assert as_json(a_page(status=ACTIVE))["files"] == []
