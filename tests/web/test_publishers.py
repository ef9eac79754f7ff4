"""Issuers and trusted publishers over HTTP: added, shown, removed."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.issuer import SUBJECT, Issuer
from support.site import (
    Site,
    faulty_fields,
    new_index,
    new_token,
)
from support.trusted import AUDIENCE, MINT, add_issuer, add_publisher, audience_of, refusal


@pytest.fixture
def make_site(make_site: Callable[..., Site]) -> Callable[..., Site]:
    """Who administers an index may add publishers, unless a test says otherwise."""
    return lambda **settings: make_site(**{"user_publishers": True, **settings})


# Issuers


def test_issuers_come_and_go_by_root(site: Site, dev: httpx.Client, issuer: Issuer) -> None:
    made = add_issuer(site, issuer)
    assert site.root.get("/+issuers").json()["result"] == [made]
    assert site.root.post("/+issuers", json={"url": issuer.url}).status_code == 409
    publisher = add_publisher(dev, issuer)
    with site.unchanged():
        held = site.root.delete(f"/+issuers/{made['id']}")
    assert held.status_code == 409
    assert f"jobs of {issuer.url} are still trusted by dev/stage; remove" in held.json()["message"]
    assert dev.delete(f"/dev/stage/+publishers/{publisher['id']}").status_code == 200
    assert site.root.delete(f"/+issuers/{made['id']}").status_code == 200
    assert site.root.delete(f"/+issuers/{made['id']}").status_code == 404
    assert site.root.get("/+issuers").json()["result"] == []


def test_an_old_token_is_not_used_again_after_its_issuer_was_removed_and_added(
    clock: Any, make_site: Callable[..., Site], issuer: Issuer
) -> None:
    site = make_site()
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    first = add_issuer(site, issuer)
    publisher = add_publisher(dev, issuer)
    token = {"token": issuer.token(aud=audience_of(site))}
    assert site.anonymous.post(MINT, json=token).status_code == 200
    assert dev.delete(f"/dev/stage/+publishers/{publisher['id']}").status_code == 200
    assert site.root.delete(f"/+issuers/{first['id']}").status_code == 200
    clock.advance(5)
    add_issuer(site, issuer)
    add_publisher(dev, issuer)
    answer = site.anonymous.post(MINT, json=token)
    assert refusal(answer) == "invalid-token"
    assert "iat" in answer.text


def test_who_holds_an_issuer_is_named_up_to_a_few(
    site: Site, dev: httpx.Client, issuer: Issuer
) -> None:
    made = add_issuer(site, issuer)
    body = {"issuer": issuer.url, "claims": {"sub": SUBJECT}}
    for number in range(7):
        new_index(dev, f"dev/i{number}")
        assert dev.post(f"/dev/i{number}/+publishers", json=body).status_code == 201
    assert dev.post("/dev/i0/+publishers", json=body).status_code == 201
    held = site.root.delete(f"/+issuers/{made['id']}").json()["message"]
    assert "trusted by dev/i0, dev/i1, dev/i2, dev/i3, dev/i4 and 2 more;" in held
    assert "publisher list --all" in held
    listed = site.root.get("/+publishers").json()
    assert listed["type"] == "list:publisher"
    places = sorted(each["index"] for each in listed["result"])
    assert places == ["dev/i0", *(f"dev/i{number}" for number in range(7))]


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": 1}, {"url": ""}, {"url": "issuer.example.com"},
        {"url": "ftp://issuer.example.com"}, {"url": "https://user:pw@issuer.example.com"},
        {"url": "https://issuer.example.com/?x"}, {"url": " https://issuer.example.com"},
        {"url": "https://issuer.example.com/" + "x" * 255}, {"url": "https://issuer.example.com/é"},
        {"url": "https://10.1.2.3"}, {"url": "https://[::ffff:10.1.2.3]"},
        {"url": "http://issuer.example.com"},
    ],
)  # fmt: skip
def test_an_issuer_has_a_safe_url(site: Site, body: dict[str, Any]) -> None:
    with site.unchanged():
        assert faulty_fields(site.root.post("/+issuers", json=body)) == {"url"}


def test_an_issuer_of_another_field_is_told_so(site: Site) -> None:
    body = {"url": "https://issuer.example.com", "keys": []}
    assert faulty_fields(site.root.post("/+issuers", json=body)) == {"keys"}


# Publishers


def test_publishers_are_shown_as_they_were_added(
    site: Site, dev: httpx.Client, issuer: Issuer
) -> None:
    add_issuer(site, issuer)
    made = add_publisher(
        dev,
        issuer,
        claims={"sub": "repo:team/*", "ref_protected": "true"},
        projects=["My.App"],
        allow=["upload", "read"],
        note="releases",
    )
    del made["created"], made["id"]
    assert made == {
        "issuer": issuer.url,
        "index": "dev/stage",
        "user": "dev",
        "claims": {"sub": "repo:team/*", "ref_protected": "true"},
        "projects": ["my-app"],
        "allow": ["read", "upload"],
        "note": "releases",
    }
    [listed] = dev.get("/dev/stage/+publishers").json()["result"]
    assert made.items() <= listed.items()
    assert dev.delete(f"/dev/stage/+publishers/{listed['id']}x").status_code == 404
    assert dev.delete(f"/dev/stage/+publishers/{listed['id']}").status_code == 200
    assert dev.get("/dev/stage/+publishers").json()["result"] == []


@pytest.mark.parametrize(
    ("changes", "faulty"),
    [
        ({"issuer": None}, {"issuer"}),
        ({"issuer": "https://unknown.example.com"}, {"issuer"}),
        ({"claims": None}, {"claims"}),
        ({"claims": {}}, {"claims"}),
        ({"claims": {"sub": "*"}}, {"claims"}),
        ({"claims": {"sub": "**", "ref": "*"}}, {"claims"}),
        ({"claims": {"sub": ""}}, {"claims"}),
        ({"claims": {"sub": 1}}, {"claims"}),
        ({"claims": {"": "x"}}, {"claims"}),
        ({"claims": {"sub": "x\n"}}, {"claims"}),
        ({"claims": {str(number): "x" for number in range(21)}}, {"claims"}),
        *(({"claims": {"sub": "x", name: "x"}}, {"claims"})
          for name in ("iss", "aud", "exp", "nbf", "iat", "jti")),
        ({"allow": []}, {"allow"}),
        ({"allow": ["admin"]}, {"allow"}),
        ({"allow": ["upload", "account"]}, {"allow"}),
        ({"allow": [["upload"]]}, {"allow"}),
        ({"allow": "upload"}, {"allow"}),
        ({"projects": []}, {"projects"}),
        ({"projects": ["-"]}, {"projects"}),
        ({"projects": "app"}, {"projects"}),
        ({"note": 1}, {"note"}),
        ({"user": "/"}, {"user"}),
        ({"surprise": 1}, {"surprise"}),
    ],
)  # fmt: skip
def test_every_fault_of_a_publisher_is_named(
    site: Site, dev: httpx.Client, issuer: Issuer, changes: dict[str, Any], faulty: set[str]
) -> None:
    add_issuer(site, issuer)
    body = {"issuer": issuer.url, "claims": {"sub": SUBJECT}, **changes}
    with site.unchanged():
        answer = dev.post("/dev/stage/+publishers", json=body)
    assert faulty_fields(answer) == faulty


def test_only_root_names_another_user(site: Site, dev: httpx.Client, issuer: Issuer) -> None:
    site.new_user("ci")
    add_issuer(site, issuer)
    body = {"issuer": issuer.url, "claims": {"sub": SUBJECT}, "user": "ci"}
    with site.unchanged():
        assert dev.post("/dev/stage/+publishers", json=body).status_code == 403
    assert dev.post("/dev/stage/+publishers", json={**body, "user": "dev"}).status_code == 201
    assert site.root.post("/dev/stage/+publishers", json=body).status_code == 201
    missing = site.root.post("/dev/stage/+publishers", json={**body, "user": "nobody"})
    assert missing.status_code == 404


def test_nobody_is_no_user_for_a_publisher(site: Site, dev: httpx.Client, issuer: Issuer) -> None:
    add_issuer(site, issuer)
    assert dev.patch("/dev/stage", json=["acl_admin=:ANONYMOUS:"]).status_code == 200
    body = {"issuer": issuer.url, "claims": {"sub": SUBJECT}}
    with site.unchanged():
        assert site.anonymous.post("/dev/stage/+publishers", json=body).status_code == 401


def test_a_publisher_goes_with_its_index_and_its_user(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    token = {"token": issuer.token(aud=audience_of(site))}
    assert trusted.delete("/dev/stage").status_code == 201
    assert site.anonymous.get(AUDIENCE).status_code == 404
    new_index(trusted, "dev/stage")
    assert refusal(site.anonymous.post(MINT, json=token)) == "not-enabled"


# Who may add one


def test_only_root_adds_publishers_unless_the_settings_say_otherwise(
    make_site: Callable[..., Site], issuer: Issuer
) -> None:
    site = make_site(user_publishers=False)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    add_issuer(site, issuer)
    body = {"issuer": issuer.url, "claims": {"sub": SUBJECT}}
    with site.unchanged():
        refused = dev.post("/dev/stage/+publishers", json=body)
    assert refused.status_code == 403
    assert "setting user_publishers" in refused.json()["message"]
    assert add_publisher(site.root, issuer, user="dev")["user"] == "dev"


def test_a_limited_token_adds_no_publisher_which_would_outlive_it(
    site: Site, dev: httpx.Client, issuer: Issuer
) -> None:
    add_issuer(site, issuer)
    limited = site.bearer(new_token(dev, "dev", indexes=["dev/stage"])["token"])
    body = {"issuer": issuer.url, "claims": {"sub": SUBJECT}}
    with site.unchanged():
        refused = limited.post("/dev/stage/+publishers", json=body)
    assert refused.status_code == 403
    assert "outlive" in refused.json()["message"]


def test_publishers_that_act_for_a_deleted_user_go_one_by_one(
    site: Site, dev: httpx.Client, issuer: Issuer
) -> None:
    site.new_user("bot")
    add_issuer(site, issuer)
    own = add_publisher(site.root, issuer, user="dev")
    made = add_publisher(site.root, issuer, user="bot", claims={"sub": "another job"})
    before = site.database.serial()
    assert site.root.delete("/bot").status_code == 200
    with site.database.reading() as unit:
        events = [entry.event for entry in unit.journal.since(before, 100)]
    assert [event.kind for event in events] == ["publisher-removed", "user-deleted"]
    removed = events[0]
    assert (removed.actor, removed.user, str(removed.index)) == ("root", "bot", "dev/stage")
    assert removed.details["id"] == made["id"]
    left = dev.get("/dev/stage/+publishers").json()["result"]
    assert [publisher["id"] for publisher in left] == [own["id"]]
