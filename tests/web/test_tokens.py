"""Tokens: made, listed, limited, ended; and how a login gives one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from stillroom_server.storage.database import SqlDatabase
from support.canary import MARK
from support.distributions import make_wheel
from support.site import (
    HTML,
    Site,
    basic,
    faulty_fields,
    file_url,
    new_index,
    new_token,
    password_of,
    send,
    upload,
)

DAY = 24 * 3600


def seconds_left(clock: Callable[[], Any], token: dict[str, Any]) -> float:
    return (datetime.fromisoformat(token["expires"]) - clock()).total_seconds()


# Made and listed


def test_a_token_is_told_once_and_listed_without_its_secret(dev: httpx.Client) -> None:
    answer = dev.post(
        "/dev/+tokens",
        json={
            "allow": ["upload", "read"],
            "indexes": ["dev/stage"],
            "projects": ["My.Project"],
            "expires_in": 3600,
            "note": "for CI",
        },
    )
    assert answer.status_code == 201
    made = answer.json()["result"]
    secret = made.pop("token")
    listed = dev.get("/dev/+tokens")
    assert listed.json() == {"type": "list:token", "result": [made]}
    assert secret not in listed.text
    assert made["limits"] == [
        {"allow": ["read", "upload"], "indexes": ["dev/stage"], "projects": ["my-project"]}
    ]
    assert (made["kind"], made["note"], made["used"]) == ("made", "for CI", None)
    assert made["publisher"] is None


def test_a_token_is_good_for_everything_and_ninety_days_unless_said(
    dev: httpx.Client, clock: Callable[[], Any]
) -> None:
    made = new_token(dev, "dev")
    assert (made["limits"], made["note"]) == (None, "")
    assert 89 * DAY < seconds_left(clock, made) <= 90 * DAY


EVERYWHERE = ["account", "admin", "delete", "read", "upload"]
SOMEWHERE = ["admin", "delete", "read", "upload"]


@pytest.mark.parametrize(
    ("body", "allow", "indexes", "projects"),
    [
        ({"allow": ["read", "read"]}, ["read"], None, None),
        ({"allow": EVERYWHERE}, EVERYWHERE, None, None),
        ({"allow": None, "indexes": ["dev/stage"]}, SOMEWHERE, ["dev/stage"], None),
        ({"projects": ["b", "A_a"]}, SOMEWHERE, None, ["a-a", "b"]),
    ],
)
def test_limits_are_what_was_asked(
    dev: httpx.Client,
    body: dict[str, Any],
    allow: list[str],
    indexes: list[str] | None,
    projects: list[str] | None,
) -> None:
    expected = {"allow": allow, "indexes": indexes, "projects": projects}
    assert new_token(dev, "dev", **body)["limits"] == [expected]


def test_nulls_stand_for_no_limits(dev: httpx.Client) -> None:
    made = new_token(dev, "dev", allow=None, indexes=None, projects=None)
    assert made["limits"] is None


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({"allow": "read"}, {"allow"}),
        ({"allow": []}, {"allow"}),
        ({"allow": ["write"]}, {"allow"}),
        ({"allow": ["read", 1]}, {"allow"}),
        ({"allow": [["read"]]}, {"allow"}),
        ({"allow": {"read": True}}, {"allow"}),
        ({"allow": ["account"], "indexes": ["dev/stage"]}, {"allow"}),
        ({"allow": ["account"], "projects": ["example"]}, {"allow"}),
        ({"projects": []}, {"projects"}),
        ({"projects": "example"}, {"projects"}),
        ({"projects": ["no name!"]}, {"projects"}),
        ({"scope": "read"}, {"scope"}),
        ({"expires_in": "3600"}, {"expires_in"}),
        ({"expires_in": True}, {"expires_in"}),
        ({"expires_in": 1.5}, {"expires_in"}),
        ({"expires_in": None}, {"expires_in"}),
        ({"expires_in": 0}, {"expires_in"}),
        ({"expires_in": -1}, {"expires_in"}),
        ({"expires_in": 366 * DAY + 1}, {"expires_in"}),
        ({"expires_in": 10**18}, {"expires_in"}),
        ({"note": 1}, {"note"}),
        ({"note": "x" * 501}, {"note"}),
        ({"indexes": []}, {"indexes"}),
        ({"indexes": "dev/stage"}, {"indexes"}),
        ({"indexes": ["stage"]}, {"indexes"}),
        ({"indexes": [1]}, {"indexes"}),
        ({"surprise": 1}, {"surprise"}),
        ({"allow": "x", "expires_in": "x", "note": 1, "indexes": 1, "projects": 1, "y": 1},
         {"allow", "expires_in", "note", "indexes", "projects", "y"}),
    ],
)  # fmt: skip
def test_every_fault_of_a_token_is_named(
    shared_site: Site, body: dict[str, Any], faulty: set[str]
) -> None:
    with shared_site.unchanged():
        answer = shared_site.user("dev").post("/dev/+tokens", json=body)
    assert faulty_fields(answer) == faulty


def test_a_token_for_an_index_that_does_not_exist_is_not_made(
    site: Site, dev: httpx.Client
) -> None:
    with site.unchanged():
        answer = dev.post("/dev/+tokens", json={"indexes": ["dev/stage", "dev/absent"]})
    assert answer.status_code == 404
    assert "dev/absent" in answer.json()["message"]


def test_a_closed_index_is_refused_and_not_said_to_be_missing(
    site: Site, dev: httpx.Client
) -> None:
    new_index(dev, "dev/closed", acl_read=["dev"])
    other = site.new_user("other")
    with site.unchanged():
        answer = other.post("/other/+tokens", json={"indexes": ["dev/closed"]})
    assert answer.status_code == 403
    assert "no right in dev/closed" in answer.json()["message"]
    dev.patch("/dev/closed", json=["acl_upload+=other"])
    assert other.post("/other/+tokens", json={"indexes": ["dev/closed"]}).status_code == 201


def test_of_a_user_who_does_not_exist_there_are_no_tokens_to_see(site: Site) -> None:
    answer = site.root.get("/ghost/+tokens")
    assert answer.status_code == 404
    assert answer.json()["message"] == "There is no user ghost."


# In use


def test_the_token_in_use_is_shown_to_whoever_holds_it(site: Site, dev: httpx.Client) -> None:
    made = new_token(dev, "dev", allow=["upload"], indexes=["dev/stage"], note="CI")
    secret = made.pop("token")
    answer = site.bearer(secret).get("/dev/+tokens/current")
    assert (answer.status_code, answer.json()) == (200, {"type": "token", "result": made})
    assert secret not in answer.text


def test_without_a_token_there_is_none_in_use(site: Site, dev: httpx.Client) -> None:
    login = {"user": "dev", "password": password_of("dev")}
    secret = site.anonymous.post("/+login", json=login).json()["result"]["password"]
    assert dev.get("/dev/+tokens/current").status_code == 403
    assert site.bearer(secret).get("/root/+tokens/current").status_code == 403
    assert site.anonymous.get("/dev/+tokens/current").status_code == 401
    shown = site.bearer(secret).get("/dev/+tokens/current").json()["result"]
    assert (shown["kind"], shown["limits"], shown["note"]) == ("login", None, "login")


def test_the_last_use_is_shown_by_the_minute(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", make_wheel())
    unused, used = new_token(dev, "dev"), new_token(dev, "dev")
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    for _ in range(2):
        site.bearer(used["token"]).get("/dev/stage/simple/example/", headers={"Accept": HTML})
    assert site.server.token_uses.flush() == 1
    shown = {token["id"]: token["used"] for token in dev.get("/dev/+tokens").json()["result"]}
    assert shown[unused["id"]] is None
    assert before <= datetime.fromisoformat(shown[used["id"]]) <= datetime.now(UTC)
    assert datetime.fromisoformat(shown[used["id"]]).second == 0


def test_what_was_used_last_is_written_when_the_server_ends(site: Site, database_url: str) -> None:
    dev = site.new_user("dev")
    made = new_token(dev, "dev")
    site.bearer(made["token"]).get("/dev")
    site.server.close()
    reopened = SqlDatabase(database_url)
    with reopened.reading() as unit:
        [token] = unit.tokens.of_user("dev")
    reopened.close()
    assert token.used is not None


# Limited


@pytest.mark.parametrize(
    "limits",
    [
        {"allow": ["read"]},
        {"allow": ["read", "upload", "delete", "admin"]},
        {"indexes": ["dev/stage"]},
        {"projects": ["example"]},
    ],
)
def test_a_limited_token_makes_no_other_token(
    site: Site, dev: httpx.Client, limits: dict[str, Any]
) -> None:
    limited = site.bearer(new_token(dev, "dev", **limits)["token"])
    for wanted in ({}, limits):
        assert limited.post("/dev/+tokens", json=wanted).status_code == 403
    assert limited.get("/dev/+tokens").status_code == 403
    # It may end itself, as whoever holds it logs out.
    assert limited.delete("/dev/+tokens/current").status_code == 200
    assert limited.get("/dev").status_code == 401


def test_a_token_for_the_account_makes_narrower_ones_and_sets_no_password(
    site: Site, dev: httpx.Client
) -> None:
    account = site.bearer(new_token(dev, "dev", allow=["account", "read"])["token"])
    made = account.post("/dev/+tokens", json={"allow": ["read"], "expires_in": 60})
    assert made.status_code == 201
    with site.unchanged():
        refused = [
            account.post("/dev/+tokens", json={"expires_in": 60}),
            account.post("/dev/+tokens", json={"allow": ["upload"], "expires_in": 60}),
            account.post("/dev/+tokens", json={"allow": ["read"], "expires_in": 366 * DAY}),
            account.patch("/dev", json={"password": "another-password"}),
        ]
    assert [answer.status_code for answer in refused] == [403] * 4


def test_a_read_token_reads_and_does_nothing_else(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", make_wheel())
    reading = site.bearer(new_token(dev, "dev", allow=["read"])["token"])
    assert reading.get("/dev/stage/simple/example/", headers={"Accept": HTML}).status_code == 200
    with site.unchanged():
        refused = [
            send(reading, "dev/stage", make_wheel(version="2.0")),
            reading.patch("/dev/stage", json=["title=mine"]),
            reading.delete("/dev/stage/example"),
            reading.patch("/dev", json={"password": "another-password"}),
            reading.put("/dev/new", json={}),
        ]
    assert {answer.status_code for answer in refused} == {403}
    assert "limited to the action read" in refused[0].json()["message"]


def test_an_upload_token_uploads_and_does_nothing_else(site: Site, dev: httpx.Client) -> None:
    uploading = site.bearer(new_token(dev, "dev", allow=["upload"])["token"])
    assert send(uploading, "dev/stage", make_wheel()).status_code == 200
    with site.unchanged():
        refused = [
            uploading.get("/dev/stage/simple/example/", headers={"Accept": HTML}),
            uploading.get(file_url("dev/stage", "example", make_wheel())),
            uploading.delete("/dev/stage/example"),
            uploading.patch("/dev/stage/example/1.0", json={"yanked": True}),
            uploading.patch("/dev/stage", json=["title=mine"]),
            uploading.get("/dev"),
        ]
    assert [answer.status_code for answer in refused] == [403] * 6


def test_a_token_for_one_index_reaches_no_other(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/other")
    here = site.bearer(new_token(dev, "dev", indexes=["dev/stage"])["token"])
    assert send(here, "dev/stage", make_wheel()).status_code == 200
    with site.unchanged():
        answer = send(here, "dev/other", make_wheel())
    assert answer.status_code == 403
    assert "limited to dev/stage" in answer.json()["message"]
    assert here.get("/dev/other").status_code == 403
    # The mirror would be open, but whoever holds this token has no business there.
    assert here.get("/root/pypi").status_code == 403


def test_a_token_for_one_project_uploads_no_other(site: Site, dev: httpx.Client) -> None:
    limits = {"allow": ["upload"], "indexes": ["dev/stage"], "projects": ["Example"]}
    here = site.bearer(new_token(dev, "dev", **limits)["token"])
    assert send(here, "dev/stage", make_wheel()).status_code == 200
    with site.unchanged():
        answer = send(here, "dev/stage", make_wheel("other"))
    assert answer.status_code == 403
    assert "other" in answer.json()["message"]


def test_a_token_is_never_wider_than_its_user_is_now(site: Site, dev: httpx.Client) -> None:
    other = site.new_user("other")
    dev.patch("/dev/stage", json=["acl_upload+=other"])
    made = new_token(other, "other", allow=["upload"], indexes=["dev/stage"])
    client = site.bearer(made["token"])
    assert send(client, "dev/stage", make_wheel()).status_code == 200
    dev.patch("/dev/stage", json=["acl_upload-=other"])
    assert send(client, "dev/stage", make_wheel(version="2.0")).status_code == 403


def test_a_token_for_an_index_reads_what_that_inherits(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/stage", make_wheel())
    heir = site.bearer(new_token(dev, "dev", indexes=["dev/heir"])["token"])
    assert heir.get("/dev/heir/simple/example/", headers={"Accept": HTML}).status_code == 200
    assert heir.get("/dev/stage/simple/example/", headers={"Accept": HTML}).status_code == 403


def test_a_token_for_an_index_that_comes_again_is_of_no_use(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/kept")
    only = site.bearer(new_token(dev, "dev", indexes=["dev/stage"])["token"])
    both = site.bearer(new_token(dev, "dev", indexes=["dev/stage", "dev/kept"])["token"])
    assert both.get("/dev/stage").status_code == 200
    assert dev.delete("/dev/stage").status_code == 201
    new_index(dev, "dev/stage")
    assert only.get("/dev/stage").status_code == 401
    assert both.get("/dev/stage").status_code == 403
    assert both.get("/dev/kept").status_code == 200


# Ended


def test_a_token_ends_when_it_expires(
    clock: Callable[[], Any], site: Site, dev: httpx.Client
) -> None:
    client = site.bearer(new_token(dev, "dev", expires_in=60)["token"])
    assert client.get("/dev").status_code == 200
    clock.advance(59)
    assert client.get("/dev").status_code == 200
    clock.advance(2)
    assert client.get("/dev").status_code == 401
    assert dev.get("/dev/+tokens").json()["result"] == []


def test_a_revoked_token_ends_at_once(site: Site, dev: httpx.Client) -> None:
    token, kept = new_token(dev, "dev"), new_token(dev, "dev")
    client = site.bearer(token["token"])
    assert client.get("/dev").status_code == 200
    assert dev.delete(f"/dev/+tokens/{token['id']}").status_code == 200
    assert client.get("/dev").status_code == 401
    assert site.bearer(kept["token"]).get("/dev").status_code == 200
    assert dev.delete(f"/dev/+tokens/{token['id']}").status_code == 404


def test_a_token_can_end_itself(site: Site, dev: httpx.Client) -> None:
    client = site.bearer(new_token(dev, "dev")["token"])
    assert client.delete("/dev/+tokens/current").status_code == 200
    assert client.get("/dev").status_code == 401
    assert dev.delete("/dev/+tokens/current").status_code == 403


def test_nobody_ends_another_users_token_but_root(site: Site, dev: httpx.Client) -> None:
    token = new_token(dev, "dev")
    other = site.new_user("other")
    assert other.delete(f"/dev/+tokens/{token['id']}").status_code == 403
    assert other.delete(f"/other/+tokens/{token['id']}").status_code == 404
    assert site.bearer(token["token"]).get("/dev").status_code == 200
    assert site.root.delete(f"/dev/+tokens/{token['id']}").status_code == 200
    assert site.bearer(token["token"]).get("/dev").status_code == 401


# Login


def test_a_login_gives_a_token_in_devpis_shape(site: Site, dev: httpx.Client) -> None:
    answer = site.anonymous.post("/+login", json={"user": "dev", "password": password_of("dev")})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["type"], body["message"]) == ("proxyauth", "login successful")
    assert body["result"]["expiration"] == 36_000
    secret = body["result"]["password"]
    assert secret.isascii()
    assert site.client(**basic("dev", secret)).get("/dev/stage").status_code == 200


def test_the_setting_says_how_long_a_login_lasts(
    make_site: Callable[..., Site], clock: Callable[[], Any]
) -> None:
    site = make_site(login_seconds=60)
    answer = site.anonymous.post("/+login", json={"user": "root", "password": password_of("root")})
    assert answer.json()["result"]["expiration"] == 60
    client = site.bearer(answer.json()["result"]["password"])
    clock.advance(61)
    assert client.get("/root").status_code == 401


def test_a_token_does_not_log_in(site: Site, dev: httpx.Client) -> None:
    secret = new_token(dev, "dev")["token"]
    with site.unchanged():
        answer = site.anonymous.post("/+login", json={"user": "dev", "password": secret})
    assert answer.status_code == 401
    assert secret not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": "dev"},
        {"password": password_of("dev")},
        {"user": None, "password": password_of("dev")},
        {"user": "dev", "password": 1},
        {"user": ["dev"], "password": password_of("dev")},
    ],
)
def test_an_incomplete_login_is_a_bad_request(shared_site: Site, body: dict[str, Any]) -> None:
    answer = shared_site.anonymous.post("/+login", json=body)
    assert answer.status_code == 400
    assert "user" in answer.json()["message"]


@pytest.mark.parametrize("user", ["dev", "nobody", "not a name!", ""])
def test_a_failed_login_does_not_say_whether_the_user_exists(shared_site: Site, user: str) -> None:
    answers = [
        shared_site.anonymous.post("/+login", json={"user": name, "password": "wrong-password"})
        for name in (user, "dev")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    headers = [dict(answer.headers) for answer in answers]
    assert headers[0].pop("x-request-id") != headers[1].pop("x-request-id")
    assert headers[0] == headers[1]


# What a token for accounts cannot do, for it would outlive it or reach further


def test_a_limited_token_makes_no_user_with_a_password(site: Site) -> None:
    root = site.bearer(new_token(site.root, "root", allow=["account"])["token"])
    with site.unchanged():
        refused = root.put("/second", json={"password": f"second{MARK}"})
    assert refused.status_code == 403
    assert "limited" in refused.json()["message"]
    assert root.put("/second", json={"password": None}).status_code == 201


def test_a_limited_token_deletes_no_user_with_indexes(site: Site, dev: httpx.Client) -> None:
    secret = new_token(dev, "dev", allow=["account"])["token"]
    with site.unchanged():
        refused = site.bearer(secret).delete("/dev")
    assert refused.status_code == 403
    assert "indexes" in refused.json()["message"]
    assert dev.delete("/dev/stage").status_code == 201
    assert site.bearer(secret).delete("/dev").status_code == 200
