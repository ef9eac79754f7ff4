"""`issuer`, `publisher` and `token mint`, against a server by script and a CI on loopback."""

import json
from collections.abc import Iterator

import pytest

from support.command_line import Stillroom
from support.issuer import JOB_SECRET, JOB_TOKEN, Issuer
from support.stub_server import Asked, Reply, StubServer, json_reply, message_reply, result_reply
from support.stub_stillroom import offer_root

SECRET = "stillroom_" + "m" * 43
AUDIENCE, MINT = "/_/oidc/audience", "/_/oidc/mint-token"
URL = "https://ci.example.com"
ISSUER = {"id": 7, "url": URL, "created": "2026-11-20T17:31:58Z"}
PUBLISHER = {
    "id": "3f2a9c01d7b4",
    "issuer": URL,
    "index": "dev/sandbox",
    "user": "dev",
    "claims": {"sub": "repo:team/app", "ref": "main"},
    "projects": ["app"],
    "allow": ["upload"],
    "note": "",
    "created": "2026-11-20T17:31:58Z",
}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def trusting(stub: StubServer) -> StubServer:
    """The server that exchanges identity tokens."""
    stub.script("GET", AUDIENCE, json_reply({"audience": "stillroom-here"}))
    minted = {"success": True, "token": SECRET, "expires": 1_767_323_045}
    stub.script("POST", MINT, json_reply(minted))
    return stub


# Issuers


def test_an_issuer_is_added_to_the_letter(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("POST", "/+issuers", result_reply(ISSUER, "issuer", 201))
    result = logged_in("issuer", "add", f"{URL}/", "--json")
    assert json.loads(result.out) == ISSUER
    assert stub.last("POST", "/+issuers").json == {"url": f"{URL}/"}


def test_issuers_are_listed(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+issuers", result_reply([ISSUER], "list:issuer"))
    assert logged_in("issuer", "list").out == f"{URL}\n"
    assert json.loads(logged_in("issuer", "list", "--json").out) == [ISSUER]
    stub.script("GET", "/+issuers", result_reply([], "list:issuer"))
    assert logged_in("issuer", "list").err == "There are no issuers.\n"


def test_an_issuer_is_removed_by_its_url(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+issuers", result_reply([ISSUER], "list:issuer"))
    stub.script("DELETE", "/+issuers/7", message_reply("removed"))
    other = logged_in("issuer", "remove", f"{URL}/")
    assert other.status == 1
    assert "issuer list" in other.err
    assert logged_in("issuer", "remove", URL).status == 0
    assert stub.methods()[-1] == "DELETE /+issuers/7"


# Publishers


def test_a_publisher_is_added_with_what_is_said_of_it(
    logged_in: Stillroom, stub: StubServer
) -> None:
    path = "/dev/sandbox/+publishers"
    stub.script("POST", path, result_reply(PUBLISHER, "publisher", 201))
    result = logged_in(
        *("publisher", "add", "sandbox", "--issuer", URL, "--claim", "sub=repo:team/app=x"),
        *("--claim", "ref=main", "--project", "app", "--allow", "upload", "--allow", "read"),
        *("--user", "ci", "--note", "releases"),
    )
    assert result.status == 0, result.err
    assert result.out == "3f2a9c01d7b4\n"
    assert stub.last("POST", path).json == {
        "issuer": URL,
        "claims": {"sub": "repo:team/app=x", "ref": "main"},
        "projects": ["app"],
        "allow": ["upload", "read"],
        "user": "ci",
        "note": "releases",
    }


def test_what_is_not_said_of_a_publisher_is_for_the_server(
    logged_in: Stillroom, stub: StubServer
) -> None:
    path = "/dev/sandbox/+publishers"
    stub.script("POST", path, result_reply(PUBLISHER, "publisher", 201))
    result = logged_in(
        "publisher", "add", "dev/sandbox", "--issuer", URL, "--claim", "sub=x", "--json"
    )
    assert json.loads(result.out) == PUBLISHER
    assert stub.last("POST", path).json == {"issuer": URL, "claims": {"sub": "x"}}


@pytest.mark.parametrize("claims", [["sub"], ["=x"], ["sub=x", "sub=y"]])
def test_claims_are_names_with_patterns(
    logged_in: Stillroom, stub: StubServer, claims: list[str]
) -> None:
    options = [part for claim in claims for part in ("--claim", claim)]
    result = logged_in("publisher", "add", "sandbox", "--issuer", URL, *options)
    assert result.status == 2
    assert "claim" in result.err or "NAME=PATTERN" in result.err
    assert stub.asked == []


def test_publishers_are_listed_and_removed(logged_in: Stillroom, stub: StubServer) -> None:
    path = "/dev/sandbox/+publishers"
    everything = {**PUBLISHER, "id": "aa", "projects": None, "allow": ["read", "upload"]}
    stub.script("GET", path, result_reply([PUBLISHER, everything], "list:publisher"))
    stub.script("DELETE", f"{path}/aa", message_reply("removed"))
    lines = logged_in("publisher", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "3f2a9c01d7b4", "aa"]
    assert "upload app" in lines[1]
    assert "ref=main sub=repo:team/app" in lines[1]
    assert json.loads(logged_in("publisher", "list", "--json").out) == [PUBLISHER, everything]
    assert logged_in("publisher", "remove", "sandbox", "aa").status == 0
    assert stub.methods()[-1] == f"DELETE {path}/aa"


def test_publishers_of_all_indexes(logged_in: Stillroom, stub: StubServer) -> None:
    elsewhere = {**PUBLISHER, "id": "aa", "index": "dev/release"}
    stub.script("GET", "/+publishers", result_reply([PUBLISHER, elsewhere], "list:publisher"))
    lines = logged_in("publisher", "list", "--all").out.splitlines()
    places = [line.split()[1] for line in lines]
    assert places == ["INDEX", "dev/sandbox", "dev/release"]
    assert logged_in("publisher", "list", "dev/release", "--all").status == 2
    stub.script("GET", "/+publishers", result_reply([], "list:publisher"))
    assert logged_in("publisher", "list", "--all").err == "No index trusts anybody.\n"
    stub.script("GET", "/dev/sandbox/+publishers", result_reply([], "list:publisher"))
    assert logged_in("publisher", "list").err == "dev/sandbox trusts nobody.\n"


def test_a_publisher_that_may_less_than_it_is_allowed_is_told(
    logged_in: Stillroom, stub: StubServer
) -> None:
    made = {**PUBLISHER, "user": "ci", "allow": ["delete", "upload"]}
    stub.script("POST", "/dev/sandbox/+publishers", result_reply(made, "publisher", 201))
    no, yes = {"allowed": False, "reason": "ci is not in the list"}, {"allowed": True}
    rights = {"read": no, "upload": no, "delete": yes, "admin": no}
    stub.script("GET", "/dev/sandbox/+access", result_reply({"rights": rights}, "access"))
    added = logged_in("publisher", "add", "sandbox", "--issuer", URL, "--claim", "sub=x")
    assert (added.status, added.out) == (0, "3f2a9c01d7b4\n")
    assert stub.last("GET", "/dev/sandbox/+access").query == {"user": "ci"}
    [told] = added.err.splitlines()[1:]
    assert told == (
        "As long as ci has no right to upload in dev/sandbox, neither has the publisher: ci is "
        "not in the list."
    )


# A job


def test_a_job_on_github_asks_for_its_identity_and_gets_a_token(
    stillroom: Stillroom, trusting: StubServer, issuer: Issuer
) -> None:
    environ = {"STILLROOM_URL": trusting.url, **issuer.job_environment()}
    result = stillroom("token", "mint", environ=environ)
    assert result.status == 0, result.err
    assert result.out == f"{SECRET}\n"
    [asked] = issuer.requests
    assert asked.path == f"{JOB_TOKEN}?api-version=2&audience=stillroom-here"
    sent = trusting.last("POST", MINT)
    assert sent.json["token"].count(".") == 2
    assert "authorization" not in sent.headers


def test_a_job_elsewhere_has_its_identity_in_a_variable(
    stillroom: Stillroom, trusting: StubServer
) -> None:
    environ = {"STILLROOM_URL": trusting.url, "JOB_ID_TOKEN": "a.b.c\n"}
    result = stillroom("token", "mint", "--from-env", "JOB_ID_TOKEN", "--json", environ=environ)
    assert json.loads(result.out) == {"token": SECRET, "expires": 1_767_323_045}
    assert trusting.last("POST", MINT).json == {"token": "a.b.c"}


def test_the_exchange_is_at_the_root_of_the_host(
    stillroom: Stillroom, trusting: StubServer
) -> None:
    offer_root(trusting, "/team")
    environ = {"STILLROOM_URL": f"{trusting.url}/team", "JOB_ID_TOKEN": "a.b.c"}
    result = stillroom("token", "mint", "--from-env", "JOB_ID_TOKEN", environ=environ)
    assert result.out == f"{SECRET}\n", result.err


@pytest.mark.parametrize("arguments", [[], ["--from-env", "JOB_ID_TOKEN"]])
def test_what_is_no_job_is_told_what_it_lacks(
    stillroom: Stillroom, trusting: StubServer, arguments: list[str]
) -> None:
    result = stillroom("token", "mint", *arguments, environ={"STILLROOM_URL": trusting.url})
    assert result.status == 2
    assert ("JOB_ID_TOKEN" if arguments else "--from-env") in result.err


def test_a_server_that_trusts_nobody_says_so(
    stillroom: Stillroom, stub: StubServer, issuer: Issuer
) -> None:
    stub.script("GET", AUDIENCE, message_reply("There is nothing at this address.", 404))
    environ = {"STILLROOM_URL": stub.url, **issuer.job_environment()}
    result = stillroom("token", "mint", environ=environ)
    assert result.status == 1
    assert "publisher add" in result.err
    assert issuer.requests == []


def test_a_refusal_is_the_servers_sentence(
    stillroom: Stillroom, trusting: StubServer, issuer: Issuer
) -> None:
    trusting.script("POST", MINT, message_reply("No trusted publisher matches.", 422))
    environ = {"STILLROOM_URL": trusting.url, **issuer.job_environment()}
    result = stillroom("token", "mint", environ=environ)
    assert (result.status, result.out) == (1, "")
    assert result.err == "error: No trusted publisher matches.\n"


@pytest.mark.parametrize("body", [{}, {"token": SECRET}, {"token": 7, "expires": 7}])
def test_an_answer_without_a_token_is_none(
    stillroom: Stillroom, trusting: StubServer, issuer: Issuer, body: dict[str, object]
) -> None:
    trusting.script("POST", MINT, json_reply(body))
    environ = {"STILLROOM_URL": trusting.url, **issuer.job_environment()}
    assert stillroom("token", "mint", environ=environ).status == 1


@pytest.mark.parametrize(
    "answer", [Reply(403, b"no"), Reply(200, b"<html>"), json_reply({}), json_reply({"value": 7})]
)
def test_a_ci_that_gives_no_identity_is_named_without_its_secret(
    stillroom: Stillroom, trusting: StubServer, answer: Reply
) -> None:
    def refuse(asked: Asked) -> Reply:
        assert asked.headers["authorization"] == f"Bearer {JOB_SECRET}"
        return answer

    trusting.script("GET", "/ci", refuse)
    environ = {
        "STILLROOM_URL": trusting.url,
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{trusting.url}/ci",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_SECRET,
    }
    result = stillroom("--debug", "token", "mint", environ=environ)
    assert (result.status, result.out) == (1, "")
    assert trusting.url in result.err
    assert JOB_SECRET not in result.err


def test_secrets_of_a_job_are_never_said(
    stillroom: Stillroom, trusting: StubServer, issuer: Issuer
) -> None:
    environ = {"STILLROOM_URL": trusting.url, **issuer.job_environment()}
    result = stillroom("--debug", "token", "mint", environ=environ)
    assert result.status == 0, result.err
    identity = trusting.last("POST", MINT).json["token"]
    for secret in (JOB_SECRET, identity, SECRET):
        assert secret not in result.err
