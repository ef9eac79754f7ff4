import json
from typing import Any

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply
from support.stub_stillroom import bearer

SECRET = "stillroom_" + "s" * 43
UPLOADING = {
    "id": "e52ced8bb501",
    "kind": "made",
    "limits": [{"allow": ["upload"], "indexes": ["dev/release"], "projects": ["demo"]}],
    "created": "2026-11-20T17:31:58.348420Z",
    "expires": "2026-12-20T17:31:58.348420Z",
    "used": None,
    "note": "CI",
    "publisher": None,
}
LOGIN = {
    **UPLOADING,
    "id": "f1",
    "kind": "login",
    "limits": None,
    "used": "2026-11-20T18:00:00Z",
    "note": "",
}


@pytest.fixture
def tokens(stub: StubServer) -> StubServer:
    """The server with two tokens of dev's, where another one can be made."""
    stub.script("GET", "/dev/+tokens", result_reply([LOGIN, UPLOADING], "list:token"))
    stub.script("GET", "/dev/+tokens/current", result_reply(LOGIN, "token"))
    stub.script("POST", "/dev/+tokens", result_reply({**UPLOADING, "token": SECRET}, "token", 201))
    for token_id in ("current", "f1", "e52ced8bb501"):
        stub.script("DELETE", f"/dev/+tokens/{token_id}", message_reply("revoked"))
    return stub


def wanted(stub: StubServer) -> Any:
    return stub.last("POST", "/dev/+tokens").json


def test_the_secret_alone_is_printed_and_the_rest_is_told(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    made = logged_in("token", "create")
    assert made.status == 0, made.err
    assert made.out == f"{SECRET}\n"
    assert SECRET not in made.err
    assert "Made the token e52ced8bb501, which may upload demo in dev/release.\n" in made.err
    assert "It ends on 2026-12-20 17:31 UTC.\n" in made.err
    for name in ("shown this once", "TWINE_PASSWORD", "UV_PUBLISH_TOKEN", "STILLROOM_TOKEN"):
        assert name in made.err


def test_as_json_it_is_all_that_the_server_says(logged_in: Stillroom, tokens: StubServer) -> None:
    made = logged_in("token", "create", "--json")
    assert json.loads(made.out) == {**UPLOADING, "token": SECRET}
    assert SECRET not in made.err


def test_without_options_everything_is_left_to_the_server(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    logged_in("token", "create")
    assert wanted(tokens) == {}


def test_every_option_is_sent(logged_in: Stillroom, tokens: StubServer) -> None:
    places = ("--index", "dev/release", "--index", "sandbox")
    projects = ("--project", "My.Project", "--project", "demo")
    allow = ("--allow", "upload", "--allow", "read")
    made = logged_in(
        "token", "create", *places, *projects, *allow, "--expires", "30d", "--note", "CI"
    )
    assert made.status == 0, made.err
    assert wanted(tokens) == {
        "indexes": ["dev/release", "dev/sandbox"],
        "projects": ["my-project", "demo"],
        "allow": ["upload", "read"],
        "expires_in": 30 * 86_400,
        "note": "CI",
    }


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90m", 5_400), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("1D", 86_400)],
)
def test_a_duration_is_sent_in_seconds(
    logged_in: Stillroom, tokens: StubServer, typed: str, seconds: int
) -> None:
    logged_in("token", "create", "--expires", typed)
    assert wanted(tokens) == {"expires_in": seconds}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--expires", "30"),
        ("--expires", "d"),
        ("--expires", "0d"),
        ("--expires", "-1d"),
        ("--expires", "1.5d"),
        ("--expires", "1y"),
        ("--expires", "367d"),
        ("--expires", "53w"),
        ("--expires", "٣d"),
        ("--allow", "everything"),
        ("--index", "a/b/c"),
        ("--project", "not a project!"),
        ("--project", "demo==1.0"),
    ],
)
def test_what_makes_no_sense_is_not_sent(
    logged_in: Stillroom, tokens: StubServer, arguments: tuple[str, ...]
) -> None:
    made = logged_in("token", "create", *arguments)
    assert made.status == 2
    assert "POST /dev/+tokens" not in tokens.methods()


def test_a_refusal_is_the_servers_sentence(logged_in: Stillroom, tokens: StubServer) -> None:
    tokens.script("POST", "/dev/+tokens", message_reply("expires_in: use less", 400))
    made = logged_in("token", "create")
    assert (made.status, made.out, made.err) == (1, "", "error: expires_in: use less\n")


def test_an_answer_without_a_secret_is_no_success(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    tokens.script("POST", "/dev/+tokens", result_reply(UPLOADING, "token", 201))
    made = logged_in("token", "create")
    assert (made.status, made.out) == (1, "")


def test_list_shows_what_one_decides_by(logged_in: Stillroom, tokens: StubServer) -> None:
    listed = logged_in("token", "list")
    heads, login, made = [" ".join(line.split()) for line in listed.out.splitlines()]
    assert heads == "ID KIND ENDS LAST USED MAY NOTE"
    assert login == ("f1 login 2026-12-20 17:31 UTC 2026-11-20 18:00 UTC do all that its user may")
    assert made == ("e52ced8bb501 made 2026-12-20 17:31 UTC never upload demo in dev/release CI")
    assert json.loads(logged_in("token", "list", "--json").out) == [LOGIN, UPLOADING]


def test_a_list_of_none_is_empty(logged_in: Stillroom, tokens: StubServer) -> None:
    tokens.script("GET", "/dev/+tokens", result_reply([], "list:token"))
    listed = logged_in("token", "list")
    assert (listed.out, listed.err) == ("", "dev has no tokens.\n")
    assert json.loads(logged_in("token", "list", "--json").out) == []


def test_the_tokens_of_another_user_can_be_asked_for(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    tokens.script("GET", "/ci/+tokens", result_reply([UPLOADING], "list:token"))
    tokens.script("DELETE", "/ci/+tokens/t9", message_reply("revoked"))
    assert "e52ced8bb501" in logged_in("token", "list", "--user", "ci").out
    assert logged_in("token", "revoke", "t9", "--user", "ci").status == 0
    assert "DELETE /ci/+tokens/t9" in tokens.methods()


def test_revoke_ends_each_of_them(logged_in: Stillroom, tokens: StubServer) -> None:
    revoked = logged_in("token", "revoke", "f1", "e52ced8bb501")
    assert revoked.status == 0
    assert revoked.err == "Revoked the token f1.\nRevoked the token e52ced8bb501.\n"


def test_what_was_revoked_is_told_to_programs(logged_in: Stillroom, tokens: StubServer) -> None:
    tokens.script("DELETE", "/dev/+tokens/t0", message_reply("dev has no token 't0'.", 404))
    revoked = logged_in("token", "revoke", "t0", "f1", "--json")
    assert (revoked.status, json.loads(revoked.out)) == (1, ["f1"])


def test_a_token_that_lives_too_long_is_refused_in_the_words_of_the_command(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    made = logged_in("token", "create", "--expires", "500d")
    assert made.status == 2
    assert made.err == "error: --expires 500d is too long: a token is good for 366d at most\n"
    assert logged_in("token", "create", "--expires", "366d").status == 0
    assert wanted(tokens) == {"expires_in": 366 * 86_400}


def test_one_that_is_not_there_does_not_save_the_others(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    tokens.script("DELETE", "/dev/+tokens/t0", message_reply("dev has no token 't0'.", 404))
    revoked = logged_in("token", "revoke", "t0", "f1")
    assert revoked.status == 1
    assert revoked.err == (
        "Not revoked: dev has no token 't0'.\n"
        "Revoked the token f1.\n"
        "error: 1 of 2 tokens were not revoked\n"
    )


@pytest.mark.parametrize("token_id", ["..", ".", ""])
def test_an_id_is_never_the_path_of_something_else(
    logged_in: Stillroom, tokens: StubServer, token_id: str
) -> None:
    revoked = logged_in("token", "revoke", token_id)
    assert revoked.status == 2
    assert not any(method.startswith("DELETE") for method in tokens.methods())


def test_show_tells_about_the_token_in_use(logged_in: Stillroom, tokens: StubServer) -> None:
    shown = logged_in("token", "show")
    assert shown.out == (
        "token: f1 (login)\n"
        "may: do all that its user may\n"
        "ends: 2026-12-20 17:31 UTC\n"
        "last used: 2026-11-20 18:00 UTC\n"
    )
    assert json.loads(logged_in("token", "show", "--json").out) == LOGIN


def test_show_tells_all_of_a_trusted_token(logged_in: Stillroom, tokens: StubServer) -> None:
    grants = [
        {"allow": ["read", "upload"], "indexes": ["dev/a", "dev/b"], "projects": None},
        {"allow": ["read"], "indexes": None, "projects": None},
    ]
    trusted = {**UPLOADING, "kind": "trusted", "limits": grants, "publisher": "p1"}
    tokens.script("GET", "/dev/+tokens/current", result_reply(trusted, "token"))
    assert logged_in("token", "show").out == (
        "token: e52ced8bb501 (trusted)\n"
        "may: read/upload in dev/a, dev/b; read in all indexes\n"
        "ends: 2026-12-20 17:31 UTC\n"
        "last used: never\n"
        "note: CI\n"
        "publisher: p1\n"
    )


def test_whoami_tells_about_the_token_and_prints_the_name_alone(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    whoami = logged_in("whoami")
    assert whoami.out == "dev\n"
    assert "token: f1 (login)\n" in whoami.err
    assert "ends: 2026-12-20 17:31 UTC\n" in whoami.err
    assert json.loads(logged_in("whoami", "--json").out)["token"] == LOGIN


def test_a_server_that_does_not_know_the_token_in_use_still_knows_the_user(
    logged_in: Stillroom, stub: StubServer
) -> None:
    whoami = logged_in("whoami")
    assert (whoami.status, whoami.out, whoami.err) == (0, "dev\n", "")


def test_tokens_are_made_with_the_token_of_the_environment(
    logged_in: Stillroom, tokens: StubServer
) -> None:
    environ = {"STILLROOM_TOKEN": "secret-token-of-dev"}
    assert logged_in("token", "create", environ=environ).status == 0
    assert bearer(tokens.last("POST", "/dev/+tokens")) == "secret-token-of-dev"
