"""Pages in memory: validated by ETag, changed at once everywhere, the same from the gate."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pyramid.router import Router

from stillroom_server.services.pages import Pages
from stillroom_server.services.project_lists import ProjectLists
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.testing import LocalUpstream
from stillroom_server.web import simple
from support.distributions import make_wheel
from support.site import (
    API,
    HTML,
    JSON,
    Site,
    file_url,
    filenames,
    lasting_headers,
    new_index,
    new_site,
    new_token,
    page,
    upload,
)

LIST, PAGE = "/dev/stage/simple/", "/dev/stage/simple/example/"
WHEEL = make_wheel("example", "1.0")
NEWER = make_wheel("example", "2.0")
FORMS = [
    {"Accept": accept, "Accept-Encoding": encoding}
    for accept in (JSON, HTML, "text/html")
    for encoding in ("identity", "gzip", "zstd")
]


@pytest.fixture(scope="module")
def reader(shared_site: Site) -> httpx.Client:
    """Reads dev/stage, which has two files of the project `example`."""
    client = shared_site.user("dev")
    upload(client, "dev/stage", WHEEL, NEWER)
    return client


# Validators


@pytest.mark.parametrize("path", [LIST, PAGE])
def test_each_form_and_encoding_has_a_strong_etag_that_stays(
    reader: httpx.Client, path: str
) -> None:
    answers = [reader.get(path, headers=form) for form in FORMS]
    again = [reader.get(path, headers=form) for form in FORMS]
    tags = [answer.headers["ETag"] for answer in answers]
    assert [answer.headers["ETag"] for answer in again] == tags
    assert [answer.content for answer in again] == [answer.content for answer in answers]
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
    by_tag = {(a.headers["ETag"], a.headers["Content-Type"].partition(";")[0]) for a in answers}
    assert len(by_tag) == len(FORMS)
    # Two types of HTML have one body.
    assert len(set(tags)) == 6


@pytest.mark.parametrize("path", [LIST, PAGE])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: " ".join(form.values()))
def test_an_unchanged_page_costs_a_304(
    reader: httpx.Client, form: dict[str, str], path: str
) -> None:
    whole = reader.get(path, headers=form)
    tag = whole.headers["ETag"]
    for condition in (tag, f'"other", {tag}', f"W/{tag}", "*", f'{tag} , "x"'):
        answer = reader.get(path, headers=form | {"If-None-Match": condition})
        assert answer.status_code == 304
        assert answer.content == b""
        for header in ("ETag", "Cache-Control", "Vary"):
            assert answer.headers[header] == whole.headers[header]
    other = reader.get(path, headers=form | {"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)


@pytest.mark.parametrize("path", [LIST, PAGE])
def test_no_shared_cache_keeps_a_page_and_each_use_asks(reader: httpx.Client, path: str) -> None:
    answer = reader.get(path, headers={"Accept": JSON})
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"


def test_head_says_what_get_says(reader: httpx.Client) -> None:
    for form in FORMS:
        got, head = (reader.request(method, PAGE, headers=form) for method in ("GET", "HEAD"))
        assert lasting_headers(head) == lasting_headers(got)
        assert (head.status_code, head.content) == (200, b"")


# Changes, as this and another process see them


@pytest.fixture
def elsewhere(site: Site, dev: httpx.Client, database_url: str) -> Iterator[httpx.Client]:
    """`dev` as the client of another process on the same database."""
    database = SqlDatabase(database_url)
    with new_site(database, site.store) as second:
        yield second.user("dev")
    database.close()


CHANGES: dict[str, tuple[Callable[[httpx.Client], object], list[str]]] = {
    "an upload": (lambda dev: upload(dev, "dev/stage", NEWER), [WHEEL.filename, NEWER.filename]),
    "an upload to a base": (
        lambda dev: upload(dev, "dev/base", NEWER), [WHEEL.filename, NEWER.filename],
    ),
    "another status": (
        lambda dev: dev.patch("/dev/stage/example", json={"status": "archived"}), [WHEEL.filename],
    ),
    "a quarantine": (
        lambda dev: dev.patch("/dev/stage/example", json={"status": "quarantined"}), [],
    ),
    "a yank": (
        lambda dev: dev.patch("/dev/stage/example/1.0", json={"yanked": "bad"}), [WHEEL.filename],
    ),
    "a deleted file": (lambda dev: dev.delete(file_url("dev/stage", "example", WHEEL)), []),
    "a deleted release": (lambda dev: dev.delete("/dev/stage/example/1.0"), []),
    "a replaced file": (
        lambda dev: upload(dev, "dev/stage", make_wheel("example", "1.0", body="new")),
        [WHEEL.filename],
    ),
    "another base": (
        lambda dev: dev.patch("/dev/base", json=["bases=dev/extra"]),
        [WHEEL.filename, "example-3.0-py3-none-any.whl"],
    ),
    "a push": (
        lambda dev: dev.post("/dev/extra", json={
            "name": "example", "version": "3.0", "targetindex": "dev/stage"}),
        [WHEEL.filename, "example-3.0-py3-none-any.whl"],
    ),
}  # fmt: skip


@pytest.fixture
def stage(dev: httpx.Client) -> httpx.Client:
    """dev/stage inherits from dev/base; dev/extra stands beside them."""
    for name in ("dev/base", "dev/extra"):
        new_index(dev, name)
    dev.patch("/dev/stage", json=["bases=dev/base"])
    upload(dev, "dev/stage", WHEEL)
    upload(dev, "dev/extra", make_wheel("example", "3.0"))
    return dev


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_by_the_next_request_to_any_process(
    stage: httpx.Client, elsewhere: httpx.Client, what: str
) -> None:
    change, expected = CHANGES[what]
    readers = [stage, elsewhere]
    before = [[r.get(PAGE, headers=form) for form in FORMS] for r in readers]
    assert [filenames(r, "dev/stage", "example") for r in readers] == [[WHEEL.filename]] * 2
    change(stage)
    for client, pages in zip(readers, before, strict=True):
        assert filenames(client, "dev/stage", "example") == expected
        for form, old in zip(FORMS, pages, strict=True):
            condition = {"If-None-Match": old.headers["ETag"]}
            new = client.get(PAGE, headers=form | condition)
            assert new.status_code == 200
            assert new.headers["ETag"] != old.headers["ETag"]


def test_a_project_that_goes_and_comes_is_seen_everywhere(
    stage: httpx.Client, elsewhere: httpx.Client
) -> None:
    readers = [stage, elsewhere]

    def statuses() -> list[int]:
        return [r.get(PAGE, headers={"Accept": JSON}).status_code for r in readers]

    def listed() -> list[list[str]]:
        answers = [r.get(LIST, headers={"Accept": JSON}).json()["projects"] for r in readers]
        return [[project["name"] for project in projects] for projects in answers]

    assert (statuses(), listed()) == ([200, 200], [["example"], ["example"]])
    stage.delete("/dev/stage/example")
    assert (statuses(), listed()) == ([404, 404], [[], []])
    upload(elsewhere, "dev/stage", NEWER)
    assert (statuses(), listed()) == ([200, 200], [["example"], ["example"]])
    stage.delete("/dev/stage")
    assert statuses() == [404, 404]
    new_index(elsewhere, "dev/stage")
    assert (statuses(), listed()) == ([404, 404], [[], []])


def test_a_right_that_is_taken_away_closes_the_page_everywhere(
    site: Site, stage: httpx.Client, elsewhere: httpx.Client
) -> None:
    reader = site.new_user("reader")
    assert page(reader, "dev/stage", "example")["files"]
    elsewhere.patch("/dev/base", json=["acl_read=dev"])
    answer = reader.get(PAGE, headers={"Accept": JSON})
    assert answer.status_code == 403
    assert "dev/base" in answer.text


def test_a_change_of_something_else_leaves_the_page_as_it_is(
    stage: httpx.Client, elsewhere: httpx.Client
) -> None:
    tag = elsewhere.get(PAGE, headers={"Accept": JSON}).headers["ETag"]
    upload(stage, "dev/stage", make_wheel("other"))
    upload(stage, "dev/extra", make_wheel("example", "4.0"))
    condition = {"Accept": JSON, "If-None-Match": tag}
    assert elsewhere.get(PAGE, headers=condition).status_code == 304


# The gate in front of Pyramid

GATED = {
    "JSON": {"Accept": JSON},
    "JSON in gzip": {"Accept": JSON, "Accept-Encoding": "gzip"},
    "JSON in zstd": {"Accept": JSON, "Accept-Encoding": "zstd"},
    "JSON in nothing": {"Accept": JSON, "Accept-Encoding": "*;q=0"},
    "HTML": {"Accept": HTML},
    "no wish": {"Accept": "*/*"},
    "not acceptable": {"Accept": "application/xml"},
    "the JSON view": {"Accept": API},
    "an ETag of another time": {"Accept": JSON, "If-None-Match": '"other"'},
    "whatever is there": {"Accept": JSON, "If-None-Match": "*"},
}


@pytest.fixture(scope="module")
def limited(shared_site: Site, reader: httpx.Client) -> httpx.Client:
    """Reads dev/stage with a token that is good for nothing else."""
    return shared_site.bearer(new_token(reader, "dev", indexes=["dev/stage"])["token"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("name", ["example", "absent", "-"])
@pytest.mark.parametrize("form", ["simple", "+simple"])
@pytest.mark.parametrize("wish", GATED)
def test_the_gate_answers_as_pyramid_does(
    shared_site: Site,
    reader: httpx.Client,
    limited: httpx.Client,
    wish: str,
    form: str,
    name: str,
    method: str,
) -> None:
    reader.get(PAGE, headers=GATED[wish])
    path = f"/dev/stage/{form}/{name}/"
    for client in (reader, limited, shared_site.anonymous, shared_site.root):
        gated = client.request(method, path, headers=GATED[wish])
        # A query is none of the gate's business.
        beyond = client.request(method, f"{path}?beyond", headers=GATED[wish])
        assert gated.status_code == beyond.status_code
        assert lasting_headers(gated) == lasting_headers(beyond)
        assert gated.content == beyond.content


def test_a_page_in_memory_is_answered_without_pyramid(
    reader: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [reader.get(PAGE, headers=form) for form in FORMS]

    def unreachable(*_args: object) -> None:
        raise AssertionError("this request went past the gate")

    monkeypatch.setattr(Router, "__call__", unreachable)
    for form, expected in zip(FORMS, whole, strict=True):
        assert reader.get(PAGE, headers=form).content == expected.content
        known = form | {"If-None-Match": expected.headers["ETag"]}
        assert reader.get(PAGE, headers=known).status_code == 304
        head = reader.head(PAGE, headers=form)
        assert lasting_headers(head) == lasting_headers(expected)


def test_the_memory_for_pages_is_bounded(make_site: Callable[..., Site]) -> None:
    site = make_site(page_cache_bytes=4_000)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    wheels = [make_wheel(f"project{number}") for number in range(8)]
    upload(dev, "dev/stage", *wheels)
    for _ in range(2):
        for number, wheel in enumerate(wheels):
            assert filenames(dev, "dev/stage", f"project{number}") == [wheel.filename]


def test_a_page_that_many_ask_for_at_once_is_built_once(
    site: Site, dev: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(dev, "dev/stage", WHEEL)
    service, asked, built = site.services.pages, threading.Barrier(8), []
    build = service.project

    def build_slowly(*arguments: Any) -> Any:
        built.append(arguments)
        time.sleep(0.5)
        return build(*arguments)

    monkeypatch.setattr(service, "project", build_slowly)

    def ask(_number: int) -> list[str]:
        asked.wait()
        return filenames(dev, "dev/stage", "example")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [[WHEEL.filename]] * 8
    assert len(built) == 1
    upload(dev, "dev/stage", NEWER)
    assert filenames(dev, "dev/stage", "example") == [WHEEL.filename, NEWER.filename]


@pytest.mark.parametrize("project", ["example", None])
def test_a_lineage_that_changes_while_a_page_is_built_does_not_outlive_the_change(
    site: Site, dev: httpx.Client, monkeypatch: pytest.MonkeyPatch, project: str | None
) -> None:
    new_index(dev, "dev/private")
    new_index(dev, "dev/heir", bases="dev/private")
    upload(dev, "dev/private", WHEEL)
    service, name = (Pages, "find") if project else (ProjectLists, "view")
    build = getattr(service, name)

    def build_late(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(service, name, build)
        assert dev.patch("/dev/heir", json=["bases="]).status_code == 200
        return build(*arguments, **options)

    monkeypatch.setattr(service, name, build_late)
    address = "/dev/heir/simple/" + (f"{project}/" if project else "")
    dev.get(address, headers={"Accept": JSON})
    later = dev.get(address, headers={"Accept": JSON})
    if project:
        assert later.status_code == 404
    else:
        assert later.json()["projects"] == []


def test_a_stale_page_says_its_age(
    clock: Any,
    make_site: Callable[..., Site],
    upstream: LocalUpstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upstream.add(WHEEL)
    site = make_site(upstream_url=upstream.url)
    path = "/root/pypi/simple/example/"
    for accept in (JSON, HTML):
        fresh = site.anonymous.get(path, headers={"Accept": accept})
        assert not {"age", "cache-status"} & set(fresh.headers)
    upstream.fault("/simple/example/", status=503)
    clock.advance(5_000)
    stale = site.anonymous.get(path, headers={"Accept": JSON})
    assert stale.headers["Cache-Status"] == "stillroom; hit; detail=stale"
    assert 5_000 <= int(stale.headers["Age"]) < 5_060
    assert stale.headers["Cache-Control"] == "private, no-cache"
    # It grows while the page lies in memory, and is there with 304 too.
    later = time.monotonic() + 2
    monkeypatch.setattr(simple, "time", SimpleNamespace(monotonic=lambda: later))
    tag = {"Accept": JSON, "If-None-Match": stale.headers["ETag"]}
    again = site.anonymous.get(path, headers=tag)
    assert again.status_code == 304
    assert int(again.headers["Age"]) >= int(stale.headers["Age"]) + 2
