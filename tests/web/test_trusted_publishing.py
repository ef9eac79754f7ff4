"""Trusted publishing over HTTP: issuers, publishers, and identity tokens for tokens."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from stillroom_server.domain.identity_tokens import MAX_TOKEN
from stillroom_server.services import tokens
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from stillroom_server.web.errors import NOT_OURS
from support.distributions import make_wheel
from support.issuer import SUBJECT, Issuer, SigningKey, unsigned
from support.site import (
    BASE_URL,
    Site,
    basic,
    filenames,
    new_index,
    new_site,
    new_token,
    password_of,
    send,
    upload,
)
from support.trusted import (
    AUDIENCE,
    BURN,
    MINT,
    add_issuer,
    add_publisher,
    audience_of,
    job,
    mint,
    refusal,
    try_mint,
)


@pytest.fixture
def make_site(make_site: Callable[..., Site]) -> Callable[..., Site]:
    """Who administers an index may add publishers, unless a test says otherwise."""
    return lambda **settings: make_site(**{"user_publishers": True, **settings})


WHEEL = make_wheel("app", "1.0")
OTHER_WHEEL = make_wheel("other", "1.0")


# Before anything is set up


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
def test_without_a_publisher_there_is_no_audience_for_anybody(site: Site, accept: str) -> None:
    wrong = site.client(**basic("root", "wrong-password"))
    for client in (site.anonymous, wrong, site.root):
        answer = client.get(AUDIENCE, headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/json"
        assert [error["code"] for error in answer.json()["errors"]] == ["refused"]
        assert "WWW-Authenticate" not in answer.headers


def test_without_a_publisher_nothing_is_minted_and_nobody_asked(
    site: Site, issuer: Issuer
) -> None:
    add_issuer(site, issuer)
    answer = site.anonymous.post(MINT, json={"token": issuer.token(aud="anything")})
    assert refusal(answer) == "not-enabled"
    assert issuer.requests == []


@pytest.mark.parametrize("path", [AUDIENCE, MINT, BURN])
def test_other_methods_find_nothing(site: Site, path: str) -> None:
    assert path.startswith(NOT_OURS)
    for method in ("PUT", "PATCH", "DELETE", "POST" if path == AUDIENCE else "GET"):
        answer = site.anonymous.request(method, path)
        assert answer.status_code == 404
        assert "WWW-Authenticate" not in answer.headers


# The exchange


def test_a_job_publishes_and_nothing_else(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    new_index(trusted, "dev/elsewhere")
    uploader = job(site, mint(site, issuer))
    assert send(uploader, "dev/stage", WHEEL).status_code == 200
    assert filenames(trusted, "dev/stage", "app") == [WHEEL.filename]
    assert send(uploader, "dev/stage", OTHER_WHEEL).status_code == 403
    assert send(uploader, "dev/elsewhere", WHEEL).status_code == 403
    assert uploader.get("/dev/stage/simple/app/").status_code == 403
    assert uploader.delete("/dev/stage/app/1.0").status_code == 403
    assert uploader.post("/dev/+tokens", json={}).status_code == 403
    assert uploader.post("/dev/stage/+publishers", json={}).status_code == 403


def test_a_job_installs_where_it_is_trusted_to_read(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    upload(trusted, "dev/stage", WHEEL, OTHER_WHEEL)
    add_publisher(trusted, issuer, claims={"ref": "refs/pull/*"}, allow=["read"])
    reader = job(site, mint(site, issuer, sub="a pull request", ref="refs/pull/7/merge"))
    assert filenames(reader, "dev/stage", "other") == [OTHER_WHEEL.filename]
    assert send(reader, "dev/stage", make_wheel("app", "2.0")).status_code == 403


def test_a_minted_token_is_good_for_fifteen_minutes(
    clock: Any, make_site: Callable[..., Site], issuer: Issuer
) -> None:
    site = make_site()
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    add_issuer(site, issuer)
    add_publisher(dev, issuer)
    answer = try_mint(site, issuer)
    body = answer.json()
    assert body["success"] is True
    assert set(body) == {"success", "token", "expires"}
    assert 890 < body["expires"] - clock().timestamp() <= 900
    uploader = job(site, body["token"])
    clock.advance(890)
    assert send(uploader, "dev/stage", WHEEL).status_code == 200
    clock.advance(15)
    assert send(uploader, "dev/stage", make_wheel("app", "2.0")).status_code == 401


def test_the_rights_of_the_user_are_asked_at_each_request(
    site: Site, dev: httpx.Client, issuer: Issuer
) -> None:
    ci = site.new_user("ci")
    assert dev.patch("/dev/stage", json=["acl_upload+=ci"]).status_code == 200
    add_issuer(site, issuer)
    made = add_publisher(site.root, issuer, user="ci")
    assert made["user"] == "ci"
    uploader = job(site, mint(site, issuer))
    assert send(uploader, "dev/stage", WHEEL).status_code == 200
    assert dev.patch("/dev/stage", json=["acl_upload-=ci"]).status_code == 200
    assert send(uploader, "dev/stage", make_wheel("app", "2.0")).status_code == 403
    ci.close()


def test_publishers_that_match_together_give_one_token_with_both_grants(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    new_index(trusted, "dev/release")
    second = add_publisher(trusted, issuer, "dev/release", claims={"sub": "repo:team/*"})
    uploader = job(site, mint(site, issuer))
    assert send(uploader, "dev/stage", WHEEL).status_code == 200
    assert send(uploader, "dev/release", OTHER_WHEEL).status_code == 200
    assert send(uploader, "dev/stage", OTHER_WHEEL).status_code == 403
    # Either of them takes the whole token along.
    answer = trusted.delete(f"/dev/release/+publishers/{second['id']}")
    assert answer.status_code == 200, answer.text
    assert send(uploader, "dev/stage", make_wheel("app", "2.0")).status_code == 401


def test_publishers_of_several_users_that_match_together_are_refused(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    other = site.new_user("other")
    new_index(other, "other/stage")
    add_publisher(other, issuer, "other/stage")
    answer = try_mint(site, issuer)
    assert refusal(answer) == "invalid-publisher"
    assert "several users" in answer.text
    for name in ("dev", "other"):
        assert f'"{name}' not in answer.text


def test_a_publisher_that_is_removed_meanwhile_gets_no_token(
    site: Site, trusted: httpx.Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [publisher] = trusted.get("/dev/stage/+publishers").json()["result"]
    add_publisher(trusted, issuer, claims={"sub": "another job"})
    writing = site.database.writing

    def late() -> Any:
        monkeypatch.setattr(site.database, "writing", writing)
        answer = trusted.delete(f"/dev/stage/+publishers/{publisher['id']}")
        assert answer.status_code == 200
        return writing()

    monkeypatch.setattr(site.database, "writing", late)
    assert refusal(try_mint(site, issuer)) == "invalid-publisher"
    assert trusted.get("/dev/+tokens").json()["result"] == []


def test_a_publisher_that_is_removed_ends_its_tokens_one_by_one(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    secrets = [mint(site, issuer) for _ in range(2)]
    [publisher] = trusted.get("/dev/stage/+publishers").json()["result"]
    before = site.database.serial()
    assert trusted.delete(f"/dev/stage/+publishers/{publisher['id']}").status_code == 200
    with site.database.reading() as unit:
        events = [entry.event for entry in unit.journal.since(before, 100)]
    assert [event.kind for event in events] == ["publisher-removed", *["token-revoked"] * 2]
    assert {(event.user, str(event.index)) for event in events} == {("dev", "dev/stage")}
    assert all(job(site, secret).get("/dev/stage").status_code == 401 for secret in secrets)


def test_without_room_for_a_token_the_identity_token_is_not_used_up(
    site: Site, trusted: httpx.Client, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    first = mint(site, issuer)
    token = {"token": issuer.token(aud=audience_of(site))}
    with site.unchanged():
        full = site.anonymous.post(MINT, json=token)
    assert refusal(full) == "try-again"
    assert "dev has 1 tokens of the kind trusted" in full.text
    site.anonymous.post(BURN, json={"token": first})
    assert site.anonymous.post(MINT, json=token).status_code == 200
    assert refusal(site.anonymous.post(MINT, json=token)) == "invalid-reuse-token"


# Burning


def test_a_burnt_token_is_of_no_use_and_burning_again_does_no_harm(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    secret = mint(site, issuer)
    uploader = job(site, secret)
    assert send(uploader, "dev/stage", WHEEL).status_code == 200
    first = site.anonymous.post(BURN, json={"token": secret})
    assert first.status_code == 202
    assert send(uploader, "dev/stage", make_wheel("app", "2.0")).status_code == 401
    with site.unchanged():
        again = site.anonymous.post(BURN, json={"token": secret})
        never = site.anonymous.post(BURN, json={"token": "stillroom_never"})
    for answer in (again, never):
        assert (answer.status_code, answer.content) == (202, first.content)


def test_only_minted_tokens_burn(site: Site, trusted: httpx.Client) -> None:
    made = new_token(trusted, "dev")
    login = site.anonymous.post("/+login", json={"user": "dev", "password": password_of("dev")})
    for secret in (made["token"], login.json()["result"]["password"]):
        with site.unchanged():
            assert site.anonymous.post(BURN, json={"token": secret}).status_code == 202
        assert site.bearer(secret).get("/dev/stage").status_code == 200


# Refused


@pytest.mark.parametrize("path", [MINT, BURN])
@pytest.mark.parametrize(
    "body",
    [b"", b"token=x", b"[]", b"{}", b'{"token": 1}', b'{"token": null}', b'{"token": "a\\u0000"}',
     b'{"token": "' + b"x" * 2**20 + b'"}'],
)  # fmt: skip
def test_a_body_that_holds_no_token_is_told_so(
    site: Site, trusted: httpx.Client, path: str, body: bytes
) -> None:
    with site.unchanged():
        assert refusal(site.anonymous.post(path, content=body)) == "invalid-payload"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "..", "x" * (MAX_TOKEN + 1)])
def test_what_is_no_jwt_is_no_token(site: Site, trusted: httpx.Client, token: str) -> None:
    with site.unchanged():
        answer = site.anonymous.post(MINT, json={"token": token})
    assert refusal(answer) == "invalid-token"


def test_a_token_is_exchanged_once(site: Site, trusted: httpx.Client, issuer: Issuer) -> None:
    token = {"token": issuer.token(aud=audience_of(site))}
    assert site.anonymous.post(MINT, json=token).status_code == 200
    with site.unchanged():
        assert refusal(site.anonymous.post(MINT, json=token)) == "invalid-reuse-token"


@pytest.mark.parametrize("named", [True, False], ids=["by its jti", "by what is signed"])
def test_a_token_is_exchanged_once_by_two_processes_at_the_same_time(
    site: Site,
    trusted: httpx.Client,
    issuer: Issuer,
    database: SqlDatabase,
    blob_store: DiskBlobStore,
    *,
    named: bool,
) -> None:
    changes = {} if named else {"jti": None}
    token = {"token": issuer.token(aud=audience_of(site), **changes)}
    start = threading.Barrier(8)

    def exchange(client: httpx.Client) -> httpx.Response:
        start.wait(10)
        return client.post(MINT, json=token)

    with new_site(database, blob_store) as second, ThreadPoolExecutor(8) as pool:
        clients = [place.client() for place in (site, second) for _ in range(4)]
        answers = list(pool.map(exchange, clients))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7
    codes = {refusal(answer) for answer in answers if answer.status_code == 422}
    assert codes == {"invalid-reuse-token"}


def test_what_a_publisher_does_not_match_is_told_with_what_was_sent(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    with site.unchanged():
        answer = try_mint(site, issuer, sub="repo:elsewhere/app")
    assert refusal(answer) == "invalid-publisher"
    assert "repo:elsewhere/app" in answer.text
    assert issuer.url in answer.text
    for secret in ("dev", SUBJECT):
        assert secret not in answer.text


def test_a_token_for_another_server_is_refused(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    for audience in ("elsewhere", [audience_of(site), "elsewhere"], None, []):
        with site.unchanged():
            assert refusal(try_mint(site, issuer, aud=audience)) == "invalid-token"
    assert try_mint(site, issuer, aud=[audience_of(site)]).status_code == 200


def test_an_issuer_that_nobody_named_is_never_asked(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    with Issuer() as stranger:
        token = stranger.token(aud=audience_of(site))
        assert refusal(site.anonymous.post(MINT, json={"token": token})) == "invalid-publisher"
        # Nor is the URL of the one that is known, spelled in another way.
        for iss in (f"{issuer.url}/", issuer.url.upper(), stranger.url, "\u0130", "a\nb", 7, None):
            answer = try_mint(site, issuer, iss=iss)
            assert refusal(answer) in {"invalid-publisher", "invalid-token"}
        assert stranger.requests == []
    assert issuer.requests == []


def test_an_unsigned_token_is_refused(site: Site, trusted: httpx.Client, issuer: Issuer) -> None:
    token = unsigned(issuer.claims(aud=audience_of(site)))
    assert refusal(site.anonymous.post(MINT, json={"token": token})) == "invalid-token"


def test_an_issuer_without_an_answer_is_trouble_and_worth_another_try(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    issuer.stop()
    with site.unchanged():
        answer = try_mint(site, issuer)
    assert answer.status_code == 502
    assert int(answer.headers["Retry-After"]) > 0
    [error] = answer.json()["errors"]
    assert error["code"] == "try-again"
    assert "refused" not in answer.text


def test_the_audience_is_that_of_the_database_unless_it_is_set(
    trusted: httpx.Client,
    site: Site,
    issuer: Issuer,
    make_site: Callable[..., Site],
) -> None:
    audience = audience_of(site)
    assert audience.startswith("stillroom-")
    assert audience_of(make_site()) == audience
    configured = make_site(oidc_audience="packages.example.com")
    assert audience_of(configured) == "packages.example.com"
    assert refusal(try_mint(configured, issuer, aud=audience)) == "invalid-token"
    assert try_mint(configured, issuer).status_code == 200


def test_with_a_path_prefix_it_is_all_at_the_root_of_the_host(
    trusted: httpx.Client, issuer: Issuer, make_site: Callable[..., Site]
) -> None:
    prefixed = make_site(outside_url=f"{BASE_URL}/team")
    audience = prefixed.anonymous.get(AUDIENCE).json()["audience"]
    assert prefixed.anonymous.get("/team" + AUDIENCE).json()["audience"] == audience
    uploader = job(prefixed, mint(prefixed, issuer))
    assert send(uploader, "team/dev/stage", WHEEL).status_code == 200


# What is recorded


def test_the_audit_tells_the_job_from_all_others(
    site: Site, trusted: httpx.Client, issuer: Issuer
) -> None:
    secret = mint(site, issuer)
    [publisher] = trusted.get("/dev/stage/+publishers").json()["result"]
    [token] = trusted.get("/dev/+tokens").json()["result"]
    assert token["kind"] == "trusted"
    assert token["publisher"] == publisher["id"]
    assert SUBJECT in token["note"]
    site.anonymous.post(BURN, json={"token": secret})
    with site.database.reading() as unit:
        entries = [entry.event for entry in unit.journal.since(0, 1000)]
    minted, burnt = entries[-2:]
    assert minted.kind == "token-created"
    assert (minted.actor, minted.user) == ("dev", "dev")
    assert minted.address == "127.0.0.1"
    assert minted.details["id"] == token["id"]
    assert minted.details["publisher"] == publisher["id"]
    assert (minted.details["issuer"], minted.details["sub"]) == (issuer.url, SUBJECT)
    assert (burnt.kind, burnt.token) == ("token-revoked", token["id"])
    assert secret not in repr(entries)


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA"])
def test_keys_of_other_kinds_do_as_well(
    site: Site, dev: httpx.Client, issuer: Issuer, algorithm: str
) -> None:
    issuer.keys = [SigningKey(algorithm)]
    add_issuer(site, issuer)
    add_publisher(dev, issuer)
    assert try_mint(site, issuer).status_code == 200
