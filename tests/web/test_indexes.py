"""Indexes as devpi's clients make, change and delete them."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from support.distributions import make_wheel
from support.site import Site, faulty_fields, new_index, upload

MIRROR = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/"}


# Created


def test_a_new_stage_says_all_its_options(dev: httpx.Client) -> None:
    answer = dev.put("/dev/new", json={})
    assert answer.status_code == 200
    assert answer.json() == {
        "type": "indexconfig",
        "result": {
            "type": "stage",
            "bases": [],
            "volatile": True,
            "acl_read": [":AUTHENTICATED:"],
            "acl_upload": ["dev"],
            "acl_delete": [],
            "acl_admin": [],
            "owned_projects": False,
            "first_upload": "open",
            "mirror_whitelist": [],
            "shadow_mirrors": True,
            "reserved": [],
        },
    }


def test_options_may_be_strings_as_devpis_client_sends_them(dev: httpx.Client) -> None:
    as_strings = {
        "bases": "/dev/stage/, root/pypi",
        "volatile": "False",
        "acl_upload": "dev,:group,:authenticated:",
        "acl_delete": ":ANONYMOUS:",
        "acl_admin": "",
        "owned_projects": "yes",
        "first_upload": "restricted",
        "mirror_whitelist": "Some_Project,*",
        "shadow_mirrors": "no",
        "reserved": "Acme-*",
    }
    answer = dev.put("/dev/new", json=as_strings)
    assert answer.json()["result"] | {"acl_read": None} == {
        "type": "stage",
        "bases": ["dev/stage", "root/pypi"],
        "volatile": False,
        "acl_read": None,
        "acl_upload": ["dev", ":group", ":AUTHENTICATED:"],
        "acl_delete": [":ANONYMOUS:"],
        "acl_admin": [],
        "owned_projects": True,
        "first_upload": "restricted",
        "mirror_whitelist": ["some-project", "*"],
        "shadow_mirrors": False,
        "reserved": ["acme-*"],
    }


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"surprise": 1, "pypi_whitelist": "x"}, {"surprise", "pypi_whitelist"}),
        ({"volatile": "maybe", "bases": 1, "title": 2}, {"volatile", "bases", "title"}),
        ({"volatile": None}, {"volatile"}),
        ({"bases": ["dev/stage", 1]}, {"bases"}),
        ({"bases": "stage"}, {"bases"}),
        ({"bases": "dev/stage/more"}, {"bases"}),
        ({"bases": {"dev/stage": 1}}, {"bases"}),
        ({"acl_upload": "not a name"}, {"acl_upload"}),
        ({"acl_read": ["a/b"]}, {"acl_read"}),
        ({"mirror_whitelist": "-bad"}, {"mirror_whitelist"}),
        ({"reserved": "a b"}, {"reserved"}),
        ({"mirror_url": "http://127.0.0.1/"}, {"mirror_url"}),
        ({"title": "x" * 10_001}, {"title"}),
        ({"type": "nonsense"}, {"type"}),
        ({"type": ["stage"]}, {"type"}),
        ({"type": None}, {"type"}),
    ],
)
def test_every_fault_of_a_new_index_is_named(
    shared_site: Site, body: dict[str, Any], fields: set[str]
) -> None:
    with shared_site.unchanged():
        assert faulty_fields(shared_site.user("dev").put("/dev/new", json=body)) == fields


def test_all_missing_bases_and_the_index_itself_are_named_at_once(shared_site: Site) -> None:
    bases = ["dev/absent", "nobody/index", "dev/new", "dev/stage"]
    with shared_site.unchanged():
        answer = shared_site.user("dev").put("/dev/new", json={"bases": bases})
    assert faulty_fields(answer) == {"bases"}
    for named in ("dev/absent", "nobody/index", "dev/new would inherit from itself"):
        assert named in answer.json()["message"]
    assert "dev/stage" not in answer.json()["message"]


@pytest.mark.parametrize("name", ["-new", "new-", "n w", "n%C3%A9w", "x" * 65, ".."])
def test_a_name_that_breaks_the_rule_is_refused(shared_site: Site, name: str) -> None:
    target = f"/dev/{name}".encode()
    with shared_site.unchanged():
        answer = shared_site.user("dev").put("/", json={}, extensions={"target": target})
    assert answer.status_code == 400
    assert "index" in answer.json()["message"]


def test_an_index_that_exists_is_a_conflict(shared_site: Site) -> None:
    with shared_site.unchanged():
        answer = shared_site.user("dev").put("/dev/stage", json={})
    assert answer.status_code == 409
    assert "dev/stage" in answer.json()["message"]


def test_an_index_of_a_user_that_does_not_exist_is_not_made(shared_site: Site) -> None:
    with shared_site.unchanged():
        answer = shared_site.root.put("/nobody/index", json={})
    assert answer.status_code == 404
    assert "nobody" in answer.json()["message"]


def test_the_setting_says_who_reads_a_new_stage(make_site: Callable[..., Site]) -> None:
    site = make_site(default_acl_read=(":OWNER:", "friend"))
    dev, friend = site.new_user("dev"), site.new_user("friend")
    new_index(dev, "dev/stage")
    new_index(dev, "dev/open", acl_read=":ANONYMOUS:")
    assert dev.get("/dev/stage").json()["result"]["acl_read"] == ["dev", "friend"]
    assert friend.get("/dev/stage").status_code == 200
    assert site.new_user("other").get("/dev/stage").status_code == 403
    assert site.anonymous.get("/dev/open").status_code == 200
    # The audit tells it, for the setting may be another one by the time that somebody asks.
    [created] = dev.get("/dev/stage/+audit").json()["result"]
    assert created["details"]["options"]["acl_read"] == ["dev", "friend"]


# Shown


def test_strangers_see_no_access_lists_where_everybody_reads(site: Site) -> None:
    dev, other = site.new_user("dev"), site.new_user("other")
    new_index(dev, "dev/open", acl_read=":ANONYMOUS:", acl_upload="dev,ann", title="Open")
    lists = {"acl_read", "acl_upload", "acl_delete", "acl_admin"}
    known, shown = other.get("/dev/open"), site.anonymous.get("/dev/open")
    rest = {k: v for k, v in known.json()["result"].items() if k not in lists}
    assert lists < set(known.json()["result"])
    assert shown.json() == {"type": "indexconfig", "result": rest}
    # Who guesses the lists cannot see by a digest that they are right.
    assert "ETag" in known.headers
    assert "ETag" not in shown.headers
    listed = site.anonymous.get("/").json()["result"]
    assert all(
        lists.isdisjoint(index) for user in listed.values() for index in user["indexes"].values()
    )
    assert lists < set(other.get("/").json()["result"]["dev"]["indexes"]["open"])


@pytest.mark.parametrize("path", ["/dev/stage", "/dev/stage/"])
def test_an_index_shows_its_own_projects_unless_told_not_to(
    site: Site, dev: httpx.Client, path: str
) -> None:
    new_index(dev, "dev/base")
    dev.patch("/dev/stage", json=["bases=dev/base"])
    upload(dev, "dev/base", make_wheel("inherited"))
    upload(dev, "dev/stage", make_wheel("B_b"), make_wheel("a.A"))
    shown = dev.get(path).json()
    assert shown["type"] == "indexconfig"
    assert shown["result"]["projects"] == ["a-a", "b-b"]
    assert "projects" not in dev.get(path, params={"no_projects": ""}).json()["result"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_index_that_does_not_exist_is_not_found(shared_site: Site, method: str) -> None:
    answer = shared_site.user("dev").request(method, "/dev/absent", json={})
    assert answer.status_code == 404
    assert answer.json()["message"] == "There is no index dev/absent."


def test_discovery_gives_the_addresses_of_an_index(shared_site: Site) -> None:
    found = shared_site.user("dev").get("/dev/stage/+api").json()
    assert found["type"] == "apiconfig"
    result = found["result"]
    assert result["login"] == "http://stillroom.test/+login"
    assert result["index"] == "http://stillroom.test/dev/stage"
    assert result["simpleindex"] == "http://stillroom.test/dev/stage/simple/"
    assert result["pypisubmit"] == "http://stillroom.test/dev/stage/"
    assert result["authstatus"] == ["ok", "dev", []]
    assert {"server-keyvalue-parsing", "push-no-docs"} <= set(result["features"])


def test_discovery_offers_no_upload_to_a_mirror_and_knows_what_is_missing(
    shared_site: Site,
) -> None:
    dev = shared_site.user("dev")
    assert "pypisubmit" not in dev.get("/root/pypi/+api").json()["result"]
    assert dev.get("/dev/absent/+api").status_code == 404
    assert dev.get("/dev/+api").json()["result"]["authstatus"][1] == "dev"


# Changed


def test_a_dict_changes_what_it_names_and_nothing_else(dev: httpx.Client) -> None:
    before = dev.get("/dev/stage?no_projects").json()["result"]
    answer = dev.patch("/dev/stage", json={"title": "Stage", "volatile": False})
    assert answer.status_code == 200
    assert answer.json()["type"] == "indexconfig"
    after = dev.get("/dev/stage?no_projects").json()["result"]
    assert answer.json()["result"] == after == before | {"title": "Stage", "volatile": False}


def test_operations_are_applied_in_order(dev: httpx.Client) -> None:
    operations = [
        "acl_upload+=first,second",
        "acl_upload-=dev",
        "acl_upload+=dev",
        "volatile=no",
        "title=a = b",
        "mirror_whitelist+=Some.Project",
        "reserved=a-*,b-*",
        "reserved-=a-*",
    ]
    result = dev.patch("/dev/stage", json=operations).json()["result"]
    assert result["acl_upload"] == ["first", "second", "dev"]
    assert result["volatile"] is False
    assert result["title"] == "a = b"
    assert result["mirror_whitelist"] == ["some-project"]
    assert result["reserved"] == ["b-*"]
    assert "title" not in dev.patch("/dev/stage", json=["title-="]).json()["result"]


@pytest.mark.parametrize(
    ("operations", "fields"),
    [
        (["nonsense"], {"operation"}),
        ([1, None, {}], {"operation"}),
        (["surprise=1", "volatile=maybe", "title+=x"], {"surprise", "volatile", "title"}),
        (["acl_upload-=nobody"], {"acl_upload"}),
        (["volatile-="], {"volatile"}),
        (["bases=dev/absent"], {"bases"}),
        (["bases+=dev/stage"], {"bases"}),
        (["bases+=not-an-index"], {"bases"}),
    ],
)
def test_every_operation_that_cannot_be_done_is_named_and_none_is_done(
    shared_site: Site, operations: list[Any], fields: set[str]
) -> None:
    with shared_site.unchanged():
        answer = shared_site.user("dev").patch("/dev/stage", json=["title=new", *operations])
    assert faulty_fields(answer) == fields


@pytest.mark.parametrize("name", ["dev/stage", "root/pypi"])
def test_the_whole_answer_of_a_get_may_be_sent_back(site: Site, name: str) -> None:
    new_index(site.new_user("dev"), "dev/stage")
    whole = site.root.get(f"/{name}").json()
    result = whole["result"]
    assert site.root.patch(f"/{name}", json=result).status_code == 200
    whole["result"] = result | {"title": "New"}
    assert site.root.patch(f"/{name}", json=whole).status_code == 200
    assert site.root.get(f"/{name}").json()["result"] == whole["result"]


def test_a_change_of_nothing_is_refused_on_request_only(shared_site: Site) -> None:
    dev = shared_site.user("dev")
    with shared_site.unchanged():
        for patch in ({"volatile": True}, ["volatile=True"], {}, []):
            assert dev.patch("/dev/stage", json=patch).status_code == 200
            answer = dev.patch("/dev/stage", json=patch, params={"error_on_noop": ""})
            assert answer.status_code == 400
            assert "dev/stage" in answer.json()["message"]


def test_the_type_of_an_index_stays(shared_site: Site) -> None:
    with shared_site.unchanged():
        answer = shared_site.root.patch("/dev/stage", json=MIRROR)
        assert faulty_fields(answer) == {"type"}
        assert faulty_fields(shared_site.root.patch("/dev/stage", json=["type=mirror"])) == {
            "type"
        }


@pytest.mark.parametrize("body", ["text", 1, None, True])
def test_a_change_that_is_neither_a_dict_nor_a_list_is_refused(
    shared_site: Site, body: object
) -> None:
    answer = shared_site.user("dev").patch("/dev/stage", json=body)
    assert faulty_fields(answer) == {"body"}


def test_a_cycle_of_bases_is_refused_however_long(site: Site, dev: httpx.Client) -> None:
    names = [f"dev/i{number}" for number in range(5)]
    new_index(dev, names[0])
    for base, name in pairwise(names):
        new_index(dev, name, bases=base)
    for closing in (names[-1], names[0], names[2]):
        with site.unchanged():
            answer = dev.patch(f"/{names[0]}", json=[f"bases={closing}"])
        assert faulty_fields(answer) == {"bases"}
        assert "dev/i0 would inherit from itself" in answer.json()["message"]


# Deleted


def test_a_deleted_index_is_gone_with_its_projects(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", make_wheel())
    answer = dev.delete("/dev/stage")
    # 201 is what devpi answers.
    assert (answer.status_code, answer.json()["message"]) == (201, "index dev/stage deleted")
    assert dev.get("/dev/stage").status_code == 404
    new_index(dev, "dev/stage")
    assert dev.get("/dev/stage").json()["result"]["projects"] == []


def test_a_non_volatile_index_is_not_deleted(site: Site, dev: httpx.Client) -> None:
    dev.patch("/dev/stage", json=["volatile=False"])
    with site.unchanged():
        answer = dev.delete("/dev/stage")
    assert answer.status_code == 403
    assert "volatile=true" in answer.json()["message"]
    dev.patch("/dev/stage", json=["volatile=True"])
    assert dev.delete("/dev/stage").status_code == 201


def test_a_base_is_not_deleted_under_its_heirs(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/one", bases="dev/stage")
    new_index(dev, "dev/two", bases="dev/stage")
    with site.unchanged():
        answer = dev.delete("/dev/stage")
    assert answer.status_code == 409
    assert "dev/one, dev/two" in answer.json()["message"]
