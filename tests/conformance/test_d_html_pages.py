"""D. HTML content: items 41 to 50."""

from collections.abc import Callable

import pytest

from conformance.index import Index
from conformance.pages import HTML, TEXT_HTML, parse_html, rows_of_html, rows_of_json
from conformance.shelf import ODD_PYTHON, Shelf
from conformance.tools import Tools
from support.distributions import import_name, make_sdist, make_wheel

EVIL = "\"><script>alert(1)</script>' & ü"


@pytest.mark.parametrize("accept", [HTML, TEXT_HTML])
def test_041_valid_html5(index: Index, shelf: Shelf, accept: str) -> None:
    """[S] The page starts with `<!DOCTYPE html>` and has no error for html5lib."""
    for path in ("", f"{shelf.name}/"):
        text = index.get(path, accept).text
        assert text.lower().startswith("<!doctype html>")
        assert parse_html(text).links


def test_042_one_anchor_per_file(index: Index, shelf: Shelf) -> None:
    """[S] One `<a>` per file; its text is the last path component of the URL, decoded."""
    links = index.html(shelf.name).links
    assert sorted(link.text for link in links) == sorted(file.filename for file in shelf.files)
    for link in links:
        assert link.text == link.filename


def test_043_sha256_fragment(index: Index, shelf: Shelf) -> None:
    """[S] `#sha256=<hex>` on each link, exactly one fragment."""
    document = index.html(shelf.name)
    for file in shelf.files:
        link = document.link(file.filename)
        assert link.fragment == f"sha256={file.sha256}"
        assert link.href.count("#") == 1


def test_044_requires_python(index: Index, shelf: Shelf) -> None:
    """[S] `data-requires-python` is escaped; unescaped it is what the metadata says."""
    document = index.html(shelf.name)
    assert document.link(shelf.odd.filename).attributes["data-requires-python"] == ODD_PYTHON
    assert "data-requires-python" not in document.link(shelf.local.filename).attributes
    text = index.get(f"{shelf.name}/", HTML).text
    attributes = [part.split('"')[0] for part in text.split('data-requires-python="')[1:]]
    assert len(attributes) == 3
    for value in attributes:
        assert not set("<>") & set(value)
        assert "&gt;=3.8" in value
    odd = next(value for value in attributes if "===" in value)
    assert odd.count("&amp;") == 1
    assert "&quot;" in odd or "&#34;" in odd


def test_045_core_metadata(index: Index, shelf: Shelf) -> None:
    """[S] Both attributes say `sha256=<hex>` where there is metadata, and are absent elsewhere."""
    rows, document = index.rows(shelf.name), index.html(shelf.name)
    values = []
    for file in shelf.files:
        attributes = document.link(file.filename).attributes
        pair = [attributes.get(f"data-{name}-metadata") for name in ("core", "dist-info")]
        said = rows[file.filename].get("core-metadata", False)
        assert pair == ([f"sha256={said['sha256']}"] * 2 if said else [None, None])
        values.append(bool(said))
    assert set(values) == {True, False}


def test_046_yanked(index: Index, project: str, yank: Callable[..., None]) -> None:
    """[S] `data-yanked` is there for yanked files only; its reason is escaped."""
    wheels = [make_wheel(project, version) for version in ("1.0", "2.0", "3.0")]
    index.upload(*wheels)
    yank(index.name, project, "1.0", EVIL)
    yank(index.name, project, "2.0", True)
    answer = index.get(f"{project}/", HTML)
    document = parse_html(answer.text)
    said = [document.link(wheel.filename).attributes.get("data-yanked") for wheel in wheels]
    assert said == [EVIL, "", None]
    assert "<script" not in answer.text


def test_047_meta(
    index: Index, project: str, shelf: Shelf, set_status: Callable[..., None]
) -> None:
    """[S] The API version, and the status with its reason only when set, escaped."""
    listed = parse_html(index.get("", HTML).text)
    plain = index.html(shelf.name)
    for document in (listed, plain):
        assert document.meta["pypi:repository-version"] == "1.4"
        assert "pypi:project-status-reason" not in document.meta
        assert document.meta.get("pypi:project-status", "active") == "active"
    index.upload(make_wheel(project, "1.0"))
    set_status(index.name, project, "archived", EVIL)
    answer = index.get(f"{project}/", HTML)
    meta = parse_html(answer.text).meta
    assert meta["pypi:project-status"] == "archived"
    assert meta["pypi:project-status-reason"] == EVIL
    assert "<script" not in answer.text


def test_048_both_forms_say_the_same(
    index: Index, project: str, yank: Callable[..., None]
) -> None:
    """[S] JSON and HTML list the same filename, sha256, yanked and requires-python."""
    files = (
        make_wheel(project, "1.0", requires_python=">=3.8"),
        make_sdist(project, "1.0", requires_python=">=3.8"),
        make_wheel(project, "2.0+local.1"),
    )
    index.upload(*files)
    yank(index.name, project, "1.0", "two files")
    said = rows_of_json(index.page(project))
    assert said == rows_of_html(index.html(project))
    assert {(name, sha256) for name, sha256, *_rest in said} == {
        (file.filename, file.sha256) for file in files
    }


def test_049_relative_links_of_the_list(index: Index, shelf: Shelf) -> None:
    """[C] Links on the list are `name/`, with the name as text (poetry search, hatch)."""
    links = parse_html(index.get("", HTML).text).links
    assert shelf.name in [link.text for link in links]
    for link in links:
        assert link.href == f"{link.text}/"


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_050_local_version(index: Index, shelf: Shelf, tools: Tools, tool: str) -> None:
    """[C] `1.5+cu121`: `%2B` in hrefs, `+` in text and JSON; pip and uv install it."""
    name = shelf.local.filename
    assert "+" in name
    row, link = index.rows(shelf.name)[name], index.html(shelf.name).link(name)
    assert link.text == name
    for url in (row["url"], link.href):
        assert "+cu121" not in url
        assert "%2Bcu121" in url.partition("#")[0]
    environment = tools.venv()
    environment.install(tool, "--index-url", index.simple_with_login, f"{shelf.name}==1.5+cu121")
    assert environment.version(import_name(shelf.name)) == "1.5+cu121"
