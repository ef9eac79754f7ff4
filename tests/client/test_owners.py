import json

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply

OWNERS, REQUESTS = "/dev/sandbox/+owners", "/dev/sandbox/+requests"


def script_owners(stub: StubServer, *owners: str, index: str = "dev/sandbox") -> None:
    """Script the owners of `demo`, before and after a change."""
    result = {"project": "demo", "owners": list(owners)}
    for method in ("GET", "PATCH"):
        stub.script(method, f"/{index}/+owners/demo", result_reply(result, "projectowners"))


def script_requests(stub: StubServer, *users: str) -> None:
    asked = [{"project": "demo", "user": user, "requested": "2026-03-01"} for user in users]
    other = {"project": "other", "user": "zoe", "requested": "2026-03-02"}
    stub.script("GET", REQUESTS, result_reply([*asked, other], "list:projectrequest"))


def test_list_prints_the_owners_of_all_projects(logged_in: Stillroom, stub: StubServer) -> None:
    owned = {"demo": [":team", "ci"], "longer-name": ["ana"]}
    stub.script("GET", OWNERS, result_reply(owned, "projectowners"))
    assert logged_in("owner", "list").out.splitlines() == [
        "demo         :team, ci",
        "longer-name  ana",
    ]
    assert json.loads(logged_in("owner", "list", "--json").out) == owned


def test_list_of_nothing_prints_nothing(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", OWNERS, result_reply({}, "projectowners"))
    assert logged_in("owner", "list").out == ""


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
        "demo   ana  2026-03-01",
        "other  zoe  2026-03-02",
    ]
    assert json.loads(logged_in("owner", "requests", "--json").out)[0]["user"] == "ana"


def test_approve_takes_who_asks(logged_in: Stillroom, stub: StubServer) -> None:
    script_requests(stub, "ana")
    script_owners(stub, "ana")
    result = logged_in("owner", "approve", "demo")
    assert result.err == "ana owns demo in dev/sandbox, and can upload it now.\n"
    assert stub.last("PATCH", f"{OWNERS}/demo").json == ["owners+=ana"]


def test_approve_of_one_who_is_named_asks_nobody(logged_in: Stillroom, stub: StubServer) -> None:
    script_owners(stub, "ci")
    assert logged_in("owner", "approve", "demo", "ci").status == 0
    assert stub.methods() == [f"PATCH {OWNERS}/demo"]
    assert stub.last("PATCH", f"{OWNERS}/demo").json == ["owners+=ci"]


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
