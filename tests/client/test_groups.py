import json

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply

GROUP = {
    "name": "release",
    "description": "who publishes",
    "members": ["ana", "bob"],
    "created": "2026-03-01T12:30:15Z",
}
SHOWN = (
    "name: release\ndescription: who publishes\nmembers: ana,bob\ncreated: 2026-03-01 12:30 UTC\n"
)


@pytest.fixture
def release(stub: StubServer) -> None:
    """Whatever is asked of the group, it is as it was."""
    for method in ("GET", "PATCH"):
        stub.script(method, "/+groups/release", result_reply(GROUP, "groupconfig"))
    stub.script("PUT", "/+groups/release", result_reply(GROUP, "groupconfig", 201))
    stub.script("DELETE", "/+groups/release", message_reply("group release deleted"))


@pytest.mark.usefixtures("release")
def test_create_sends_what_was_given(logged_in: Stillroom, stub: StubServer) -> None:
    result = logged_in("group", "create", "release")
    assert (result.status, result.out) == (0, "")
    assert ":release" in result.err
    assert stub.last("PUT", "/+groups/release").json == {}
    logged_in("group", "create", "release", "ana", "bob", "--description", "who publishes")
    assert stub.last("PUT", "/+groups/release").json == {
        "members": ["ana", "bob"],
        "description": "who publishes",
    }
    assert json.loads(logged_in("group", "create", "release", "--json").out) == GROUP


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(
    "words",
    [("create",), ("show",), ("add", "ana"), ("remove", "ana"), ("set", "members="),
     ("delete", "--yes")],
)  # fmt: skip
def test_a_group_may_be_written_as_in_access_lists(
    logged_in: Stillroom, stub: StubServer, words: tuple[str, ...]
) -> None:
    command, *more = words
    result = logged_in("group", command, ":release", *more)
    assert result.status == 0, result.err
    assert "::" not in result.err
    assert {asked.path for asked in stub.asked} == {"/+groups/release"}


def test_list_prints_groups_in_order_with_their_members(
    logged_in: Stillroom, stub: StubServer
) -> None:
    groups = {"team": {"members": []}, "release": GROUP, "x": {"members": ["ci"]}}
    stub.script("GET", "/+groups", result_reply(groups, "list:groupconfig"))
    assert logged_in("group", "list").out.splitlines() == [
        "GROUP    USERS  MEMBERS  DESCRIPTION",
        "release  2      ana,bob  who publishes",
        "team     0",
        "x        1      ci",
    ]
    assert json.loads(logged_in("group", "list", "--json").out) == groups


def test_list_prints_nothing_where_there_are_none(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+groups", result_reply({}, "list:groupconfig"))
    listed = logged_in("group", "list")
    assert (listed.out, listed.err) == ("", "There are no groups.\n")
    assert logged_in("group", "list", "--json").out == "{}\n"


@pytest.mark.usefixtures("release")
def test_show_prints_a_group(logged_in: Stillroom, stub: StubServer) -> None:
    assert logged_in("group", "show", "release").out == SHOWN
    assert json.loads(logged_in("group", "show", "release", "--json").out) == GROUP
    stub.script("GET", "/+groups/a", result_reply({**GROUP, "description": None}, "groupconfig"))
    assert "description" not in logged_in("group", "show", "a").out


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (("add", "release", "ana", "bob"), ["members+=ana,bob"]),
        (("remove", "release", "bob"), ["members-=bob"]),
        (("set", "release", "description=a=b", "members=ana"),
         {"description": "a=b", "members": "ana"}),
        (("set", "release", "members="), {"members": ""}),
    ],
)  # fmt: skip
def test_changes_are_sent_and_the_group_is_printed(
    logged_in: Stillroom, stub: StubServer, arguments: tuple[str, ...], sent: object
) -> None:
    result = logged_in("group", *arguments)
    assert (result.status, result.out) == (0, SHOWN)
    assert stub.last("PATCH", "/+groups/release").json == sent
    assert json.loads(logged_in("group", *arguments, "--json").out) == GROUP


@pytest.mark.parametrize(
    "arguments",
    [("add", "release"), ("remove", "release"), ("set", "release"), ("set", "release", "x=1"),
     ("set", "release", "members+=ana"), ("create",)],
)  # fmt: skip
def test_what_is_no_change_is_wrong_usage(
    logged_in: Stillroom, stub: StubServer, arguments: tuple[str, ...]
) -> None:
    assert logged_in("group", *arguments).status == 2
    assert stub.asked == []


@pytest.mark.usefixtures("release")
def test_delete_asks_and_needs_yes_without_a_terminal(
    logged_in: Stillroom, stub: StubServer
) -> None:
    kept = logged_in("group", "delete", "release", is_terminal=True, typed="n\n")
    assert kept.status == 0
    assert "Nothing was deleted." in kept.err
    assert logged_in("group", "delete", "release").status == 2
    assert stub.asked == []
    deleted = logged_in("group", "delete", "release", "--yes")
    assert (deleted.status, deleted.err) == (0, "Deleted the group release.\n")
    assert stub.methods() == ["DELETE /+groups/release"]


def test_a_refusal_is_the_servers_sentence(logged_in: Stillroom, stub: StubServer) -> None:
    reply = message_reply("Not allowed: only root administers the server.", 403)
    stub.script("PUT", "/+groups/release", reply)
    result = logged_in("group", "create", "release")
    assert result.status == 1
    assert result.err == "error: Not allowed: only root administers the server.\n"
