import json

import pytest

from support.command_line import Stillroom
from support.stub_server import Asked, Reply, StubServer, message_reply, result_reply

USERS = {"dev": {}, "ana": {}, "ci": {}}
OWNERS, REQUESTS = "/dev/sandbox/+owners", "/dev/sandbox/+requests"


def script_owners(stub: StubServer, *owners: str, index: str = "dev/sandbox") -> None:
    """Script the owners of `demo`, before and after a change."""
    result = {"project": "demo", "owners": list(owners)}
    for method in ("GET", "PATCH"):
        stub.script(method, f"/{index}/+owners/demo", result_reply(result, "projectowners"))


def script_requests(stub: StubServer, *users: str) -> None:
    at = "2026-03-01T12:30:15.348420Z"
    asked = [{"project": "demo", "user": user, "requested": at} for user in users]
    other = {"project": "other", "user": "zoe", "requested": "2026-03-02T00:00:00Z"}
    stub.script("GET", REQUESTS, result_reply([*asked, other], "list:projectrequest"))


def script_people(stub: StubServer) -> None:
    """Script who is known: dev, ana and ci, and the group :team."""
    stub.script("GET", "/", result_reply(USERS, "list:userconfig"))
    stub.script("GET", "/+groups", result_reply({"team": {"members": []}}, "list:groupconfig"))


def script_access(stub: StubServer, user: str, *, allowed: bool) -> None:
    """Script whether a user may upload to dev/sandbox."""

    def answer(asked: Asked) -> Reply:
        assert asked.query == {"user": user}
        told = {"allowed": allowed, "reason": f"{user} is not in acl_upload of dev/sandbox"}
        return result_reply({"rights": {"upload": told}}, "access")

    stub.script("GET", "/dev/sandbox/+access", answer)


def test_list_prints_the_owners_of_all_projects(logged_in: Stillroom, stub: StubServer) -> None:
    owned = {"demo": [":team", "ci"], "longer-name": ["ana"]}
    stub.script("GET", OWNERS, result_reply(owned, "projectowners"))
    assert logged_in("owner", "list").out.splitlines() == [
        "PROJECT      OWNERS",
        "demo         :team, ci",
        "longer-name  ana",
    ]
    assert json.loads(logged_in("owner", "list", "--json").out) == owned


def test_list_of_nothing_prints_nothing_and_says_so(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", OWNERS, result_reply({}, "projectowners"))
    stub.script("GET", REQUESTS, result_reply([], "list:projectrequest"))
    script_owners(stub)
    for words, said in (
        (["list"], "No project of dev/sandbox has owners.\n"),
        (["list", "demo"], "Nobody owns demo in dev/sandbox.\n"),
        (["requests"], "Nobody asks to bring a project to dev/sandbox.\n"),
    ):
        result = logged_in("owner", *words)
        assert (result.status, result.out, result.err) == (0, "", said)


def test_owners_that_nobody_is_are_marked(logged_in: Stillroom, stub: StubServer) -> None:
    script_people(stub)
    owned = {"demo": [":gone", ":team", "ana", "team"]}
    stub.script("GET", OWNERS, result_reply(owned, "projectowners"))
    script_owners(stub, *owned["demo"])
    row = logged_in("owner", "list").out.splitlines()[1]
    assert row == "demo     :gone (unknown), :team, ana, team (unknown)"
    of_one = logged_in("owner", "list", "demo").out.splitlines()
    assert of_one == [":gone (unknown)", ":team", "ana", "team (unknown)"]
    assert json.loads(logged_in("owner", "list", "--json").out) == owned
    assert json.loads(logged_in("owner", "list", "demo", "--json").out) == owned["demo"]


def test_added_names_that_nobody_has_are_told(logged_in: Stillroom, stub: StubServer) -> None:
    script_people(stub)
    script_owners(stub, "ana")
    added = logged_in("owner", "add", "demo", "ana", ":team", "team", ":ana", "ghost", ":ghost")
    assert (added.status, added.out) == (0, "ana\n")
    assert added.err.splitlines() == [
        "There is no user team; did you mean :team?",
        "There is no group :ana; did you mean ana?",
        "There is no user ghost.",
        "There is no group :ghost.",
    ]
    assert logged_in("owner", "remove", "demo", "ghost").err == ""


def test_what_the_server_does_not_tell_is_not_guessed(
    logged_in: Stillroom, stub: StubServer
) -> None:
    script_people(stub)
    script_owners(stub, "ghost")
    stub.script("GET", "/+groups", message_reply("Not allowed.", 403))
    assert logged_in("owner", "add", "demo", "ghost").err == ""
    assert logged_in("owner", "list", "demo").out == "ghost\n"


def test_list_of_one_project(logged_in: Stillroom, stub: StubServer) -> None:
    script_owners(stub, ":team", "ci", index="team/prod")
    result = logged_in("owner", "list", "Demo", "--index", "team/prod")
    assert result.out.splitlines() == [":team", "ci"]
    assert json.loads(
        logged_in("owner", "list", "demo", "--index", "team/prod", "--json").out
    ) == [":team", "ci"]


@pytest.mark.parametrize(("command", "sign"), [("add", "+="), ("remove", "-=")])
def test_owners_are_added_and_removed(
    logged_in: Stillroom, stub: StubServer, command: str, sign: str
) -> None:
    script_owners(stub, "ana")
    result = logged_in("owner", command, "Demo", "ci", ":team")
    assert (result.status, result.out) == (0, "ana\n")
    assert stub.last("PATCH", f"{OWNERS}/demo").json == [f"owners{sign}ci,:team"]


def test_requests_are_printed_oldest_first(logged_in: Stillroom, stub: StubServer) -> None:
    script_requests(stub, "ana")
    assert logged_in("owner", "requests").out.splitlines() == [
        "PROJECT  USER  REQUESTED",
        "demo     ana   2026-03-01 12:30 UTC",
        "other    zoe   2026-03-02 00:00 UTC",
    ]
    assert json.loads(logged_in("owner", "requests", "--json").out)[0]["user"] == "ana"


def test_approve_takes_who_asks(logged_in: Stillroom, stub: StubServer) -> None:
    script_requests(stub, "ana")
    script_owners(stub, "ana")
    script_access(stub, "ana", allowed=True)
    result = logged_in("owner", "approve", "demo")
    assert (result.status, result.out) == (0, "")
    assert result.err == "ana owns demo in dev/sandbox, and can upload it now.\n"
    assert stub.last("PATCH", f"{OWNERS}/demo").json == ["owners+=ana"]
    assert json.loads(logged_in("owner", "approve", "demo", "--json").out) == ["ana"]


def test_approve_says_that_owning_is_not_uploading(logged_in: Stillroom, stub: StubServer) -> None:
    script_requests(stub, "ana")
    script_owners(stub, "ana")
    script_access(stub, "ana", allowed=False)
    assert logged_in("owner", "approve", "demo").err == (
        "ana owns demo in dev/sandbox, but may not upload to it: "
        "ana is not in acl_upload of dev/sandbox.\n"
    )


def test_approve_promises_nothing_that_it_cannot_ask(
    logged_in: Stillroom, stub: StubServer
) -> None:
    script_requests(stub, "ana")
    script_owners(stub, "ana")
    result = logged_in("owner", "approve", "demo")
    assert (result.status, result.err) == (0, "ana owns demo in dev/sandbox.\n")


def test_approve_of_one_of_several_tells_of_the_others(
    logged_in: Stillroom, stub: StubServer
) -> None:
    script_requests(stub, "ana", "ci", "bob")
    script_owners(stub, "ci")
    result = logged_in("owner", "approve", "demo", "ci")
    assert stub.last("PATCH", f"{OWNERS}/demo").json == ["owners+=ci"]
    assert "Asked as well, and not approved: ana, bob.\n" in result.err


@pytest.mark.parametrize("asking", [(), ("ana",), ("ana", "ci")])
def test_approve_of_one_who_does_not_ask_changes_nothing(
    logged_in: Stillroom, stub: StubServer, asking: tuple[str, ...]
) -> None:
    script_requests(stub, *asking)
    result = logged_in("owner", "approve", "demo", "zoe")
    assert result.status == 1
    assert result.err == (
        "error: zoe does not ask for demo in dev/sandbox: name owners with `stillroom owner add`\n"
    )
    assert stub.methods() == [f"GET {REQUESTS}"]


@pytest.mark.parametrize(
    ("users", "status", "said"), [((), 1, "nobody asks for demo"), (("ana", "ci"), 2, "ana, ci")]
)
def test_approve_needs_one_who_asks(
    logged_in: Stillroom, stub: StubServer, users: tuple[str, ...], status: int, said: str
) -> None:
    script_requests(stub, *users)
    result = logged_in("owner", "approve", "demo")
    assert result.status == status
    assert said in result.err
    assert stub.methods() == [f"GET {REQUESTS}"]


def test_decline_drops_what_was_asked(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", f"{REQUESTS}/demo", message_reply("declined"))
    assert logged_in("owner", "decline", "demo").err == "Declined demo in dev/sandbox.\n"
    assert stub.methods() == [f"DELETE {REQUESTS}/demo"]
    assert stub.asked[0].query == {}


def test_decline_of_one_of_several(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", f"{REQUESTS}/demo", message_reply("declined"))
    declined = logged_in("owner", "decline", "demo", "ana")
    assert declined.err == "Declined demo in dev/sandbox, which ana asked for.\n"
    assert stub.last("DELETE", f"{REQUESTS}/demo").query == {"user": "ana"}


@pytest.mark.parametrize(
    "words",
    [
        ("add", "demo"),
        ("add", "demo==1.0", "ci"),
        ("add", "demo", "a,b"),
        ("remove", "-", "ci"),
        ("list", "a b"),
        ("approve",),
        ("decline", "demo==1.0"),
    ],
)
def test_what_makes_no_sense_is_never_sent(
    logged_in: Stillroom, stub: StubServer, words: tuple[str, ...]
) -> None:
    assert logged_in("owner", *words).status == 2
    assert stub.asked == []


def test_a_server_that_answers_something_else_is_told(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", f"{OWNERS}/demo", result_reply({"project": "demo"}, "projectowners"))
    stub.script("GET", REQUESTS, result_reply({}, ""))
    assert "without the owners" in logged_in("owner", "list", "demo").err
    assert "without the requests" in logged_in("owner", "requests").err
