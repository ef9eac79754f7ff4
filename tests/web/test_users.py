"""Users as devpi's clients see them: shapes, statuses, faults, and who sees what."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.canary import MARK
from support.site import Site, faulty_fields, new_index, new_token, password_of

GOOD = f"a-good{MARK}"


# Created


def test_a_new_user_is_shown_without_a_trace_of_the_password(site: Site) -> None:
    answer = site.root.put("/dev", json={"password": GOOD, "email": "dev@example.org"})
    assert answer.status_code == 201
    body = answer.json()
    assert body["type"] == "userconfig"
    assert set(body["result"]) == {"username", "created", "email", "indexes"}
    assert body["result"]["username"] == "dev"
    assert body["result"]["indexes"] == {}


@pytest.mark.parametrize("path", ["/dev", "/dev/"])
def test_addresses_of_users_work_with_and_without_a_slash(site: Site, path: str) -> None:
    assert site.root.put(path, json={"password": GOOD}).status_code == 201
    assert site.root.get(path).status_code == 200
    assert site.root.patch(path, json={"title": "x"}).status_code == 200
    assert site.root.delete(path).json() == {"message": "user 'dev' deleted"}


def test_a_name_that_is_taken_is_a_conflict(site: Site, dev: httpx.Client) -> None:
    with site.unchanged():
        answer = site.root.put("/dev", json={"password": GOOD})
    assert answer.status_code == 409
    assert "dev" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"password"}),
        ({"password": "short"}, {"password"}),
        ({"password": "Passw0rd"}, {"password"}),
        ({"password": 12345678}, {"password"}),
        ({"password": [GOOD]}, {"password"}),
        ({"password": "x" * 4_097}, {"password"}),
        ({"password": "stillroom_looks-like-a-token"}, {"password"}),
        ({"password": GOOD, "pwhash": "x"}, {"pwhash"}),
        ({"password": GOOD, "email": 1}, {"email"}),
        ({"password": GOOD, "title": ["x"]}, {"title"}),
        ({"password": GOOD, "description": "x" * 10_001}, {"description"}),
        ({"password": GOOD, "custom_data": "x"}, {"custom_data"}),
        ({"password": GOOD, "custom_data": [1]}, {"custom_data"}),
        ({"email": {}, "title": 1, "surprise": 1}, {"password", "email", "title", "surprise"}),
    ],
)
def test_every_fault_of_a_new_user_is_named(
    shared_site: Site, body: dict[str, Any], fields: set[str]
) -> None:
    with shared_site.unchanged():
        assert faulty_fields(shared_site.root.put("/newcomer", json=body)) == fields


@pytest.mark.parametrize(
    "name",
    ["-dev", "dev-", "d v", "dév", "%00dev", "dev%0A", "x" * 65, ".", "..", "a%2Fb", ":dev"],
)
def test_a_name_that_breaks_the_rule_is_refused(shared_site: Site, name: str) -> None:
    with shared_site.unchanged():
        answer = shared_site.root.put(
            "/", json={"password": GOOD}, extensions={"target": f"/{name}".encode()}
        )
    # `a/b` is the address of an index, where this is no option.
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


def test_only_root_creates_users_unless_sign_up_is_open(
    make_site: Callable[..., Site],
) -> None:
    closed = make_site()
    assert closed.anonymous.put("/dev", json={"password": GOOD}).status_code == 401
    open_site = make_site(open_signup=True)
    assert open_site.anonymous.put("/dev", json={"password": GOOD}).status_code == 201
    assert open_site.anonymous.put("/dev", json={"password": GOOD}).status_code == 409
    assert faulty_fields(open_site.anonymous.put("/-", json={"password": GOOD})) == {"user"}
    assert open_site.anonymous.patch("/dev", json={"title": "x"}).status_code == 401


def test_the_setting_says_how_long_a_password_must_be(make_site: Callable[..., Site]) -> None:
    site = make_site(password_length=20)
    answer = site.root.put("/dev", json={"password": "x" * 19})
    assert "20 characters" in answer.json()["message"]
    assert site.root.put("/dev", json={"password": "xy" * 10}).status_code == 201


# Shown


def test_a_user_is_shown_with_their_indexes(site: Site, dev: httpx.Client) -> None:
    shown = dev.get("/dev").json()
    assert shown["type"] == "userconfig"
    stage = shown["result"]["indexes"]["stage"]
    # devpi's client takes these two for granted.
    assert stage["volatile"] is True
    assert stage["bases"] == []
    assert stage["type"] == "stage"


def test_what_is_personal_is_shown_to_oneself_and_to_root(site: Site, dev: httpx.Client) -> None:
    dev.patch("/dev", json={"email": "dev@example.org", "custom_data": {"a": 1}, "title": "Dev"})
    other = site.new_user("other")
    for client in (dev, site.root):
        assert client.get("/dev").json()["result"]["email"] == "dev@example.org"
        assert client.get("/").json()["result"]["dev"]["custom_data"] == {"a": 1}
    for shown in (other.get("/dev").json()["result"], other.get("/").json()["result"]["dev"]):
        assert shown["title"] == "Dev"
        assert not {"email", "custom_data"} & set(shown)


def test_oneself_and_root_see_groups_tokens_and_whether_there_is_a_password(
    clock: Any, make_site: Callable[..., Site]
) -> None:
    site = make_site()
    dev = site.new_user("dev")
    had = {"groups": [], "has_password": True, "tokens": 0}
    other = site.new_user("other")
    before = dev.get("/dev").json()["result"]
    assert {key: before[key] for key in had} == had
    site.root.put("/+groups/release", json={"members": ["dev"]})
    site.root.put("/+groups/another", json={"members": ["dev"]})
    site.root.put("/ci", json={"password": None})
    new_token(dev, "dev", allow=["read"])
    short = site.bearer(new_token(dev, "dev", expires_in=60)["token"])
    seen = {"groups": ["another", "release"], "has_password": True, "tokens": 2}
    for client in (dev, site.root, short):
        shown = client.get("/dev").json()["result"]
        assert {key: shown[key] for key in seen} == seen
    clock.advance(61)
    assert site.root.get("/dev").json()["result"]["tokens"] == 1
    assert site.root.get("/ci").json()["result"]["has_password"] is False
    assert not set(had) & set(other.get("/dev").json()["result"])


def test_names_are_seen_by_who_is_logged_in_and_contents_by_readers(
    site: Site, dev: httpx.Client
) -> None:
    new_index(dev, "dev/private", acl_read="dev", title="secret title", bases="dev/stage")
    shown = site.new_user("other").get("/dev").json()["result"]["indexes"]
    assert shown["private"] == {"type": "stage", "bases": ["dev/stage"], "volatile": True}
    assert "acl_upload" in shown["stage"]


def test_strangers_see_what_is_open_to_everyone(site: Site, dev: httpx.Client) -> None:
    assert set(site.anonymous.get("/").json()["result"]) == {"root"}
    new_index(dev, "dev/open", acl_read=":anonymous:")
    body = site.anonymous.get("/").json()
    assert body["type"] == "list:userconfig"
    assert set(body["result"]) == {"root", "dev"}
    assert set(body["result"]["dev"]["indexes"]) == {"open"}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_user_that_does_not_exist_is_not_found(shared_site: Site, method: str) -> None:
    answer = shared_site.root.request(method, "/nobody", json={})
    assert answer.status_code == 404
    assert answer.json()["message"] == "There is no user nobody."


# Changed


def test_a_change_keeps_what_it_does_not_name(dev: httpx.Client) -> None:
    dev.patch("/dev", json={"email": "dev@example.org", "title": "Dev"})
    answer = dev.patch("/dev", json={"title": "Developer"})
    assert answer.json() == {"message": "user updated"}
    shown = dev.get("/dev").json()["result"]
    assert (shown["email"], shown["title"]) == ("dev@example.org", "Developer")
    assert shown["modified"] >= shown["created"]


@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_value_deletes_a_field(dev: httpx.Client, nothing: str | None) -> None:
    dev.patch("/dev", json={"title": "Dev", "custom_data": {"a": 1}})
    assert dev.patch("/dev", json={"title": nothing, "custom_data": nothing}).status_code == 200
    assert not {"title", "custom_data"} & set(dev.get("/dev").json()["result"])


def test_the_whole_answer_may_be_sent_back_with_a_change(dev: httpx.Client) -> None:
    dev.patch("/dev", json={"email": "dev@example.org"})
    whole = dev.get("/dev").json()["result"]
    assert dev.patch("/dev", json=whole | {"title": "Dev"}).status_code == 200
    assert dev.get("/dev").json()["result"]["title"] == "Dev"


def test_a_change_of_nothing_takes_no_serial(site: Site, dev: httpx.Client) -> None:
    dev.patch("/dev", json={"title": "Dev"})
    with site.unchanged():
        assert dev.patch("/dev", json={"title": "Dev"}).status_code == 200


def test_who_changes_their_password_gets_a_new_token(site: Site, dev: httpx.Client) -> None:
    answer = dev.patch("/dev", json={"password": "another-password"})
    body = answer.json()
    assert (body["type"], body["message"]) == ("userpassword", "user updated, new proxy auth")
    assert site.bearer(body["result"]["password"]).get("/dev").status_code == 200


def test_root_gets_no_token_for_a_password_that_is_set_for_another(
    site: Site, dev: httpx.Client
) -> None:
    answer = site.root.patch("/dev", json={"password": "another-password"})
    assert answer.json() == {"message": "user updated"}


def test_faults_of_a_change_are_all_named_and_nothing_is_changed(shared_site: Site) -> None:
    body = {"password": "short", "surprise": 1, "title": 2, "email": "ok@example.org"}
    with shared_site.unchanged():
        answer = shared_site.user("dev").patch("/dev", json=body)
    assert faulty_fields(answer) == {"password", "surprise", "title"}


# Deleted


def test_a_user_goes_with_their_indexes(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    new_index(dev, "dev/last", bases="dev/heir,dev/stage")
    assert dev.delete("/dev").json() == {"message": "user 'dev' deleted"}
    assert site.root.get("/dev").status_code == 404
    assert site.root.get("/dev/stage").status_code == 404


def test_a_user_with_a_non_volatile_index_stays(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/release", volatile=False)
    with site.unchanged():
        answer = site.root.delete("/dev")
    assert answer.status_code == 403
    assert "dev/release" in answer.json()["message"]


def test_a_user_whose_index_others_inherit_from_stays(site: Site, dev: httpx.Client) -> None:
    new_index(site.new_user("other"), "other/heir", bases="dev/stage")
    with site.unchanged():
        answer = dev.delete("/dev")
    assert answer.status_code == 409
    assert "other/heir" in answer.json()["message"]


def test_root_stays(shared_site: Site) -> None:
    with shared_site.unchanged():
        assert shared_site.root.delete("/root").status_code == 403


def test_who_was_deleted_and_comes_again_has_the_new_password_only(
    site: Site, dev: httpx.Client
) -> None:
    dev.delete("/dev")
    assert site.root.put("/dev", json={"password": GOOD}).status_code == 201
    login = {"user": "dev", "password": password_of("dev")}
    assert site.anonymous.post("/+login", json=login).status_code == 401
    assert site.anonymous.post("/+login", json=login | {"password": GOOD}).status_code == 200


def test_a_limited_token_does_not_show_what_is_personal(site: Site, dev: httpx.Client) -> None:
    dev.patch("/dev", json={"email": "dev@example.org", "custom_data": {"desk": "4"}})
    limited = site.bearer(new_token(dev, "dev", indexes=["dev/stage"])["token"])
    reading = site.bearer(new_token(dev, "dev", allow=["read"])["token"])
    assert dev.get("/dev").json()["result"]["email"] == "dev@example.org"
    for client in (limited, reading):
        shown = client.get("/dev").json()["result"]
        assert not {"email", "custom_data", "groups", "has_password", "tokens"} & set(shown)


def test_nobody_signs_up_for_a_name_that_lists_or_projects_hold(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(open_signup=True)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", acl_admin=["carol"])
    assert dev.patch("/dev/stage/+owners/demo", json={"owners": ["dave"]}).status_code == 200
    for name in ("carol", "dave"):
        with site.unchanged():
            refused = site.anonymous.put(f"/{name}", json={"password": password_of(name)})
        assert refused.status_code == 409
        assert "root has to create it" in refused.json()["message"]
        assert site.new_user(name).get(f"/{name}").status_code == 200
    assert site.anonymous.put("/erin", json={"password": password_of("erin")}).status_code == 201
