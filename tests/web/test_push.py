"""Releases pushed from one index to another: all of their files or none, and no byte copied."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import Distribution, make_sdist, make_wheel
from support.site import (
    Site,
    faulty_fields,
    file_url,
    filenames,
    new_index,
    new_token,
    page,
    upload,
)

WHEEL = make_wheel("example", "1.0", summary="An example")
SDIST = make_sdist("example", "1.0", summary="An example")
RELEASE = {"name": "example", "version": "1.0", "targetindex": "dev/prod"}


@pytest.fixture
def dev(dev: httpx.Client) -> httpx.Client:
    """`dev/stage` has a release of two files, `dev/prod` is not volatile and has none."""
    new_index(dev, "dev/prod", volatile=False)
    upload(dev, "dev/stage", WHEEL, SDIST)
    return dev


def push(client: httpx.Client, source: str = "dev/stage", **changes: Any) -> httpx.Response:
    return client.post(f"/{source}", json=RELEASE | changes)


@pytest.mark.parametrize("method", ["POST", "PUSH"])
@pytest.mark.parametrize("path", ["/dev/stage", "/dev/stage/"])
def test_a_pushed_release_is_there_without_a_byte_copied(
    site: Site, dev: httpx.Client, path: str, method: str
) -> None:
    before = site.stored().blobs
    answer = dev.request(method, path, json=RELEASE | {"no_docs": "True"})
    assert answer.status_code == 200
    assert answer.json() == {
        "type": "actionlog",
        "result": [
            [200, "register", "example", "1.0", "->", "dev/prod"],
            [200, "store_releasefile", file_url("dev/prod", "example", WHEEL)[1:]],
            [200, "store_releasefile", file_url("dev/prod", "example", SDIST)[1:]],
        ],
    }
    assert site.stored().blobs == before
    for distribution in (WHEEL, SDIST):
        content = dev.get(file_url("dev/prod", "example", distribution))
        assert content.content == distribution.content


def test_a_pushed_release_keeps_what_is_known_of_it(dev: httpx.Client) -> None:
    dev.patch("/dev/stage/example/1.0", json={"yanked": "why", "filename": SDIST.filename})
    assert push(dev).status_code == 200
    source, target = (page(dev, f"dev/{name}", "example")["files"] for name in ("stage", "prod"))
    for ours, theirs in zip(source, target, strict=True):
        assert ours | {"upload-time": None} == theirs | {"upload-time": None}
    pushed = dev.get("/dev/prod/example/1.0").json()["result"]
    assert pushed["summary"] == "An example"
    log = pushed["+links"][0]["log"][0]
    assert (log["what"], log["src"], log["dst"]) == ("push", "dev/stage", "dev/prod")


def test_a_release_is_found_by_every_spelling(dev: httpx.Client) -> None:
    assert push(dev, name="Example", version="v1.0", targetindex="/dev/prod/").status_code == 200
    assert len(filenames(dev, "dev/prod", "example")) == 2


def test_a_push_again_changes_nothing(site: Site, dev: httpx.Client) -> None:
    push(dev)
    with site.unchanged():
        assert push(dev).status_code == 200


def test_a_conflict_of_one_file_stops_the_whole_push(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/prod", make_sdist("example", "1.0", body="other bytes"))
    with site.unchanged():
        answer = push(dev)
    assert answer.status_code == 409
    assert "File already exists" in answer.json()["message"]
    assert filenames(dev, "dev/prod", "example") == [SDIST.filename]


def test_a_deleted_name_stops_the_whole_push(site: Site, dev: httpx.Client) -> None:
    push(dev)
    dev.delete(file_url("dev/prod", "example", SDIST), params={"force": ""})
    with site.unchanged():
        assert push(dev).status_code == 409


# Who may


def test_a_push_needs_the_right_to_upload_to_the_target(site: Site, dev: httpx.Client) -> None:
    other = site.new_user("other")
    new_index(other, "other/prod")
    with site.unchanged():
        refused = push(dev, targetindex="other/prod")
        assert refused.status_code == push(other).status_code == 403
    assert "dev may not upload to other/prod: acl_upload names other." in refused.json()["message"]
    other.patch("/other/prod", json=["acl_upload+=dev"])
    assert push(dev, targetindex="other/prod").status_code == 200
    uploaders = other.get("/other/prod/example/1.0").json()["result"]["+links"][0]["log"]
    assert uploaders[0]["who"] == "dev"


def test_who_may_only_read_the_source_pushes_nothing(site: Site, dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json=["acl_read=:ANONYMOUS:"])
    reading = site.bearer(new_token(dev, "dev", allow=["read"])["token"])
    with site.unchanged():
        assert push(site.anonymous).status_code == 401
        assert push(reading).status_code == 403


def test_a_push_needs_the_right_to_read_the_source(site: Site, dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json=["acl_read=dev"])
    other = site.new_user("other")
    new_index(other, "other/prod")
    with site.unchanged():
        assert push(other, targetindex="other/prod").status_code == 403
        assert push(site.anonymous, targetindex="other/prod").status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"targetindex": "dev/absent"}, 404, "dev/absent"),
        ({"targetindex": "root/pypi"}, 403, "is a mirror and takes no uploads"),
        ({"targetindex": "prod"}, 400, "user/index"),
        ({"targetindex": "a/b/c"}, 400, "user/index"),
        ({"name": "absent"}, 404, "absent"),
        ({"name": "-"}, 400, "name"),
        ({"version": "9.9"}, 404, "9.9"),
        ({"version": "latest"}, 404, "latest"),
        ({"version": None}, 400, "version"),
        ({"version": ""}, 400, "version"),
        ({"name": ["example"]}, 400, "name"),
        ({"posturl": "http://127.0.0.1/"}, 400, "posturl"),
        ({"surprise": 1}, 400, "surprise"),
    ],
)
def test_a_push_that_cannot_be_done_says_why(
    site: Site, dev: httpx.Client, changes: dict[str, Any], status: int, named: str
) -> None:
    with site.unchanged():
        answer = push(dev, **changes)
    assert answer.status_code == status
    assert named in answer.json()["message"]


def test_all_missing_fields_of_a_push_are_named(site: Site, dev: httpx.Client) -> None:
    answer = dev.post("/dev/stage", json={})
    assert faulty_fields(answer) == set(RELEASE)


def test_what_a_stage_inherits_is_not_pushed_from_it(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    with site.unchanged():
        assert push(dev, "dev/heir").status_code == 404


# From a mirror


@pytest.fixture
def mirrored(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """root/pypi has a release of three files, one of a kind that no stage holds."""
    for distribution in (WHEEL, SDIST, Distribution("example-1.0.zip", b"old", WHEEL.metadata)):
        upstream.add(distribution, yanked="upstream said so")
    upstream.add(make_wheel("example", "2.0"))
    site = make_site(upstream_url=upstream.url)
    new_index(site.new_user("dev"), "dev/prod")
    return site


def test_a_release_of_a_mirror_is_fetched_checked_and_pushed(
    mirrored: Site, upstream: LocalUpstream
) -> None:
    dev = mirrored.user("dev")
    answer = push(dev, "root/pypi")
    assert answer.status_code == 200
    rows = answer.json()["result"]
    assert [row[0] for row in rows] == [200, 200, 200, 410]
    assert rows[-1][1:3] == ["skipped", "example-1.0.zip"]
    files = page(dev, "dev/prod", "example")["files"]
    assert [file["filename"] for file in files] == [WHEEL.filename, SDIST.filename]
    assert {file["yanked"] for file in files} == {"upstream said so"}
    metadata = dev.get(file_url("dev/prod", "example", WHEEL) + ".metadata")
    assert metadata.content == WHEEL.metadata
    upstream.stop()
    assert dev.get(file_url("dev/prod", "example", SDIST)).content == SDIST.content


def test_what_does_not_come_stops_the_whole_push(mirrored: Site, upstream: LocalUpstream) -> None:
    dev = mirrored.user("dev")
    page(dev, "root/pypi", "example")
    upstream.fault(f"/files/{SDIST.sha256}/*", status=503)
    answer = push(dev, "root/pypi")
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()
    assert dev.get("/dev/prod/example").status_code == 404


def test_a_release_that_no_stage_can_hold_is_not_pushed(
    mirrored: Site, upstream: LocalUpstream
) -> None:
    upstream.add(Distribution("legacy-1.0.zip", b"old", WHEEL.metadata), project="legacy")
    answer = push(mirrored.user("dev"), "root/pypi", name="legacy")
    assert answer.status_code == 404
    assert "nothing of legacy 1.0" in answer.json()["message"]
