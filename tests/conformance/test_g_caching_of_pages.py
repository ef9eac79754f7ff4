"""G. Caching of pages: items 73 to 82."""

import email.utils
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from conformance.index import Index, OpenIndex
from conformance.pages import FORMS, JSON, PIP, POETRY, UV
from conformance.shelf import Shelf
from conformance.test_e_metadata_files import UNPACK
from conformance.tools import Tools
from support.distributions import import_name, make_wheel
from support.front import Front

SHORT = 10
"""Seconds for which a page may be used without asking."""


def directives(answer: httpx.Response) -> dict[str, str]:
    """Cache-Control, by directive."""
    found = re.findall(r"([\w-]+)(?:=\"?([^\s,\"]*))?", answer.headers.get("Cache-Control", ""))
    return {name.lower(): value for name, value in found}


def etag(index: Index, path: str) -> str:
    """The ETag of a page in JSON, which must be a strong one."""
    tag = index.get(path, JSON).headers["ETag"]
    assert re.fullmatch(r'"[^"]+"', tag), tag
    return tag


def test_073_etags_change_with_the_page(
    index: Index,
    project: str,
    yank: Callable[..., None],
    delete_file: Callable[..., None],
    set_status: Callable[..., None],
) -> None:
    """[C] A strong ETag, equal on repeat; another after upload, yank, delete, status change."""
    first, second = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    changes: list[Callable[[], object]] = [
        lambda: index.upload(first),
        lambda: index.upload(second),
        lambda: yank(index.name, project, "1.0", "it breaks"),
        lambda: yank(index.name, project, "1.0", "it breaks more"),
        lambda: set_status(index.name, project, "deprecated"),
        lambda: set_status(index.name, project, "deprecated", "use another"),
        lambda: delete_file(index.name, second),
    ]
    seen = []
    for change in changes:
        change()
        seen.append(etag(index, f"{project}/"))
        assert etag(index, f"{project}/") == seen[-1]
    assert len(set(seen)) == len(changes)


def test_073_etag_of_the_list(index: Index, project: str) -> None:
    """[C] The ETag of the list of projects is strong and changes with a new project."""
    before = etag(index, "")
    index.upload(make_wheel(project, "1.0"))
    assert etag(index, "") != before


def test_074_one_etag_per_representation(index: Index, shelf: Shelf) -> None:
    """[C] Different ETags for JSON and HTML and for each Content-Encoding."""
    seen: dict[str, set[tuple[str, str]]] = {}
    for accept in (FORMS[0], FORMS[1]):
        for accepted in ("identity", "gzip", "zstd"):
            headers = {"Accept": accept, "Accept-Encoding": accepted}
            answer, _body = index.raw(f"{shelf.name}/", headers)
            form = (answer.headers["Content-Type"], answer.headers.get("Content-Encoding", ""))
            seen.setdefault(answer.headers["ETag"], set()).add(form)
    assert all(len(forms) == 1 for forms in seen.values())
    encodings = {encoding for forms in seen.values() for _type, encoding in forms}
    assert {"", "gzip"} <= encodings


@pytest.mark.parametrize("accept", FORMS)
def test_075_not_modified(quiet: Index, shelf: Shelf, accept: str) -> None:
    """[C] `If-None-Match` (a list, `*`): 304 without a body, with ETag, Cache-Control, Vary."""
    for path in ("", f"{shelf.name}/"):
        whole = quiet.get(path, accept)
        tag = whole.headers["ETag"]
        for said in (tag, f'"another", {tag}', f'"a,b",{tag}, W/"weak"', "*"):
            answer = quiet.get(path, accept, If_None_Match=said)
            assert (answer.status_code, answer.content) == (304, b""), said
            for name in ("ETag", "Cache-Control", "Vary"):
                assert answer.headers[name] == whole.headers[name]
        assert quiet.get(path, accept, If_None_Match='"another"').status_code == 200


def test_076_private_pages(
    new_index: Callable[..., str], open_index: OpenIndex, project: str
) -> None:
    """[P] Private pages: never `public`, and `no-cache` or `max-age` up to 10."""
    private = open_index(new_index(public=False))
    private.upload(make_wheel(project, "1.0"))
    for path in ("", f"{project}/"):
        said = directives(private.get(path, JSON))
        assert said
        assert "public" not in said
        assert "no-cache" in said or int(said.get("max-age", "999")) <= SHORT


def test_077_no_contradiction(index: Index, shelf: Shelf) -> None:
    """[P] Not both `no-cache` and `max-age` above 0."""
    for path in ("", f"{shelf.name}/"):
        said = directives(index.get(path, JSON))
        assert said
        assert not ("no-cache" in said and int(said.get("max-age", "0")) > 0)


def test_078_date(index: Index, shelf: Shelf) -> None:
    """[C] The header `Date` is there, and says the time."""
    for path in ("", f"{shelf.name}/"):
        said = email.utils.parsedate_to_datetime(index.get(path, JSON).headers["Date"])
        assert abs(datetime.now(UTC) - said) < timedelta(minutes=5)


def test_079_a_cached_page_does_not_hide_an_upload(
    new_index: Callable[..., str],
    open_index: OpenIndex,
    project: str,
    secure_front: Front,
    tools: Tools,
) -> None:
    """[C] Over https, the next pip of somebody anonymous sees an upload."""
    public = open_index(new_index(public=True), front=secure_front)
    public.upload(make_wheel(project, "1.0"))
    environment = tools.venv()
    install = ("install", "--index-url", public.simple, "--upgrade", project)
    environment.pip(*install)
    environment.pip(*install)
    pages = secure_front.passed(f"*/{project}/")
    assert "if-none-match" in pages[1].headers, "pip has kept the page"
    public.upload(make_wheel(project, "2.0"))
    environment.pip(*install)
    assert environment.version(import_name(project)) == "2.0"


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_080_forced_refresh(
    index: Index,
    open_index: OpenIndex,
    project: str,
    secure_front: Front,
    tools: Tools,
    tool: str,
) -> None:
    """[C] `pip --refresh-package x` and uv `--refresh` get the newest page."""
    seen = open_index(index.name, front=secure_front)
    environment = tools.venv()
    option = {"pip": ("--refresh-package", project), "uv": ("--refresh",)}[tool]
    for version in ("1.0", "2.0"):
        index.upload(make_wheel(project, version))
        environment.install(
            tool, "--index-url", seen.simple_with_login, *option, "--upgrade", project
        )
        assert environment.version(import_name(project)) == version
    forced = secure_front.passed(f"*/{project}/")[-1].headers["cache-control"]
    assert {"pip": "max-age=0", "uv": "no-cache"}[tool] in forced


def test_081_encodings_of_pages(index: Index, shelf: Shelf) -> None:
    """[C] gzip for pip, zstd for uv and poetry, identity for who asks for that."""
    plain = index.get(f"{shelf.name}/", JSON).content
    wanted = {
        (PIP, "gzip, deflate"): "gzip",
        (UV, "gzip, deflate, zstd"): "zstd",
        (POETRY, "gzip, deflate, zstd"): "zstd",
        (JSON, "identity"): None,
    }
    for (accept, accepted), encoding in wanted.items():
        headers = {"Accept": accept, "Accept-Encoding": accepted}
        answer, body = index.raw(f"{shelf.name}/", headers)
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.headers["Content-Length"] == str(len(body))
        assert UNPACK[encoding](body) == plain


def test_082_unknown_projects_are_not_kept(index: Index, project: str) -> None:
    """[s] 404 pages: `no-store`, or at most 10 s; uv keeps them."""
    answer = index.get(f"{project}/", UV)
    assert answer.status_code == 404
    said = directives(answer)
    assert {"no-store", "no-cache"} & said.keys() or int(said.get("max-age", "999")) <= SHORT
    index.upload(make_wheel(project, "1.0"))
    assert index.get(f"{project}/", UV).status_code == 200
