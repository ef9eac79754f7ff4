import json
from pathlib import Path

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply
from support.stub_stillroom import TOKEN


def script_user(stub: StubServer, name: str, **fields: object) -> None:
    stub.script("GET", f"/{name}", result_reply({"username": name, **fields}, "userconfig"))


def test_create_sends_fields_and_password(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("PUT", "/ci", result_reply({"username": "ci"}, "userconfig", 201))
    result = logged_in(
        "user", "create", "ci", "email=ci@example.com", "--password-stdin", typed="hunter2\n"
    )
    assert result.status == 0
    assert (result.out, result.err) == ("", "Created the user ci.\n")
    expected = {"email": "ci@example.com", "password": "hunter2"}
    assert stub.last("PUT", "/ci").json == expected


def test_what_was_created_or_set_is_told_to_programs(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("PUT", "/ci", result_reply({"username": "ci"}, "userconfig", 201))
    stub.script("PATCH", "/ci", message_reply("user updated"))
    script_user(stub, "ci", title="Builder")
    made = logged_in("user", "create", "ci", "--no-password", "--json")
    assert json.loads(made.out) == {"username": "ci"}
    changed = logged_in("user", "set", "ci", "title=Builder", "--json")
    assert json.loads(changed.out) == {"username": "ci", "title": "Builder"}
    stub.script("PATCH", "/dev", message_reply("user updated"))
    own = logged_in("user", "set", "dev", "--password-stdin", "--json", typed="hunter2\n")
    assert (own.status, json.loads(own.out)) == (0, {})


def test_create_asks_twice_on_a_terminal(
    logged_in: Stillroom, stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.script("PUT", "/ci", result_reply({"username": "ci"}, "userconfig", 201))
    answers = iter(["hunter2", "hunter2", "hunter2", "hunter3"])
    monkeypatch.setattr("stillroom_client.session.getpass", lambda *_, **__: next(answers))
    assert logged_in("user", "create", "ci", is_terminal=True).status == 0
    different = logged_in("user", "create", "ci", is_terminal=True)
    assert different.status == 2
    assert "not the same" in different.err
    assert stub.methods().count("PUT /ci") == 1


def test_create_without_a_password_sends_none_and_asks_nobody(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("PUT", "/ci", result_reply({"username": "ci"}, "userconfig", 201))
    result = logged_in("user", "create", "ci", "email=ci@example.com", "--no-password")
    assert (result.status, result.err) == (0, "Created the user ci.\n")
    assert stub.last("PUT", "/ci").json == {"email": "ci@example.com", "password": None}


def test_create_takes_a_password_or_none(logged_in: Stillroom, stub: StubServer) -> None:
    result = logged_in(
        "user", "create", "ci", "--no-password", "--password-stdin", typed="hunter2\n"
    )
    assert result.status == 2
    assert "either --password-stdin or --no-password" in result.err
    assert stub.asked == []


def test_create_without_a_terminal_names_the_flag(logged_in: Stillroom) -> None:
    result = logged_in("user", "create", "ci")
    assert result.status == 2
    assert "--password-stdin" in result.err


def test_a_password_is_not_taken_from_the_command_line(
    logged_in: Stillroom, stub: StubServer
) -> None:
    result = logged_in("user", "create", "ci", "password=hunter2")
    assert result.status == 2
    assert "hunter2" not in result.err
    assert stub.asked == []


def test_a_name_with_odd_characters_is_escaped(logged_in: Stillroom, stub: StubServer) -> None:
    logged_in("user", "show", "a?b#c")
    assert stub.methods() == ["GET /a?b#c"]
    assert stub.asked[0].query == {}


def test_list_prints_names_in_order(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/", result_reply({"root": {}, "dev": {}}, "list:userconfig"))
    assert logged_in("user", "list").out == "dev\nroot\n"
    assert json.loads(logged_in("user", "list", "--json").out) == ["dev", "root"]


def test_show_prints_fields_and_the_names_of_indexes(
    logged_in: Stillroom, stub: StubServer
) -> None:
    script_user(stub, "ci", email="ci@example.com", indexes={"b": {}, "a": {}})
    shown = logged_in("user", "show", "ci")
    assert shown.out == "username: ci\nemail: ci@example.com\nindexes: a,b\n"
    had = {"groups": ["release", "team"], "has_password": False, "tokens": 3}
    script_user(stub, "ci", created="2026-03-01T12:30:15.348420Z", **had)
    assert logged_in("user", "show", "ci").out.splitlines() == [
        "username: ci",
        "created: 2026-03-01 12:30 UTC",
        "groups: release,team",
        "has_password: false",
        "tokens: 3",
        "indexes: ",
    ]


def test_show_without_a_name_shows_oneself(logged_in: Stillroom, stub: StubServer) -> None:
    script_user(stub, "dev")
    assert json.loads(logged_in("user", "show", "--json").out)["username"] == "dev"


def test_set_changes_only_what_is_named(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("PATCH", "/ci", message_reply("user updated"))
    assert logged_in("user", "set", "ci", "title=Builder", "email=").status == 0
    assert stub.last("PATCH", "/ci").json == {"title": "Builder", "email": ""}


def test_set_without_a_change_is_wrong_usage(logged_in: Stillroom, stub: StubServer) -> None:
    assert logged_in("user", "set", "ci").status == 2
    assert stub.asked == []


def test_a_new_password_of_ones_own_brings_a_new_token(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    token = {"password": "fresh-token", "expiration": 36_000}
    stub.script("PATCH", "/dev", result_reply(token, "userpassword"))
    result = logged_in("user", "set", "dev", "--password-stdin", typed="hunter2\n")
    assert result.status == 0
    stored = (tmp_path / "client" / "credentials.json").read_text()
    assert "fresh-token" in stored
    assert TOKEN not in stored


def test_a_new_password_without_a_new_token_asks_for_a_login(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    stub.script("PATCH", "/dev", message_reply("user updated"))
    result = logged_in("user", "set", "dev", "--password-stdin", typed="hunter2\n")
    assert result.status == 0
    assert "stillroom login dev" in result.err
    assert TOKEN not in (tmp_path / "client" / "credentials.json").read_text()


def test_a_new_password_of_another_user_changes_nothing_here(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("PATCH", "/ci", message_reply("user updated"))
    logged_in("user", "set", "ci", "--password-stdin", typed="hunter2\n")
    assert logged_in("whoami").out == "dev\n"


def test_a_password_is_taken_away_after_a_question(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("PATCH", "/ci", message_reply("user updated"))
    words = ("user", "set", "ci", "--no-password")
    assert logged_in(*words).status == 2
    kept = logged_in(*words, is_terminal=True, typed="n\n")
    assert "Nothing was changed." in kept.err
    assert stub.asked == []
    assert "all of its logins and tokens" in kept.err
    assert logged_in(*words, is_terminal=True, typed="y\n").status == 0
    assert stub.last("PATCH", "/ci").json == {"password": None}
    taken = logged_in(*words, "title=Builder", "--yes")
    assert (taken.status, taken.err) == (0, "Changed the user ci.\n")
    assert stub.last("PATCH", "/ci").json == {"title": "Builder", "password": None}
    assert logged_in("whoami").out == "dev\n"


@pytest.mark.parametrize("other", ["--password", "--password-stdin"])
def test_a_password_is_set_or_taken_away(
    logged_in: Stillroom, stub: StubServer, other: str
) -> None:
    assert logged_in("user", "set", "ci", "--no-password", "--yes", other).status == 2
    assert stub.asked == []


def test_who_takes_their_own_password_away_is_logged_out(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    stub.script("PATCH", "/dev", message_reply("user updated"))
    result = logged_in("user", "set", "dev", "--no-password", "--yes")
    assert "You are logged out, and dev has no password to log in with.\n" in result.err
    assert TOKEN not in (tmp_path / "client" / "credentials.json").read_text()


def test_delete_asks_on_a_terminal(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/ci", message_reply("user deleted"))
    for typed in ("n\n", "\n", ""):
        kept = logged_in("user", "delete", "ci", is_terminal=True, typed=typed)
        assert kept.status == 0
        assert "Nothing was deleted" in kept.err
    assert stub.asked == []
    deleted = logged_in("user", "delete", "ci", is_terminal=True, typed="y\n")
    assert deleted.status == 0
    assert stub.methods() == ["DELETE /ci"]
    assert deleted.out == ""


def test_delete_without_a_terminal_needs_yes(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/ci", message_reply("user deleted"))
    refused = logged_in("user", "delete", "ci")
    assert refused.status == 2
    assert "--yes" in refused.err
    assert logged_in("user", "delete", "ci", "--yes").status == 0


def test_a_refusal_is_the_servers_sentence(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/root", message_reply("the user root cannot be deleted", 403))
    result = logged_in("user", "delete", "root", "-y")
    assert result.status == 1
    assert result.err == "error: the user root cannot be deleted\n"


def test_a_refusal_to_nobody_says_that_a_login_may_help(
    stillroom: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/", message_reply("log in to see the users", 403))
    stillroom("use", stub.url)
    result = stillroom("user", "list")
    assert result.status == 1
    assert result.err.endswith("; log in: stillroom login USER\n")
