import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply
from support.stub_stillroom import PASSWORD, TOKEN, bearer


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answer the prompts for passwords in turn; the prompts are collected."""

    def script(*answers: str) -> list[str]:
        prompts: list[str] = []
        left = list(answers)

        def prompted(prompt: str, stream: object = None) -> str:
            prompts.append(prompt)
            return left.pop(0)

        monkeypatch.setattr("stillroom_client.session.getpass", prompted)
        return prompts

    return script


def test_login_exchanges_the_password_for_a_token_that_later_requests_carry(
    stillroom: Stillroom, stub: StubServer
) -> None:
    stillroom("use", stub.url)
    login = stillroom("login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    assert login.status == 0
    asked = stub.last("POST", "/+login")
    assert asked.json == {"user": "dev", "password": PASSWORD}
    assert asked.headers["user-agent"].startswith("stillroom-client/")
    whoami = stillroom("whoami")
    assert (whoami.status, whoami.out) == (0, "dev\n")
    assert bearer(stub.last("GET", "/+api")) == TOKEN


def test_without_a_keyring_the_token_is_in_a_file_that_only_its_owner_reads(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    path = tmp_path / "client" / "credentials.json"
    assert json.loads(path.read_text()) == {stub.url: {"dev": TOKEN}}
    assert mode(path) == 0o600
    assert mode(tmp_path / "client" / "client.json") == 0o600


def test_the_folder_of_the_client_is_made_for_its_owner_alone(
    stillroom: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    result = stillroom("use", stub.url, environ={"STILLROOM_CLIENT_DIR": str(folder)})
    assert result.status == 0
    assert mode(folder) == 0o700


def test_a_wrong_password_is_refused_in_the_servers_words(
    stillroom: Stillroom, stub: StubServer
) -> None:
    stillroom("use", stub.url)
    login = stillroom("login", "dev", "--password-stdin", typed="wrong\n")
    assert login.status == 1
    assert login.err == "error: user or password is wrong\n"
    assert stillroom("whoami").status == 1


def test_login_without_a_terminal_names_the_flag(stillroom: Stillroom, stub: StubServer) -> None:
    stillroom("use", stub.url)
    login = stillroom("login", "dev")
    assert login.status == 2
    assert "--password-stdin" in login.err


def test_login_on_a_terminal_asks(
    stillroom: Stillroom, stub: StubServer, typing: Callable[..., list[str]]
) -> None:
    stillroom("use", stub.url)
    prompts = typing(PASSWORD)
    login = stillroom("login", "dev", is_terminal=True)
    assert login.status == 0
    assert prompts == ["Password of dev: "]


def test_an_empty_password_is_wrong_usage(stillroom: Stillroom, stub: StubServer) -> None:
    stillroom("use", stub.url)
    assert stillroom("login", "dev", "--password-stdin", typed="").status == 2


def test_login_needs_a_server(stillroom: Stillroom) -> None:
    login = stillroom("login", "dev", "--password-stdin", typed="x\n")
    assert login.status == 1
    assert "stillroom use URL" in login.err


def test_logout_revokes_the_token_and_forgets_it(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    stub.script("DELETE", "/dev/+tokens/current", message_reply("revoked"))
    logout = logged_in("logout")
    assert logout.status == 0
    assert bearer(stub.last("DELETE", "/dev/+tokens/current")) == TOKEN
    assert TOKEN not in (tmp_path / "client" / "credentials.json").read_text()
    whoami = logged_in("whoami")
    assert whoami.status == 1
    assert "stillroom login" in whoami.err


def test_logout_forgets_the_token_also_where_the_server_is_gone(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    stub.script("DELETE", "/dev/+tokens/current", message_reply("the disk is full", 507))
    logout = logged_in("logout")
    assert logout.status == 0
    assert "still good until it expires" in logout.err
    assert TOKEN not in (tmp_path / "client" / "credentials.json").read_text()


def test_logout_twice_is_no_error(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/dev/+tokens/current", message_reply("revoked"))
    logged_in("logout")
    assert logged_in("logout").status == 0


@pytest.mark.parametrize("words", [["whoami"], ["token", "list"]])
def test_a_login_that_ended_is_not_told_as_none(
    logged_in: Stillroom, stub: StubServer, words: list[str]
) -> None:
    nobody = {"login": f"{stub.url}/+login", "authstatus": ["noauth", "", []]}
    stub.script("GET", "/+api", result_reply(nobody, "apiconfig"))
    stored = logged_in(*words)
    assert (stored.status, stored.err) == (
        1,
        "error: the server does not take the token; log in again: stillroom login dev\n",
    )
    given = logged_in(*words, environ={"STILLROOM_TOKEN": "revoked"})
    assert given.status == 1
    hint = "STILLROOM_TOKEN may be wrong, expired or revoked"
    assert given.err == f"error: the server does not take the token; {hint}\n"


@pytest.mark.parametrize("words", [["access"], ["publisher", "list"], ["index", "show"]])
def test_a_command_without_index_option_does_not_advise_it(
    stillroom: Stillroom, stub: StubServer, words: list[str]
) -> None:
    assert stillroom("use", stub.url).status == 0
    result = stillroom(*words)
    assert result.status == 1
    assert "--index" not in result.err
    assert result.err.endswith("or name one: USER/INDEX\n")
    assert "or --index" in stillroom("owner", "list").err


def test_whoami_tells_programs_more(logged_in: Stillroom, stub: StubServer) -> None:
    value = json.loads(logged_in("whoami", "--json").out)
    assert value == {"server": stub.url, "user": "dev", "groups": [":team"], "token": None}


def test_an_expired_login_says_how_to_log_in_again(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/", message_reply("the token has expired", 401))
    result = logged_in("user", "list")
    assert result.status == 1
    assert result.err == "error: the token has expired; log in again: stillroom login dev\n"


def test_a_token_in_the_environment_needs_no_login(
    stillroom: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    environ = {"STILLROOM_URL": f"{stub.url}/dev/sandbox", "STILLROOM_TOKEN": TOKEN}
    whoami = stillroom("whoami", environ=environ)
    assert (whoami.status, whoami.out) == (0, "dev\n")
    assert list((tmp_path / "client").iterdir()) == []


def test_a_token_in_the_environment_that_is_refused_is_named(
    stillroom: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/", message_reply("the token is not known", 401))
    environ = {"STILLROOM_URL": stub.url, "STILLROOM_TOKEN": "wrong"}
    result = stillroom("user", "list", environ=environ)
    assert result.status == 1
    assert "STILLROOM_TOKEN" in result.err
    assert "wrong, expired" in result.err


def test_logout_does_not_end_a_token_that_it_does_not_keep(
    logged_in: Stillroom, stub: StubServer
) -> None:
    logout = logged_in("logout", environ={"STILLROOM_TOKEN": "from-outside"})
    assert logout.status == 1
    assert "unset" in logout.err
    assert stub.asked == []


def test_a_token_is_not_shown_to_another_server(logged_in: Stillroom) -> None:
    with StubServer() as stranger:
        logged_in("use", stranger.url)
        assert [bearer(asked) for asked in stranger.asked] == [None]


def test_a_damaged_file_of_tokens_is_named(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    path = tmp_path / "client" / "credentials.json"
    path.write_text("{")
    result = logged_in("whoami")
    assert result.status == 1
    assert str(path) in result.err
