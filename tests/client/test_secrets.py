"""No password and no token ever appears where a person, a log or a debugger would see it."""

import json
from pathlib import Path

import pytest

from stillroom_client.addresses import login_in, masked, with_login, without_login
from stillroom_client.connection import Login
from stillroom_client.platform import Platform
from stillroom_client.secret import Secret
from stillroom_client.server import NewToken
from stillroom_client.session import Session
from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply
from support.stub_stillroom import PASSWORD, TOKEN

READER = "secret-reader"


def test_a_secret_does_not_print_itself() -> None:
    secret = Secret("hunter2")
    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        repr([secret]),
        repr(NewToken(secret, 1)),
    ):
        assert "hunter2" not in text
    assert "hunter2" not in repr(vars(Session)) + repr(Login.bearer(secret).header)
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")


def test_the_platform_does_not_print_the_environment(platform: Platform) -> None:
    assert "STILLROOM" not in repr(platform)


def test_a_url_shows_no_password() -> None:
    url = with_login("http://localhost:3141/dev/sandbox/simple/", "dev@team", Secret("a/b:c@d"))
    assert masked(url) == "http://dev%40team:****@localhost:3141/dev/sandbox/simple/"
    assert login_in(url) == ("dev@team", Secret("a/b:c@d"))
    assert without_login(url) == "http://localhost:3141/dev/sandbox/simple/"
    assert masked("http://dev@localhost/") == "http://dev@localhost/"
    assert masked("http://localhost/") == "http://localhost/"


def test_no_command_prints_a_secret_even_with_debug(
    stillroom: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    new = {"password": "secret-next", "expiration": 36_000}
    stub.script("PATCH", "/dev", result_reply(new, "userpassword"))
    stub.script("PUT", "/ci", result_reply({"username": "ci"}, "userconfig", 201))
    stub.script("POST", "/dev/+tokens", result_reply({"id": "t", "token": READER}, "token", 201))
    stub.script("DELETE", "/dev/+tokens/current", message_reply("no such token", 404))
    typed = f"{PASSWORD}\n"
    runs = [
        stillroom("--debug", *arguments, typed=typed)
        for arguments in (
            ["use", stub.url],
            ["login", "dev", "--password-stdin"],
            ["whoami"],
            ["use", "dev/sandbox", "--pip", "--uv", "--json"],
            ["user", "create", "ci", "--password-stdin"],
            ["list"],
            ["user", "set", "dev", "--password-stdin"],
            ["use", "--json"],
            ["logout"],
        )
    ]
    said = "".join(run.out + run.err for run in runs)
    assert "debug: POST" in said
    for secret in (PASSWORD, TOKEN, READER, "secret-next"):
        assert secret not in said
    assert READER in (tmp_path / "home" / ".config" / "pip" / "pip.conf").read_text()


def test_a_bug_does_not_print_a_secret(
    logged_in: Stillroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_connection: object, *arguments: object, **options: object) -> None:
        raise RuntimeError(f"{arguments} {options}")

    monkeypatch.setattr("stillroom_client.connection.Connection.send", broken)
    result = logged_in("--debug", "whoami")
    assert result.status == 1
    assert "RuntimeError" in result.err
    assert TOKEN not in result.err


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x7f", "é"])
def test_a_token_that_cannot_be_sent_is_not_printed(
    stillroom: Stillroom, stub: StubServer, character: str
) -> None:
    environ = {"STILLROOM_URL": stub.url, "STILLROOM_TOKEN": f"hunter2{character}hunter2"}
    result = stillroom("--debug", "whoami", environ=environ)
    assert result.status == 1
    assert "characters that no token has" in result.err
    assert "hunter2" not in result.err


def test_white_space_around_the_environments_token_does_not_matter(
    stillroom: Stillroom, stub: StubServer
) -> None:
    environ = {"STILLROOM_URL": stub.url, "STILLROOM_TOKEN": f" {TOKEN}\n"}
    assert stillroom("whoami", environ=environ).out == "dev\n"


def test_the_environments_token_is_not_printed(stillroom: Stillroom, stub: StubServer) -> None:
    environ = {"STILLROOM_URL": f"{stub.url}/dev/sandbox", "STILLROOM_TOKEN": TOKEN}
    result = stillroom("--debug", "use", "--json", environ=environ)
    assert json.loads(result.out)["user"] is None
    assert TOKEN not in result.out + result.err
