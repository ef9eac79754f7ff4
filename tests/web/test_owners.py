"""Owners of projects over HTTP, and what is answered to those who are none of them."""

from typing import Any

import httpx
import pytest

from support.distributions import make_wheel
from support.site import Site, faulty_fields, filenames, new_index, new_token, page, send, upload

WHEEL, NEWER = make_wheel("example", "1.0"), make_wheel("example", "2.0")
OWNERS, REQUESTS = "/dev/stage/+owners", "/dev/stage/+requests"
EXAMPLE = f"{OWNERS}/example"


@pytest.fixture
def ana(site: Site, dev: httpx.Client) -> httpx.Client:
    """Ana may upload to dev/stage, where projects have owners."""
    ana = site.new_user("ana")
    dev.patch("/dev/stage", json=["acl_upload+=ana,ci", "owned_projects=true"])
    return ana


@pytest.fixture
def ci(site: Site, ana: httpx.Client) -> httpx.Client:
    """So may ci."""
    return site.new_user("ci")


def owners(client: httpx.Client, project: str = "example") -> list[str]:
    answer = client.get(f"{OWNERS}/{project}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "projectowners"
    assert answer.json()["result"]["project"] == project
    return answer.json()["result"]["owners"]


def requests(client: httpx.Client) -> list[dict[str, str]]:
    return client.get(REQUESTS).json()["result"]


def needs_approval(dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json={"first_upload": "approval"})


# Owners


def test_who_brings_a_project_is_shown_as_its_owner(dev: httpx.Client, ana: httpx.Client) -> None:
    upload(ana, "dev/stage", WHEEL)
    assert owners(dev) == ["ana"]
    upload(ana, "dev/stage", NEWER)
    assert dev.get(f"{OWNERS}/").json() == {
        "type": "projectowners",
        "result": {"example": ["ana"]},
    }


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
def test_who_owns_it_not_reads_why_and_what_to_do(
    site: Site, ana: httpx.Client, ci: httpx.Client, accept: str
) -> None:
    upload(ana, "dev/stage", WHEEL)
    with site.unchanged():
        answer = send(ci, "dev/stage", NEWER, headers={"Accept": accept})
    sentence = (
        "Not allowed: ci may not upload example to dev/stage: owned_projects is on, and ci is not "
        "among its owners; the index's owner dev, root, or who is in acl_admin can change that "
        "with `stillroom owner add example ci --index dev/stage`."
    )
    assert answer.status_code == 403
    if accept == "application/json":
        # What uv shows is the code.
        assert answer.json()["message"] == sentence
        assert answer.json()["code"] == f"403 {sentence}"
    else:
        # What twine shows is the reason phrase.
        assert answer.text == f"{sentence}\n"
        assert answer.reason_phrase == sentence
    assert filenames(ana, "dev/stage", "example") == [WHEEL.filename]


def test_owners_are_set_added_and_removed(dev: httpx.Client, ci: httpx.Client) -> None:
    answer = dev.patch(EXAMPLE, json={"owners": ["ana", ":team"]})
    assert answer.json() == {
        "type": "projectowners",
        "result": {"project": "example", "owners": [":team", "ana"]},
    }
    assert dev.patch(EXAMPLE, json=["owners+=ci", "owners-=ana,:team"]).status_code == 200
    assert owners(dev) == ["ci"]
    upload(ci, "dev/stage", WHEEL)
    assert dev.patch(EXAMPLE, json={"owners": []}).json()["result"]["owners"] == []
    assert send(ci, "dev/stage", NEWER).status_code == 403
    # The project is there, and nobody's.
    assert owners(dev) == []


def test_a_project_has_owners_under_every_spelling_of_its_name(dev: httpx.Client) -> None:
    dev.patch(f"{OWNERS}/My.Project", json={"owners": ["ana"]})
    assert owners(dev, "my-project") == ["ana"]
    assert dev.get(f"{OWNERS}/my_project/").json()["result"]["project"] == "my-project"


def test_a_group_owns_a_project_while_somebody_is_in_it(
    site: Site, dev: httpx.Client, ci: httpx.Client
) -> None:
    site.root.put("/+groups/team", json={"members": ["ci"]})
    dev.patch(EXAMPLE, json={"owners": [":team"]})
    upload(ci, "dev/stage", WHEEL)
    site.root.patch("/+groups/team", json=["members-=ci"])
    with site.unchanged():
        assert send(ci, "dev/stage", NEWER).status_code == 403
    site.root.patch("/+groups/team", json=["members+=ci"])
    upload(ci, "dev/stage", NEWER)
    site.root.delete("/+groups/team")
    assert owners(dev) == []
    assert send(ci, "dev/stage", make_wheel("example", "3.0")).status_code == 403


@pytest.mark.parametrize("body", [{"owners": ["a b"]}, {"owners": None}, ["owners=,a/b"], {}])
def test_a_wrong_owner_is_named(site: Site, dev: httpx.Client, body: Any) -> None:
    with site.unchanged():
        assert faulty_fields(dev.patch(EXAMPLE, json=body)) == {"owners"}


@pytest.mark.parametrize("body", ["owners=ci", 1, None, {"owner": ["ci"], "owners": ["ci"]}])
def test_a_body_that_says_something_else_is_refused(
    site: Site, dev: httpx.Client, body: Any
) -> None:
    with site.unchanged():
        assert faulty_fields(dev.patch(EXAMPLE, json=body)) == {"body"}


def test_there_are_no_owners_of_what_is_not_there(dev: httpx.Client) -> None:
    for project in ("absent", "-", "%00"):
        assert dev.get(f"{OWNERS}/{project}").status_code in {400, 404}, project
    assert dev.get("/dev/stage/+owners/absent").status_code == 404


def test_a_mirror_has_neither_owners_nor_requests(site: Site, dev: httpx.Client) -> None:
    for method, path in [
        ("GET", "+owners"),
        ("GET", "+owners/six"),
        ("GET", "+requests"),
        ("DELETE", "+requests/six"),
    ]:
        answer = site.root.request(method, f"/root/pypi/{path}")
        assert answer.status_code == 403, path
        assert "root/pypi is a mirror" in answer.json()["message"]


def test_who_brings_a_project_changes_its_owners_only_as_administrator(
    site: Site, dev: httpx.Client, ana: httpx.Client, ci: httpx.Client
) -> None:
    upload(ana, "dev/stage", WHEEL)
    with site.unchanged():
        assert ana.patch(EXAMPLE, json=["owners+=ci"]).status_code == 403
    dev.patch("/dev/stage", json=["acl_admin+=ana"])
    assert ana.patch(EXAMPLE, json=["owners+=ci"]).status_code == 200
    upload(ci, "dev/stage", NEWER)


def test_owners_do_not_inherit(dev: httpx.Client, ana: httpx.Client) -> None:
    upload(ana, "dev/stage", WHEEL)
    new_index(dev, "dev/heir", bases="dev/stage", acl_upload="ana,dev", owned_projects=True)
    assert dev.get("/dev/heir/+owners").json()["result"] == {}
    upload(ana, "dev/heir", NEWER)
    assert dev.get("/dev/heir/+owners/example").json()["result"]["owners"] == ["ana"]


# Requests


def test_what_is_refused_for_want_of_approval_can_be_approved(
    dev: httpx.Client, ana: httpx.Client
) -> None:
    needs_approval(dev)
    answer = send(ana, "dev/stage", WHEEL, headers={"Accept": "*/*"})
    assert answer.status_code == 403
    assert "`stillroom owner approve example ana --index dev/stage`" in answer.reason_phrase
    [request] = requests(dev)
    assert (request["project"], request["user"]) == ("example", "ana")
    assert request["requested"].endswith("Z")
    assert dev.get("/dev/stage").json()["result"]["projects"] == []
    dev.patch(EXAMPLE, json=["owners+=ana"])
    assert requests(dev) == []
    upload(ana, "dev/stage", WHEEL)
    assert page(dev, "dev/stage", "example")["versions"] == ["1.0"]


def test_a_push_asks_as_an_upload_does(dev: httpx.Client, ana: httpx.Client) -> None:
    needs_approval(dev)
    new_index(dev, "dev/source")
    upload(dev, "dev/source", WHEEL)
    release = {"name": "example", "version": "1.0", "targetindex": "dev/stage"}
    answer = ana.post("/dev/source", json=release)
    assert answer.status_code == 403
    assert "it was asked for" in answer.json()["message"]
    assert [one["user"] for one in requests(dev)] == ["ana"]


def test_a_request_is_declined_once(site: Site, dev: httpx.Client, ana: httpx.Client) -> None:
    needs_approval(dev)
    send(ana, "dev/stage", WHEEL)
    answer = dev.delete(f"{REQUESTS}/Example")
    assert (answer.status_code, answer.json()["message"]) == (
        200,
        "declined example in dev/stage, asked for by ana",
    )
    with site.unchanged():
        assert dev.delete(f"{REQUESTS}/example").status_code == 404


def test_the_request_of_one_of_several_is_declined(
    site: Site, dev: httpx.Client, ana: httpx.Client, ci: httpx.Client
) -> None:
    needs_approval(dev)
    for client in (ana, ci):
        send(client, "dev/stage", WHEEL)
    with site.unchanged():
        absent = dev.delete(f"{REQUESTS}/example", params={"user": "dev"})
        wrong = dev.delete(f"{REQUESTS}/example", params={"user": "a b"})
    assert (absent.status_code, wrong.status_code) == (404, 400)
    assert absent.json()["message"] == "dev has not asked for a project example in dev/stage."
    answer = dev.delete(f"{REQUESTS}/example", params={"user": "ana"})
    assert answer.json()["message"] == "declined example in dev/stage, asked for by ana"
    assert [one["user"] for one in requests(dev)] == ["ci"]


def test_requests_are_for_who_administers_the_index(
    site: Site, dev: httpx.Client, ana: httpx.Client
) -> None:
    needs_approval(dev)
    send(ana, "dev/stage", WHEEL)
    with site.unchanged():
        assert ana.get(REQUESTS).status_code == 403
        assert ana.delete(f"{REQUESTS}/example").status_code == 403
        assert site.anonymous.get(REQUESTS).status_code == 401
    assert len(requests(site.root)) == 1


# Strangers and tokens


def test_a_stranger_who_may_upload_learns_nothing_of_owners(site: Site, dev: httpx.Client) -> None:
    dev.patch(
        "/dev/stage",
        json=["acl_upload+=:ANONYMOUS:", "owned_projects=true", "first_upload=approval"],
    )
    upload(dev, "dev/stage", WHEEL)
    with site.unchanged():
        held = send(site.anonymous, "dev/stage", NEWER)
        absent = send(site.anonymous, "dev/stage", make_wheel("absent"))
        nowhere = send(site.anonymous, "dev/nowhere", NEWER)
    assert held.status_code == absent.status_code == nowhere.status_code == 401
    assert held.json() == absent.json() == nowhere.json()


@pytest.mark.parametrize("path", [OWNERS, f"{OWNERS}/", EXAMPLE, f"{OWNERS}/absent"])
def test_owners_are_for_who_is_logged_in_where_everybody_reads(
    site: Site, dev: httpx.Client, path: str
) -> None:
    dev.patch("/dev/stage", json=["acl_read=:ANONYMOUS:"])
    dev.patch(EXAMPLE, json={"owners": ["ana"]})
    answer = site.anonymous.get(path)
    assert answer.status_code == 401
    assert answer.content == site.anonymous.get("/dev/nowhere/+owners").content
    assert site.new_user("other").get(path).status_code == (404 if "absent" in path else 200)


def test_a_token_for_one_project_uploads_no_other(site: Site, dev: httpx.Client) -> None:
    token = new_token(dev, "dev", indexes=["dev/stage"], projects=["example"])["token"]
    limited = site.bearer(token)
    upload(limited, "dev/stage", WHEEL)
    with site.unchanged():
        answer = send(limited, "dev/stage", make_wheel("another"))
    assert answer.status_code == 403
    assert "limited to the project example, and this is another" in answer.json()["message"]
