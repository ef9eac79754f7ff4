"""`+access`: who may do what in an index, and what refusals tell to whom."""

import httpx
import pytest
from pyramid.router import Router

from support.distributions import make_wheel
from support.site import HTML, Site, faulty_fields, file_url, new_index, new_token, send, upload

WHEEL, OTHER_WHEEL = make_wheel("example", "1.0"), make_wheel("secret", "1.0")


@pytest.fixture
def ana(site: Site, dev: httpx.Client) -> httpx.Client:
    """The user `ana`, in the group `team`, which may read and upload to dev/stage."""
    client = site.new_user("ana")
    assert site.root.put("/+groups/team", json={"members": ["ana"]}).status_code == 201
    operations = ["acl_read=:team", "acl_upload+=:team", "acl_upload+=gone"]
    assert dev.patch("/dev/stage", json=operations).status_code == 200
    return client


def test_the_owner_sees_who_has_each_right_and_why(ana: httpx.Client, dev: httpx.Client) -> None:
    answer = dev.get("/dev/stage/+access")
    assert answer.json()["type"] == "access"
    shown = answer.json()["result"]
    assert (shown["index"], shown["type"]) == ("dev/stage", "stage")
    assert shown["projects"] == {"owned_projects": False, "first_upload": "open"}
    assert list(shown["rights"]) == ["read", "upload", "delete", "admin"]
    owner = {"entry": "dev", "kind": "user", "why": "owner", "known": True}
    root = {"entry": "root", "kind": "user", "why": "root", "known": True}
    team = {"entry": ":team", "kind": "group", "known": True, "members": ["ana"]}
    gone = {"entry": "gone", "kind": "user", "why": "acl_upload", "known": False}
    assert shown["rights"]["upload"] == [
        {"index": "dev/stage", "holders": [owner, root, {**team, "why": "acl_upload"}, gone]}
    ]
    assert shown["rights"]["read"] == [
        {"index": "dev/stage", "holders": [owner, root, {**team, "why": "acl_read"}]}
    ]
    assert shown["rights"]["delete"] == [{"index": "dev/stage", "holders": [owner, root]}]


def test_reading_is_told_for_the_whole_lineage(
    site: Site, ana: httpx.Client, dev: httpx.Client
) -> None:
    new_index(dev, "dev/top", bases="dev/stage,root/pypi")
    doors = dev.get("/dev/top/+access").json()["result"]["rights"]["read"]
    assert [door["index"] for door in doors] == ["dev/top", "dev/stage", "root/pypi"]
    assert doors[2]["holders"][-1]["entry"] == ":ANONYMOUS:"
    told = dev.get("/dev/top/+access?user=root").json()["result"]["rights"]
    assert all(right["allowed"] for right in told.values())


def test_what_one_user_or_group_may_do(ana: httpx.Client, dev: httpx.Client) -> None:
    told = dev.get("/dev/stage/+access?user=ana").json()["result"]
    assert (told["user"], told["known"]) == ("ana", True)
    assert told["rights"]["upload"] == {
        "allowed": True, "reason": "acl_upload of dev/stage names :team",
    }  # fmt: skip
    assert told["rights"]["admin"]["allowed"] is False
    told = dev.get("/dev/stage/+access?group=:team").json()["result"]
    assert (told["group"], told["known"]) == ("team", True)
    assert [right["allowed"] for right in told["rights"].values()] == [True, True, False, False]
    assert dev.get("/dev/stage/+access?user=nobody").json()["result"]["known"] is False


def test_readers_ask_about_themselves_only(site: Site, ana: httpx.Client) -> None:
    told = ana.get("/dev/stage/+access?user=ana").json()["result"]["rights"]
    assert told["read"]["allowed"]
    reason = told["delete"]["reason"]
    assert reason.startswith("ana may not delete or yank in dev/stage: acl_delete names nobody.")
    for query in ("", "?user=dev", "?group=team", "?user=root"):
        answer = ana.get(f"/dev/stage/+access{query}")
        assert answer.status_code == 403
        assert "only who administers dev/stage sees the access of" in answer.json()["message"]
    site.user("dev").patch("/dev/stage", json=["acl_admin=ana"])
    assert ana.get("/dev/stage/+access").status_code == 200


def test_a_limited_token_asks_with_its_limits(site: Site, dev: httpx.Client) -> None:
    token = site.bearer(new_token(dev, "dev", allow=["read"])["token"])
    told = token.get("/dev/stage/+access?user=dev").json()["result"]["rights"]
    assert [right["allowed"] for right in told.values()] == [True, False, False, False]
    assert "limited to the action read" in told["upload"]["reason"]
    assert token.get("/dev/stage/+access").status_code == 403


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("user=dev&group=team", {"group"}),
        ("user=", {"user"}),
        ("user=a%20b", {"user"}),
        ("group=", {"group"}),
        ("group=a%20b", {"group"}),
    ],
)
def test_what_is_asked_wrongly_is_named(dev: httpx.Client, query: str, fields: set[str]) -> None:
    assert faulty_fields(dev.get(f"/dev/stage/+access?{query}")) == fields


def test_strangers_are_refused_alike_on_open_and_absent_indexes(
    site: Site, dev: httpx.Client
) -> None:
    new_index(dev, "dev/open", acl_read=[":ANONYMOUS:"])
    assert site.anonymous.get("/dev/open").status_code == 200
    paths = ("open/+access", "open/+access?user=dev", "stage/+access", "absent/+access")
    answers = [site.anonymous.get(f"/dev/{path}") for path in paths]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


# Refusals


def test_who_may_not_read_learns_no_entry_of_a_list(
    site: Site, ana: httpx.Client, dev: httpx.Client
) -> None:
    bob = site.new_user("bob")
    for answer in (
        bob.get("/dev/stage"),
        send(bob, "dev/stage", WHEEL),
        bob.patch("/dev/stage", json={}),
        bob.delete("/dev/stage"),
        bob.delete("/dev/stage/example"),
        bob.get("/dev/stage/+access?user=bob"),
    ):
        assert answer.status_code == 403
        message = answer.json()["message"]
        assert "dev/stage: its owner dev, root, or who is in acl_admin can change" in message
        assert "team" not in message
        assert "gone" not in message
    refused = send(site.new_user("eve"), "dev/stage", WHEEL)
    assert "names" not in refused.json()["message"]


# Tokens for some projects


@pytest.fixture
def for_example(site: Site, dev: httpx.Client) -> httpx.Client:
    """A token of dev for the project `example` in dev/stage, where `secret` is as well."""
    upload(dev, "dev/stage", WHEEL, OTHER_WHEEL)
    wanted = {"indexes": ["dev/stage"], "projects": ["example"]}
    return site.bearer(new_token(dev, "dev", **wanted)["token"])


READS = [
    "/dev/stage/simple/{project}/",
    "/dev/stage/+simple/{project}/",
    "/dev/stage/{project}",
    "/dev/stage/{project}/1.0",
    "/dev/stage/pypi/{project}/json",
    "/dev/stage/pypi/{project}/1.0/json",
]
CHANGES = [
    ("PATCH", "/dev/stage/{project}/1.0", {"yanked": True}),
    ("PATCH", "/dev/stage/{project}", {"status": "archived"}),
    ("PATCH", "/dev/stage/{project}", {"status": "active"}),
    ("DELETE", "/dev/stage/{project}/1.0", None),
    ("DELETE", "/dev/stage/{project}", None),
]


@pytest.mark.parametrize("path", READS)
def test_a_token_for_a_project_reads_that_project_under_all_of_its_names(
    for_example: httpx.Client, path: str
) -> None:
    accept = {"Accept": HTML} if "simple" in path else {}
    for name in ("example", "Example"):
        answer = for_example.get(path.format(project=name), headers=accept, follow_redirects=True)
        assert answer.status_code == 200, answer.text
    for name in ("secret", "Secret", "absent"):
        answer = for_example.get(path.format(project=name), headers=accept)
        assert answer.status_code == 403
        assert "limited to the project example" in answer.text


def test_a_page_in_memory_is_held_back_as_well(
    for_example: httpx.Client, dev: httpx.Client
) -> None:
    path = "/dev/stage/simple/secret/"
    for _ in range(2):
        assert dev.get(path, headers={"Accept": HTML}).status_code == 200
        assert for_example.get(path, headers={"Accept": HTML}).status_code == 403


def test_a_page_in_memory_is_handed_to_a_limited_token_without_pyramid(
    for_example: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/dev/stage/simple/example/"
    whole = for_example.get(path, headers={"Accept": HTML})

    def unreachable(*_args: object) -> None:
        raise AssertionError("this request went past the gate")

    monkeypatch.setattr(Router, "__call__", unreachable)
    assert for_example.get(path, headers={"Accept": HTML}).content == whole.content


def test_a_token_for_a_project_fetches_its_files_only(
    for_example: httpx.Client, dev: httpx.Client
) -> None:
    assert for_example.get(file_url("dev/stage", "example", WHEEL)).status_code == 200
    foreign = file_url("dev/stage", "secret", OTHER_WHEEL)
    assert dev.get(foreign).status_code == 200
    assert for_example.get(foreign).status_code == 403
    assert for_example.get(foreign + ".metadata").status_code == 403
    assert for_example.delete(foreign).status_code == 403
    # The name of the project that is allowed does not help to the file of another.
    disguised = file_url("dev/stage", "example", OTHER_WHEEL)
    assert for_example.get(disguised).status_code == 404
    assert for_example.delete(disguised).status_code == 404
    assert dev.get(foreign).status_code == 200


def test_a_token_for_a_project_sees_nothing_of_the_whole_index(for_example: httpx.Client) -> None:
    for path in ("", "/simple/", "/+projects", "/+access?user=dev"):
        answer = for_example.get(f"/dev/stage{path}", headers={"Accept": HTML})
        assert answer.status_code == 403, path
    assert for_example.patch("/dev/stage", json={"title": "x"}).status_code == 403
    assert for_example.delete("/dev/stage").status_code == 403


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_token_for_a_project_changes_that_project_only(
    site: Site, for_example: httpx.Client, method: str, path: str, body: object
) -> None:
    with site.unchanged():
        refused = for_example.request(method, path.format(project="secret"), json=body)
    assert refused.status_code == 403
    done = for_example.request(method, path.format(project="example"), json=body)
    assert done.status_code == 200, done.text
