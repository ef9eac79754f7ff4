"""Groups: shapes, statuses and faults, and what being in one opens."""

from collections.abc import Collection

import httpx
import pytest

from stillroom_server.domain.names import UserName
from stillroom_server.plugin.api import hookimpl
from support.distributions import make_wheel
from support.site import HTML, Site, basic, faulty_fields, new_index, new_token, password_of, send

WHEEL = make_wheel("example", "1.0")


@pytest.fixture
def team(site: Site, dev: httpx.Client) -> Site:
    """The group `team` with `dev` in it."""
    answer = site.root.put("/+groups/team", json={"members": ["dev"], "description": "us"})
    assert answer.status_code == 201, answer.text
    return site


def test_groups_are_shown_to_who_is_logged_in(team: Site, dev: httpx.Client) -> None:
    answer = dev.get("/+groups/team")
    assert answer.json()["type"] == "groupconfig"
    shown = answer.json()["result"]
    assert set(shown) == {"name", "description", "members", "created"}
    assert (shown["name"], shown["description"], shown["members"]) == ("team", "us", ["dev"])
    listed = dev.get("/+groups/").json()
    assert listed == {"type": "list:groupconfig", "result": {"team": shown}}


def test_root_changes_groups_by_values_and_by_operations(team: Site) -> None:
    team.new_user("ana")
    answer = team.root.patch("/+groups/team", json=["members+=ana", "description-="])
    assert answer.json()["result"]["members"] == ["ana", "dev"]
    assert answer.json()["result"]["description"] is None
    answer = team.root.patch("/+groups/team", json={"members": "ana"})
    assert answer.json()["result"]["members"] == ["ana"]
    with team.unchanged():
        assert team.root.patch("/+groups/team", json=["members+=ana"]).status_code == 200


def test_a_deleted_group_is_gone(team: Site, dev: httpx.Client) -> None:
    assert team.root.delete("/+groups/team").json() == {"message": "group team deleted"}
    assert dev.get("/+groups/team").status_code == 404
    assert team.root.delete("/+groups/team").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("name", ["te am", "-team", "a@b", "x" * 65, "authenticated", ":team"])
def test_what_is_no_name_of_a_group_is_refused(team: Site, method: str, name: str) -> None:
    with team.unchanged():
        answer = team.root.request(method, f"/+groups/{name}", json={})
    assert faulty_fields(answer) == {"group"}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"members": ["nobody"]}, {"members"}),
        ({"members": [1], "description": 1, "x": 1}, {"members", "description", "x"}),
        (["members-=ana"], {"members"}),
        (["members"], {"operation"}),
        ([1], {"operation"}),
        ("members", {"body"}),
    ],
)
def test_every_fault_of_a_change_is_named(team: Site, body: object, fields: set[str]) -> None:
    with team.unchanged():
        assert faulty_fields(team.root.patch("/+groups/team", json=body)) == fields


def test_only_root_changes_groups_and_says_so(team: Site, dev: httpx.Client) -> None:
    for method, body in (("PUT", {}), ("PATCH", ["members+=dev"]), ("DELETE", None)):
        with team.unchanged():
            answer = dev.request(method, "/+groups/team", json=body)
        assert answer.status_code == 403
        assert answer.json()["message"] == (
            "Not allowed: only root administers the server, and you are dev."
        )


def test_a_limited_token_of_root_changes_no_group(team: Site) -> None:
    for wanted in ({"allow": ["read", "admin"]}, {"indexes": ["dev/stage"]}):
        token = new_token(team.root, "root", **wanted)["token"]
        with team.unchanged():
            answer = team.bearer(token).patch("/+groups/team", json={"members": []})
        assert answer.status_code == 403
        assert "the token in use is limited to" in answer.json()["message"]


def test_a_group_opens_an_index_until_the_next_request_after_it_is_left(
    team: Site, dev: httpx.Client
) -> None:
    ana = team.new_user("ana")
    new_index(ana, "ana/own", acl_read=[":team"], acl_upload=[":team"])
    page = "/ana/own/simple/example/"
    assert send(dev, "ana/own", WHEEL).status_code == 200
    assert dev.get(page, headers={"Accept": HTML}).status_code == 200
    assert dev.get("/+api").json()["result"]["authstatus"] == ["ok", "dev", ["team"]]
    team.root.patch("/+groups/team", json=["members-=dev"])
    assert dev.get(page, headers={"Accept": HTML}).status_code == 403
    assert send(dev, "ana/own", make_wheel("example", "2.0")).status_code == 403


def test_a_login_does_not_keep_a_group_alive(team: Site, dev: httpx.Client) -> None:
    ana = team.new_user("ana")
    new_index(ana, "ana/own", acl_read=[":team"])
    login = {"user": "dev", "password": password_of("dev")}
    secret = team.anonymous.post("/+login", json=login).json()["result"]["password"]
    by_token = team.bearer(secret)
    assert by_token.get("/ana/own").status_code == 200
    team.root.patch("/+groups/team", json=["members-=dev"])
    assert by_token.get("/ana/own").status_code == 403


def test_nothing_is_inherited_by_a_name_that_is_given_anew(team: Site, dev: httpx.Client) -> None:
    ana = team.new_user("ana")
    new_index(ana, "ana/own", acl_read=["dev"], acl_upload=[":team"], acl_admin=["dev"])
    assert team.root.delete("/dev").status_code == 200
    team.new_user("dev")
    assert dev.get("/ana/own").status_code == 403
    team.root.delete("/+groups/team")
    team.root.put("/+groups/team", json={"members": ["dev"]})
    assert send(dev, "ana/own", WHEEL).status_code == 403
    options = ana.get("/ana/own").json()["result"]
    assert [options[key] for key in ("acl_read", "acl_upload", "acl_admin")] == [[], [], []]


# Groups of plugins


class Directory:
    """A plugin that knows in which groups `dev` is, until it fails."""

    def __init__(self) -> None:
        self.groups: Collection[str] | None = ["team"]
        self.fails = False
        self.asked: list[str] = []

    @hookimpl
    def stillroom_groups(self, user: UserName) -> Collection[str] | None:
        self.asked.append(user)
        if self.fails:
            raise OSError("the directory is away")
        return self.groups if user == "dev" else None


def test_a_plugin_tells_the_groups_of_who_comes_with_a_token(make_site) -> None:
    directory = Directory()
    site = make_site(extra_plugins={"directory": directory})
    dev, ana = site.new_user("dev"), site.new_user("ana")
    new_index(ana, "ana/own", acl_read=[":team"])
    token = site.bearer(new_token(dev, "dev")["token"])
    assert token.get("/ana/own").status_code == dev.get("/ana/own").status_code == 200
    assert sorted(directory.asked) == ["ana", "dev"]


def test_where_a_plugin_cannot_tell_the_answer_is_503_for_that_user_alone(make_site) -> None:
    directory = Directory()
    directory.fails = True
    site = make_site(extra_plugins={"directory": directory})
    site.new_user("dev")
    refused = site.user("dev").get("/root/pypi")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "10"
    assert "groups of dev cannot be found out" in refused.json()["message"]
    page = site.user("dev").get("/root/pypi/simple/", headers={"Accept": HTML})
    assert page.status_code == 503
    assert site.anonymous.get("/root/pypi").status_code == 200
    wrong = site.client(**basic("dev", "wrong-password")).get("/root/pypi")
    assert wrong.status_code == 401
