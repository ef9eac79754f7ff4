"""The status of a project: set by who administers the index, shown and enforced everywhere."""

from collections.abc import Callable
from typing import Any

import html5lib
import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.site import (
    HTML,
    JSON,
    Site,
    faulty_fields,
    file_url,
    filenames,
    new_index,
    page,
    send,
    upload,
)

WHEEL = make_wheel("example", "1.0")
NEWER = make_wheel("example", "2.0")
PROJECT, PAGE = "/dev/stage/example", "/dev/stage/simple/example/"
STATUSES = ["active", "deprecated", "archived", "quarantined"]
CLOSED = ["archived", "quarantined"]
REASON = 'use "other" <b>instead</b> & soon'


@pytest.fixture
def dev(dev: httpx.Client) -> httpx.Client:
    """dev/stage has a release of `example`."""
    upload(dev, "dev/stage", WHEEL)
    return dev


def set_status(client: httpx.Client, status: str, reason: str | None = None) -> httpx.Response:
    body = {"status": status} if reason is None else {"status": status, "reason": reason}
    return client.patch(PROJECT, json=body)


def metas(client: httpx.Client) -> dict[str, str]:
    """What the page says of the project's status, in HTML."""
    document = client.get(PAGE, headers={"Accept": HTML}).text
    found = html5lib.parse(document, namespaceHTMLElements=False).iter("meta")
    said = {meta.get("name"): meta.get("content") for meta in found}
    return {name: said[name] for name in said if name and name.startswith("pypi:project-status")}


# Shown


@pytest.mark.parametrize("reason", [None, REASON])
@pytest.mark.parametrize("status", STATUSES[1:])
def test_a_page_says_the_status_in_both_forms(
    dev: httpx.Client, status: str, reason: str | None
) -> None:
    answer = set_status(dev, status, reason)
    assert answer.status_code == 200
    assert answer.json()["message"] == f"project example is now {status} in dev/stage"
    said = {"status": status} | ({} if reason is None else {"reason": reason})
    assert answer.json()["result"] == said
    assert page(dev, "dev/stage", "example")["project-status"] == said
    in_html = {"pypi:project-status": status}
    if reason is not None:
        in_html["pypi:project-status-reason"] = reason
    assert metas(dev) == in_html


def test_an_active_project_says_nothing(dev: httpx.Client) -> None:
    for _ in range(2):
        assert "project-status" not in page(dev, "dev/stage", "example")
        assert metas(dev) == {}
        set_status(dev, "archived", REASON)
        set_status(dev, "active")


def test_the_view_that_devpis_client_reads_stays_as_it_was(dev: httpx.Client) -> None:
    before = dev.get(PROJECT).json()
    set_status(dev, "archived", REASON)
    assert dev.get(PROJECT).json() == before


def test_a_status_comes_with_inheritance(dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    set_status(dev, "deprecated", REASON)
    heir = page(dev, "dev/heir", "example")
    assert heir["project-status"] == {"status": "deprecated", "reason": REASON}
    # The first index that has the project says it.
    upload(dev, "dev/heir", NEWER)
    assert "project-status" not in page(dev, "dev/heir", "example")
    assert filenames(dev, "dev/heir", "example") == [NEWER.filename, WHEEL.filename]


# Set


def test_the_same_again_changes_nothing(site: Site, dev: httpx.Client) -> None:
    set_status(dev, "archived", REASON)
    with site.unchanged():
        answer = set_status(dev, "archived", REASON)
    assert answer.json()["message"] == "project example was already archived in dev/stage"
    set_status(dev, "archived", "another")
    assert page(dev, "dev/stage", "example")["project-status"]["reason"] == "another"
    set_status(dev, "archived")
    assert page(dev, "dev/stage", "example")["project-status"] == {"status": "archived"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"status"}),
        ({"status": None}, {"status"}),
        ({"status": "Archived"}, {"status"}),
        ({"status": "frozen"}, {"status"}),
        ({"status": ["archived"]}, {"status"}),
        ({"status": "archived", "reason": ""}, {"reason"}),
        ({"status": "archived", "reason": 1}, {"reason"}),
        ({"status": "archived", "reason": "two\nlines"}, {"reason"}),
        ({"status": "archived", "reason": "x" * 1_001}, {"reason"}),
        ({"status": "active", "reason": "why not"}, {"reason"}),
        ({"state": "archived", "reason": "\x1b[31m"}, {"state", "status", "reason"}),
    ],
)
def test_every_fault_of_a_status_is_named(
    site: Site, dev: httpx.Client, body: dict[str, Any], fields: set[str]
) -> None:
    with site.unchanged():
        answer = dev.patch(PROJECT, json=body)
    assert faulty_fields(answer) == fields


def test_only_what_lives_in_the_stage_has_a_status_to_set(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    with site.unchanged():
        for path in ("/dev/stage/absent", "/dev/heir/example", "/dev/stage/-"):
            answer = dev.patch(path, json={"status": "archived"})
            assert answer.status_code == 404, path
        mirrored = site.root.patch("/root/pypi/example", json={"status": "archived"})
    assert mirrored.status_code == 403
    assert "root/pypi is a mirror" in mirrored.json()["message"]


def test_a_status_is_for_the_administrator_of_the_index(site: Site, dev: httpx.Client) -> None:
    uploader = site.new_user("uploader")
    dev.patch("/dev/stage", json=["acl_upload+=uploader"])
    upload(uploader, "dev/stage", NEWER)
    with site.unchanged():
        assert set_status(uploader, "archived").status_code == 403
    assert set_status(site.root, "archived").status_code == 200


def test_a_project_that_comes_again_after_it_was_deleted_is_active(dev: httpx.Client) -> None:
    set_status(dev, "quarantined")
    assert dev.delete(PROJECT).status_code == 200
    upload(dev, "dev/stage", NEWER)
    assert "project-status" not in page(dev, "dev/stage", "example")


# Enforced


@pytest.mark.parametrize("status", STATUSES)
def test_uploads_and_pushes_are_taken_as_the_status_says(
    site: Site, dev: httpx.Client, status: str
) -> None:
    new_index(dev, "dev/other")
    upload(dev, "dev/other", NEWER)
    set_status(dev, status, None if status == "active" else REASON)
    release = {"name": "example", "version": "2.0", "targetindex": "dev/stage"}
    asks: list[Callable[[], httpx.Response]] = [
        lambda: dev.post("/dev/other", json=release),
        lambda: send(dev, "dev/stage", make_wheel("example", "3.0")),
        # Not even what is there already.
        lambda: send(dev, "dev/stage", WHEEL),
    ]
    for ask in asks:
        if status in CLOSED:
            with site.unchanged():
                answer = ask()
            assert answer.status_code == 403
            message = answer.json()["message"]
            assert message.startswith(f"Not allowed: example is {status} in dev/stage ({REASON})")
        else:
            assert ask().status_code == 200
    # Other projects, and the project in other indexes, are nobody's business here.
    upload(dev, "dev/stage", make_wheel("another"))
    upload(dev, "dev/other", make_wheel("example", "4.0"))


@pytest.mark.parametrize("status", STATUSES)
def test_files_are_offered_as_the_status_says(dev: httpx.Client, status: str) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    set_status(dev, status, None if status == "active" else REASON)
    for index in ("dev/stage", "dev/heir"):
        offered = status != "quarantined"
        shown = page(dev, index, "example")
        assert [file["filename"] for file in shown["files"]] == [WHEEL.filename] * offered
        assert shown["versions"] == ["1.0"] * offered
        for suffix in ("", ".metadata"):
            answer = dev.get(file_url(index, "example", WHEEL) + suffix)
            assert answer.status_code == (200 if offered else 403)
            assert offered or REASON in answer.json()["message"]


def test_what_was_quarantined_can_be_released(dev: httpx.Client) -> None:
    set_status(dev, "quarantined")
    set_status(dev, "active")
    assert filenames(dev, "dev/stage", "example") == [WHEEL.filename]
    assert dev.get(file_url("dev/stage", "example", WHEEL)).content == WHEEL.content
    upload(dev, "dev/stage", NEWER)


def test_a_quarantine_in_a_base_leaves_out_its_files_alone(dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/heir", NEWER)
    set_status(dev, "quarantined")
    shown = page(dev, "dev/heir", "example")
    assert [file["filename"] for file in shown["files"]] == [NEWER.filename]
    assert "project-status" not in shown
    assert dev.get(file_url("dev/heir", "example", NEWER)).content == NEWER.content
    assert dev.get(file_url("dev/heir", "example", WHEEL)).status_code == 403


# Names that a mirror has


@pytest.fixture
def careful(make_site: Callable[..., Site], upstream: LocalUpstream) -> tuple[Site, httpx.Client]:
    """`dev/stage` inherits from a mirror of `example`, and is not to hide what that has."""
    upstream.add(WHEEL)
    site = make_site(upstream_url=upstream.url)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases="root/pypi", shadow_mirrors=False)
    return site, dev


def test_a_first_upload_may_be_forbidden_to_hide_a_mirrors_project(
    careful: tuple[Site, httpx.Client],
) -> None:
    site, dev = careful
    assert page(dev, "dev/stage", "example")["files"]
    with site.unchanged():
        answer = send(dev, "dev/stage", NEWER)
    assert answer.status_code == 409
    message = answer.json()["message"]
    assert message.startswith("name: root/pypi has a project example, which would be hidden")
    assert "set shadow_mirrors" in message
    upload(dev, "dev/stage", make_wheel("another"))


def allow_hiding(dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json={"shadow_mirrors": True})


def reserve(dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json=["reserved+=example"])


def merge_with_the_mirror(dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json=["mirror_whitelist+=example"])


def leave_the_mirror(dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json=["bases="])


def hold_it_in_a_base(dev: httpx.Client) -> None:
    new_index(dev, "dev/base")
    upload(dev, "dev/base", WHEEL)
    dev.patch("/dev/stage", json=["bases=dev/base,root/pypi"])


@pytest.mark.parametrize(
    "change",
    [allow_hiding, reserve, merge_with_the_mirror, leave_the_mirror, hold_it_in_a_base],
)
def test_where_nothing_new_is_hidden_the_upload_is_taken(
    careful: tuple[Site, httpx.Client], change: Callable[[httpx.Client], None]
) -> None:
    _site, dev = careful
    assert page(dev, "dev/stage", "example")["files"]
    change(dev)
    upload(dev, "dev/stage", NEWER)


def test_a_project_that_lives_here_already_takes_more(careful: tuple[Site, httpx.Client]) -> None:
    _site, dev = careful
    # Nobody has asked the mirror for it yet.
    upload(dev, "dev/stage", NEWER)
    assert dev.get("/root/pypi/simple/example/", headers={"Accept": JSON}).status_code == 200
    upload(dev, "dev/stage", make_wheel("example", "3.0"))


def test_what_the_upstream_has_not_can_be_taken(
    careful: tuple[Site, httpx.Client], upstream: LocalUpstream
) -> None:
    _site, dev = careful
    assert page(dev, "dev/stage", "example")["files"]
    upstream.remove_project("example")
    dev.post("/root/pypi/simple/example/refresh")
    upload(dev, "dev/stage", NEWER)


def test_a_name_on_the_upstreams_list_counts_as_known(careful: tuple[Site, httpx.Client]) -> None:
    site, dev = careful
    site.root.patch("/root/pypi", json={"mirror_no_project_list": False})
    assert dev.get("/root/pypi/simple/", headers={"Accept": JSON}).status_code == 200
    assert send(dev, "dev/stage", NEWER).status_code == 409
    upload(dev, "dev/stage", make_wheel("exam"))


# Around it


def test_a_push_takes_nothing_out_of_quarantine(site: Site, dev: httpx.Client) -> None:
    other = site.new_user("other")
    new_index(other, "other/copy")
    wanted = {"name": "example", "version": "1.0", "targetindex": "other/copy"}
    set_status(dev, "quarantined", "malware")
    with site.unchanged():
        refused = other.post("/dev/stage", json=wanted)
    assert refused.status_code == 403
    assert "malware" in refused.json()["message"]
    set_status(dev, "archived")
    assert other.post("/dev/stage", json=wanted).status_code == 200


def test_a_push_takes_nothing_out_of_an_upstreams_quarantine(
    make_site: Callable[..., Site],
) -> None:
    with LocalUpstream() as upstream:
        upstream.add(WHEEL)
        upstream.set_status("example", "quarantined", "malware")
        site = make_site(upstream_url=upstream.url)
        new_index(site.root, "root/copy", acl_upload="root")
        wanted = {"name": "example", "version": "1.0", "targetindex": "root/copy"}
        refused = site.root.post("/root/pypi", json=wanted)
    assert refused.status_code == 403
    assert "malware" in refused.json()["message"]


@pytest.mark.parametrize("status", CLOSED)
def test_who_may_delete_cannot_delete_what_takes_no_uploads(
    site: Site, dev: httpx.Client, status: str
) -> None:
    other = site.new_user("other")
    dev.patch("/dev/stage", json=["acl_delete+=other"])
    set_status(dev, status)
    with site.unchanged():
        refused = other.delete(PROJECT)
    assert refused.status_code == 403
    assert status in refused.json()["message"]
    assert dev.delete(PROJECT).status_code == 200


def test_who_may_delete_deletes_what_takes_uploads(site: Site, dev: httpx.Client) -> None:
    other = site.new_user("other")
    dev.patch("/dev/stage", json=["acl_delete+=other"])
    set_status(dev, "deprecated")
    assert other.delete(PROJECT).status_code == 200
