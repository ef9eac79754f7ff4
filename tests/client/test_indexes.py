import json

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply

OPTIONS = {"type": "stage", "bases": ["root/pypi"], "volatile": True, "acl_upload": ["dev", "ci"]}


def test_create_sends_options_and_prints_them_as_the_server_understood(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("PUT", "/dev/base", result_reply(OPTIONS, "indexconfig"))
    result = logged_in("index", "create", "dev/base", "bases=root/pypi", "title=a=b")
    assert result.status == 0
    assert stub.last("PUT", "/dev/base").json == {"bases": "root/pypi", "title": "a=b"}
    assert result.out.splitlines() == [
        "index: dev/base",
        "type: stage",
        "bases: root/pypi",
        "volatile: true",
        "acl_upload: dev,ci",
    ]


def test_create_takes_the_name_alone_for_an_index_of_ones_own(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("PUT", "/dev/base", result_reply(OPTIONS, "indexconfig"))
    value = json.loads(logged_in("index", "create", "base", "--json").out)
    assert value["index"] == "dev/base"
    assert value["bases"] == ["root/pypi"]


def test_create_refuses_what_is_not_an_option(logged_in: Stillroom, stub: StubServer) -> None:
    for text in ("bases", "bases+=root/pypi", "=x", "a=1"):
        arguments = ("a=0", text) if text == "a=1" else (text,)
        assert logged_in("index", "create", "base", *arguments).status == 2, text
    assert logged_in("index", "create", "a/b/c").status == 2
    assert stub.asked == []


def test_list_prints_the_indexes_of_all_users(logged_in: Stillroom, stub: StubServer) -> None:
    users = {
        "root": {"indexes": {"pypi": {"type": "mirror"}}},
        "dev": {"indexes": {"sandbox": {"type": "stage", "bases": ["dev/base"]}}},
        "ci": {},
    }
    stub.script("GET", "/", result_reply(users, "list:userconfig"))
    lines = logged_in("index", "list").out.splitlines()
    assert lines == [
        "INDEX        TYPE    BASES",
        "dev/sandbox  stage   dev/base",
        "root/pypi    mirror",
    ]


def test_list_of_none_says_so(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/ci", result_reply({"username": "ci"}, "userconfig"))
    listed = logged_in("index", "list", "ci")
    assert (listed.out, listed.err) == ("", "There are no indexes.\n")


def test_list_of_one_user(logged_in: Stillroom, stub: StubServer) -> None:
    user = {"username": "dev", "indexes": {"sandbox": {"type": "stage", "bases": []}}}
    stub.script("GET", "/dev", result_reply(user, "userconfig"))
    value = json.loads(logged_in("index", "list", "dev", "--json").out)
    assert value == {"dev/sandbox": {"type": "stage", "bases": []}}


def test_show_is_of_the_index_in_use_and_leaves_projects_out(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/dev/sandbox", result_reply(OPTIONS, "indexconfig"))
    assert "bases: root/pypi" in logged_in("index", "show").out
    assert "no_projects" in stub.last("GET", "/dev/sandbox").query


def test_show_of_another(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/root/pypi", result_reply(OPTIONS, "indexconfig"))
    assert json.loads(logged_in("index", "show", "root/pypi", "--json").out)["type"] == "stage"


def test_set_sends_the_operations_as_they_are(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("PATCH", "/dev/base", result_reply(OPTIONS, "indexconfig"))
    operations = ["bases=", "acl_upload+=ci", "acl_upload-=dev", "title-="]
    result = logged_in("index", "set", "dev/base", *operations)
    assert result.status == 0
    assert stub.last("PATCH", "/dev/base").json == operations
    assert "acl_upload: dev,ci" in result.out


@pytest.mark.parametrize("command", ["create", "set"])
def test_names_in_access_lists_that_nobody_has_are_told(
    logged_in: Stillroom, stub: StubServer, command: str
) -> None:
    stub.script("GET", "/", result_reply({"dev": {}, "ci": {}}, "list:userconfig"))
    stub.script("GET", "/+groups", result_reply({"release": {}}, "list:groupconfig"))
    for method in ("PUT", "PATCH"):
        stub.script(method, "/dev/base", result_reply(OPTIONS, "indexconfig"))
    lists = ("acl_upload=release, ci,:release", "acl_read=:ANONYMOUS:,:authenticated:,ghost")
    result = logged_in("index", command, "dev/base", *lists, "title=nobody")
    assert result.status == 0
    told = [line for line in result.err.splitlines() if line.startswith("There")]
    assert told == ["There is no user release; did you mean :release?", "There is no user ghost."]
    stub.asked.clear()
    assert logged_in("index", command, "dev/base", "acl_read=:ANONYMOUS:", "title=x").status == 0
    assert len(stub.asked) == 1


def test_names_that_are_taken_away_need_not_be_there(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/", result_reply({"dev": {}}, "list:userconfig"))
    stub.script("GET", "/+groups", result_reply({}, "list:groupconfig"))
    stub.script("PATCH", "/dev/base", result_reply(OPTIONS, "indexconfig"))
    operations = ["acl_read-=gone", "acl_upload+=ghost", "acl_admin="]
    told = logged_in("index", "set", "dev/base", *operations).err
    assert told == "There is no user ghost.\n"


def test_set_without_operations_is_wrong_usage(logged_in: Stillroom) -> None:
    assert logged_in("index", "set", "dev/base").status == 2
    assert logged_in("index", "set", "dev/base", "bases").status == 2


def test_faults_are_told_as_the_server_tells_them(logged_in: Stillroom, stub: StubServer) -> None:
    message = "bases: the index dev/gone does not exist; volatile: 'maybe' is neither"
    stub.script("PATCH", "/dev/base", message_reply(message, 400))
    result = logged_in("index", "set", "dev/base", "bases=dev/gone", "volatile=maybe")
    assert (result.status, result.err) == (1, f"error: {message}\n")


def test_delete_asks_unless_told_not_to(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/dev/base", message_reply("index deleted", 201))
    assert logged_in("index", "delete", "dev/base").status == 2
    assert "Nothing" in logged_in("index", "delete", "base", is_terminal=True, typed="\n").err
    assert stub.asked == []
    assert logged_in("index", "delete", "base", "--yes").status == 0
    assert stub.methods() == ["DELETE /dev/base"]


def test_what_a_server_sends_cannot_steer_the_terminal(
    logged_in: Stillroom, stub: StubServer
) -> None:
    options = {"title": "\x1b]0;owned\x07 \u202etxt"}
    stub.script("GET", "/dev/sandbox", result_reply(options, "indexconfig"))
    assert logged_in("index", "show").out.endswith("title: \ufffd]0;owned\ufffd \ufffdtxt\n")
