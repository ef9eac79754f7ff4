"""Rows P-13 to P-16: names that are private, and those who might get a public file instead."""

from collections.abc import Callable

import httpx
import pytest

from faults.asking import ask, asked
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.site import (
    JSON,
    Site,
    file_url,
    filenames,
    new_index,
    page,
    send,
    upload,
)

PRIVATE = make_wheel("example", "1.0")
PUBLIC = make_wheel("example", "9.0")


@pytest.fixture
def site(site: Site, upstream: LocalUpstream) -> Site:
    """`dev/stage` inherits from root/pypi, whose upstream has a higher version of `example`."""
    upstream.add(PUBLIC)
    new_index(site.new_user("dev"), "dev/stage", bases="root/pypi")
    return site


@pytest.fixture
def dev(site: Site) -> httpx.Client:
    return site.user("dev")


# P-13


def test_p13_of_a_private_project_only_the_private_files_are_shown_and_served(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    upload(dev, "dev/stage", PRIVATE)
    for _ in range(2):
        assert filenames(dev, "dev/stage", "example") == [PRIVATE.filename]
    public = file_url("dev/stage", "example", PUBLIC)
    assert dev.get(public).status_code == dev.get(f"{public}.metadata").status_code == 404
    assert asked(upstream, "*example*") == 0  # nor does the upstream learn of the name


# P-14


@pytest.mark.parametrize("known_by", ["a page", "the list of names"])
def test_p14_a_stage_that_may_not_shadow_refuses_a_first_upload_of_a_mirrored_name(
    site: Site, dev: httpx.Client, upstream: LocalUpstream, known_by: str
) -> None:
    """By default first origin wins and the upload is taken; the option asks for a decision.

    The refusal says who can decide otherwise, and the decision is possible.
    """
    dev.patch("/dev/stage", json=["shadow_mirrors=False"])
    if known_by == "a page":
        assert filenames(dev, "dev/stage", "example") == [PUBLIC.filename]
    else:
        new_index(site.root, "root/lister", type="mirror", mirror_url=upstream.url)
        site.root.get("/root/lister/simple/", headers={"Accept": JSON})
        dev.patch("/dev/stage", json=["bases=root/lister"])

    with site.unchanged():
        refused = send(dev, "dev/stage", PRIVATE)
    assert refused.status_code == 409
    assert "shadow_mirrors" in refused.text

    assert send(dev, "dev/stage", make_wheel("unheard-of")).status_code == 200
    dev.patch("/dev/stage", json=["shadow_mirrors=True"])
    assert send(dev, "dev/stage", PRIVATE).status_code == 200
    assert filenames(dev, "dev/stage", "example") == [PRIVATE.filename]


def test_p14_by_default_the_upload_is_taken_and_hides_the_mirror(dev: httpx.Client) -> None:
    """ADR 0030: teams patch public projects on purpose."""
    assert filenames(dev, "dev/stage", "example") == [PUBLIC.filename]
    assert send(dev, "dev/stage", PRIVATE).status_code == 200
    assert filenames(dev, "dev/stage", "example") == [PRIVATE.filename]


def test_p14_a_project_that_is_there_already_takes_more_files(dev: httpx.Client) -> None:
    upload(dev, "dev/stage", PRIVATE)
    dev.patch("/dev/stage", json=["shadow_mirrors=False"])
    assert filenames(dev, "root/pypi", "example") == [PUBLIC.filename]
    assert send(dev, "dev/stage", make_wheel("example", "1.1")).status_code == 200


# P-15


def test_p15_a_private_project_that_lost_its_last_file_keeps_its_name(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    """ADR 0030: the name opens to the mirrors when the project itself is deleted."""
    upload(dev, "dev/stage", PRIVATE)
    assert dev.delete("/dev/stage/example/1.0").status_code == 200
    assert page(dev, "dev/stage", "example")["files"] == []
    assert dev.get(file_url("dev/stage", "example", PUBLIC)).status_code == 404
    assert asked(upstream, "*example*") == 0

    assert dev.delete("/dev/stage/example").status_code == 200
    assert filenames(dev, "dev/stage", "example") == [PUBLIC.filename]


def test_p15_a_reserved_name_stays_closed_when_its_project_is_deleted(
    dev: httpx.Client, upstream: LocalUpstream
) -> None:
    dev.patch("/dev/stage", json=["reserved=example"])
    upload(dev, "dev/stage", PRIVATE)
    assert dev.delete("/dev/stage/example").status_code == 200
    assert page(dev, "dev/stage", "example")["files"] == []
    assert asked(upstream, "*example*") == 0


# P-16


@pytest.mark.parametrize("reserving", ["dev/stage", "root/pypi"])
def test_p16_a_reserved_name_that_nobody_holds_has_no_files_and_is_not_asked_for(
    site: Site, dev: httpx.Client, upstream: LocalUpstream, reserving: str
) -> None:
    """ADR 0030: 200 without files, because 404 would send installers to the next index."""
    upstream.add(make_wheel("acme-secret", "9.0"))
    site.root.patch(f"/{reserving}", json=["reserved=acme-*"])
    before = len(upstream.requests)
    for name in ("acme-secret", "ACME_secret", "acme.secret"):
        answer = dev.get(f"/dev/stage/simple/{name}/", headers={"Accept": JSON})
        if answer.is_redirect:
            answer = dev.get(answer.headers["Location"], headers={"Accept": JSON})
        assert (answer.status_code, answer.json()["files"]) == (200, [])
    assert dev.get("/dev/stage/acme-secret").status_code == 200
    assert dev.post("/dev/stage/simple/acme-secret/refresh").status_code == 302
    assert len(upstream.requests) == before


def test_p16_who_may_not_read_gets_the_same_refusal_for_every_name(
    site: Site, dev: httpx.Client, make_site: Callable[..., Site]
) -> None:
    dev.patch("/dev/stage", json=["reserved=acme-*", "acl_read=dev"])
    site.new_user("eve")
    eve = site.user("eve")
    answers = [
        eve.get(f"/dev/stage/simple/{name}/", headers={"Accept": JSON})
        for name in ("acme-secret", "example", "absent")
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert ask(make_site(), "example", "dev/stage").status_code == 200
