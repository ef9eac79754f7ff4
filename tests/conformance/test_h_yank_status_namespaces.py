"""H. Yank, status, namespaces: items 83 to 89."""

from collections.abc import Callable

import pytest

from conformance.index import Index
from conformance.pages import HTML, JSON
from conformance.shelf import Shelf
from conformance.tools import Tools
from support.distributions import import_name, make_sdist, make_wheel

Yank = Callable[..., None]
SetStatus = Callable[..., None]


def yanked(index: Index, project: str, filename: str) -> tuple[object, str | None]:
    """What the two forms of the page say of a file."""
    in_json = index.rows(project)[filename].get("yanked", False)
    in_html = index.html(project).link(filename).attributes.get("data-yanked")
    return in_json, in_html


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_083_a_yanked_file_is_chosen_by_who_pins_it(
    index: Index, project: str, yank: Yank, tools: Tools, tool: str
) -> None:
    """[S] Both forms say so at once; installers skip it unless pinned, then tell the reason."""
    old, new = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    index.upload(old, new)
    yank(index.name, project, "2.0", "it deletes too much", new.filename)
    assert yanked(index, project, new.filename) == ("it deletes too much",) * 2
    assert yanked(index, project, old.filename) == (False, None)
    environment = tools.venv()
    environment.install(tool, "--index-url", index.simple_with_login, project)
    assert environment.version(import_name(project)) == "1.0"
    ran = environment.install(tool, "--index-url", index.simple_with_login, f"{project}==2.0")
    assert environment.version(import_name(project)) == "2.0"
    assert "it deletes too much" in ran.text


def test_083_one_file_of_a_release(index: Index, project: str, yank: Yank) -> None:
    """[S] A yank is of a file: the others of its release stay as they are."""
    wheel, sdist = make_wheel(project, "1.0"), make_sdist(project, "1.0")
    index.upload(wheel, sdist)
    yank(index.name, project, "1.0", "only this", sdist.filename)
    assert yanked(index, project, sdist.filename) == ("only this", "only this")
    assert yanked(index, project, wheel.filename) == (False, None)


def test_084_unyank(index: Index, project: str, yank: Yank, tools: Tools) -> None:
    """[S] An unyanked file is as before."""
    old, new = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    index.upload(old, new)
    yank(index.name, project, "2.0", "by mistake")
    yank(index.name, project, "2.0", False)
    assert yanked(index, project, new.filename) == (False, None)
    environment = tools.venv()
    environment.pip("install", "--index-url", index.simple_with_login, project)
    assert environment.version(import_name(project)) == "2.0"


def status_of(index: Index, project: str) -> tuple[str, str]:
    """The status that both forms say, each `active` if it says none."""
    in_json = index.page(project).get("project-status", {"status": "active"})["status"]
    in_html = index.html(project).meta.get("pypi:project-status", "active")
    return in_json, in_html


def test_085_archived(index: Index, project: str, set_status: SetStatus) -> None:
    """[S] Archived: uploads get 403, files are offered."""
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    url = index.file_url(project, wheel.filename)
    set_status(index.name, project, "archived", "it moved")
    assert status_of(index, project) == ("archived", "archived")
    assert index.page(project)["project-status"]["reason"] == "it moved"
    refused = index.send(make_wheel(project, "2.0"))
    assert refused.status_code == 403
    assert "archived" in refused.text
    assert set(index.rows(project)) == {wheel.filename}
    assert index.get(url).content == wheel.content
    set_status(index.name, project, "active")
    index.upload(make_wheel(project, "2.0"))


def test_086_quarantined(index: Index, project: str, set_status: SetStatus) -> None:
    """[S] Quarantined: uploads get 403, `files: []`, file URLs 403 or 404."""
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    url = index.file_url(project, wheel.filename)
    set_status(index.name, project, "quarantined", "it looks evil")
    assert status_of(index, project) == ("quarantined", "quarantined")
    assert index.page(project)["files"] == []
    assert index.html(project).links == ()
    assert index.send(make_wheel(project, "2.0")).status_code == 403
    for hidden in (url, f"{url}.metadata"):
        for method in ("GET", "HEAD"):
            assert index.ask(method, hidden).status_code in {403, 404}
    set_status(index.name, project, "active")
    assert index.get(url).content == wheel.content
    assert set(index.rows(project)) == {wheel.filename}


def test_087_deprecated(index: Index, project: str, set_status: SetStatus) -> None:
    """[S] Deprecated: like active."""
    old, new = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    index.upload(old)
    set_status(index.name, project, "deprecated", "use another")
    assert status_of(index, project) == ("deprecated", "deprecated")
    index.upload(new)
    assert set(index.rows(project)) == {old.filename, new.filename}
    assert index.get(index.file_url(project, new.filename)).content == new.content


def test_088_status_is_never_null(index: Index, project: str, set_status: SetStatus) -> None:
    """[S] An unknown or absent status is never written as null."""
    index.upload(make_wheel(project, "1.0"))
    for status in ("active", "deprecated", "archived", "quarantined", "active"):
        set_status(index.name, project, status)
        said = index.page(project).get("project-status", {"status": "active"})
        assert said["status"] == status
        assert said.get("reason", "") is not None
        meta = index.html(project).meta
        assert meta.get("pypi:project-status", "active") == status


def test_089_no_namespaces(index: Index, shelf: Shelf) -> None:
    """[S] The API version stays 1.4 and nothing says `namespaces` (PEP 752 needs 1.5)."""
    for path in ("", f"{shelf.name}/"):
        document = index.get(path, JSON).json()
        assert document["meta"]["api-version"] == "1.4"
        assert "namespaces" not in document
        assert "1.5" not in index.get(path, HTML).text.partition("<body")[0]
