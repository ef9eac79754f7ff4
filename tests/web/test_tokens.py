"""Tokens: made, listed, limited, ended; and how a login gives one."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from support.distributions import make_wheel
from support.site import (
    HTML,
    Site,
    basic,
    faulty_fields,
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
        json={"scope": "read", "indexes": ["dev/stage"], "expires_in": 3600, "note": "for CI"},
    )
    assert answer.status_code == 201
    made = answer.json()["result"]
    secret = made.pop("token")
    listed = dev.get("/dev/+tokens")
    assert listed.json() == {"type": "list:token", "result": [made]}
    assert secret not in listed.text
    assert (made["scope"], made["indexes"], made["note"]) == ("read", ["dev/stage"], "for CI")


def test_a_token_is_good_for_everything_and_ninety_days_unless_said(
    dev: httpx.Client, clock: Callable[[], Any]
) -> None:
    made = new_token(dev, "dev")
    assert (made["scope"], made["indexes"], made["note"]) == ("all", None, "")
    assert 89 * DAY < seconds_left(clock, made) <= 90 * DAY


@pytest.mark.parametrize(
    ("body", "faulty"),
    [
        ({"scope": "write"}, {"scope"}),
        ({"scope": ["all"]}, {"scope"}),
        ({"scope": None}, {"scope"}),
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
        ({"scope": "x", "expires_in": "x", "note": 1, "indexes": 1, "y": 1},
         {"scope", "expires_in", "note", "indexes", "y"}),
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


# Limited


@pytest.mark.parametrize(
    "limits", [{"scope": "read"}, {"indexes": ["dev/stage"]}, {"scope": "read", "indexes": None}]
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


def test_a_read_token_reads_and_does_nothing_else(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", make_wheel())
    reading = site.bearer(new_token(dev, "dev", scope="read")["token"])
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
    assert "this token may only read" in refused[0].json()["message"]


def test_a_token_for_one_index_reaches_no_other(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/other")
    here = site.bearer(new_token(dev, "dev", indexes=["dev/stage"])["token"])
    assert send(here, "dev/stage", make_wheel()).status_code == 200
    with site.unchanged():
        answer = send(here, "dev/other", make_wheel())
    assert answer.status_code == 403
    assert answer.json()["message"] == "Not allowed: this token does not cover dev/other."
    assert here.get("/dev/other").status_code == 403
    # The mirror would be open, but whoever holds this token has no business there.
    assert here.get("/root/pypi").status_code == 403


def test_a_token_for_an_index_reads_what_that_inherits(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/stage", make_wheel())
    heir = site.bearer(new_token(dev, "dev", indexes=["dev/heir"])["token"])
    assert heir.get("/dev/heir/simple/example/", headers={"Accept": HTML}).status_code == 200
    assert heir.get("/dev/stage/simple/example/", headers={"Accept": HTML}).status_code == 403


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
        {"password": "dev-password"},
        {"user": None, "password": "dev-password"},
        {"user": "dev", "password": 1},
        {"user": ["dev"], "password": "dev-password"},
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
    assert answers[0].headers == answers[1].headers
