import json
from typing import Any

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply

PATH = "/dev/sandbox/+access"


def holder(entry: str, kind: str, why: str, *, known: bool = True, **more: Any) -> dict[str, Any]:
    return {"entry": entry, "kind": kind, "why": why, "known": known, **more}


OWNER, ROOT = holder("dev", "user", "owner"), holder("root", "user", "root")
OPEN = {"owned_projects": False, "first_upload": "open"}
OVERVIEW = {
    "index": "dev/sandbox",
    "type": "stage",
    "rights": {
        "read": [
            {
                "index": "dev/sandbox",
                "holders": [OWNER, ROOT, holder(":AUTHENTICATED:", "everybody", "acl_read")],
            },
            {
                "index": "root/pypi",
                "holders": [
                    holder("root", "user", "owner"),
                    holder(":ANONYMOUS:", "everybody", "acl_read"),
                ],
            },
        ],
        "upload": [
            {
                "index": "dev/sandbox",
                "holders": [
                    OWNER,
                    ROOT,
                    holder(":release", "group", "acl_upload", members=["ana", "bob"]),
                    holder(":empty", "group", "acl_upload", members=[]),
                    holder(":gone", "group", "acl_upload", known=False, members=[]),
                    holder("gone", "user", "acl_upload", known=False),
                ],
            }
        ],
        "delete": [{"index": "dev/sandbox", "holders": [OWNER, ROOT]}],
        "admin": [{"index": "dev/sandbox", "holders": [OWNER, ROOT]}],
    },
    "projects": OPEN,
}
LINES = """\
who may read dev/sandbox:
  dev              owner
  root             root
  :AUTHENTICATED:  acl_read  everyone who is logged in
and who may read root/pypi, which dev/sandbox inherits from:
  root         owner
  :ANONYMOUS:  acl_read  everyone who reaches the server
who may upload to dev/sandbox:
  dev       owner
  root      root
  :release  acl_upload  ana, bob
  :empty    acl_upload  matches nobody: the group is empty
  :gone     acl_upload  matches nobody: there is no such group here
  gone      acl_upload  matches nobody: there is no such user here
who may delete and yank in dev/sandbox:
  dev   owner
  root  root
who may administer dev/sandbox:
  dev   owner
  root  root
"""
ANSWER = {
    "index": "dev/sandbox",
    "type": "stage",
    "user": "ana",
    "known": True,
    "rights": {
        "read": {"allowed": True, "reason": "acl_read of dev/sandbox names :AUTHENTICATED:"},
        "upload": {"allowed": False, "reason": "ana may not upload to dev/sandbox: ask dev"},
        "delete": {"allowed": False, "reason": "ana may not delete or yank in dev/sandbox"},
        "admin": {"allowed": False, "reason": "ana may not administer dev/sandbox"},
    },
    "projects": OPEN,
}


def script(stub: StubServer, answer: object) -> None:
    stub.script("GET", PATH, result_reply(answer, "access"))


def test_the_overview_says_who_may_what_and_why(logged_in: Stillroom, stub: StubServer) -> None:
    script(stub, OVERVIEW)
    result = logged_in("access")
    assert (result.status, result.err) == (0, "")
    assert result.out == LINES
    assert stub.last("GET", PATH).query == {}
    assert json.loads(logged_in("access", "dev/sandbox", "--json").out) == OVERVIEW


@pytest.mark.parametrize(
    ("option", "name", "query"),
    [("--user", "ana", {"user": "ana"}), ("--group", "a&b", {"group": "a&b"})],
)
def test_one_user_or_group_is_asked_about(
    logged_in: Stillroom, stub: StubServer, option: str, name: str, query: dict[str, str]
) -> None:
    script(stub, ANSWER)
    result = logged_in("access", option, name)
    assert result.status == 0
    assert stub.last("GET", PATH).query == query
    assert json.loads(logged_in("access", option, name, "--json").out) == ANSWER


def test_the_answer_is_yes_or_no_with_the_reason(logged_in: Stillroom, stub: StubServer) -> None:
    script(stub, ANSWER)
    assert logged_in("access", "--user", "ana").out.splitlines() == [
        "read: yes, acl_read of dev/sandbox names :AUTHENTICATED:",
        "upload: no, ana may not upload to dev/sandbox: ask dev",
        "delete: no, ana may not delete or yank in dev/sandbox",
        "admin: no, ana may not administer dev/sandbox",
    ]


@pytest.mark.parametrize(("kind", "name"), [("user", "zoe"), ("group", "zoos")])
def test_a_name_that_matches_nobody_is_said(
    logged_in: Stillroom, stub: StubServer, kind: str, name: str
) -> None:
    answer = {key: value for key, value in ANSWER.items() if key != "user"}
    script(stub, {**answer, kind: name, "known": False})
    first = logged_in("access", f"--{kind}", name).out.splitlines()[0]
    assert first == f"There is no {kind} {name} here; if one comes, this holds:"


def test_a_mirror_takes_no_uploads(logged_in: Stillroom, stub: StubServer) -> None:
    rights = {**OVERVIEW["rights"], "upload": [{"index": "dev/sandbox", "holders": []}]}
    script(stub, {**OVERVIEW, "type": "mirror", "rights": rights})
    lines = logged_in("access").out.splitlines()
    assert lines[lines.index("who may upload to dev/sandbox:") + 1] == (
        "  nobody: a mirror takes no uploads"
    )


@pytest.mark.parametrize(
    ("projects", "said"),
    [
        ({**OPEN, "owned_projects": True}, ["owned_projects: of those"]),
        ({**OPEN, "first_upload": "restricted"}, ["first_upload=restricted: a new"]),
        ({**OPEN, "first_upload": "approval"}, ["first_upload=approval: a new"]),
        ({"owned_projects": True, "first_upload": "approval"}, ["owned_", "first_"]),
    ],
)
def test_what_restricts_uploads_project_by_project_is_said(
    logged_in: Stillroom, stub: StubServer, projects: dict[str, object], said: list[str]
) -> None:
    for answer in (OVERVIEW, ANSWER):
        script(stub, {**answer, "projects": projects})
        lines = logged_in("access", *([] if answer is OVERVIEW else ["--user", "ana"])).out
        last = lines.splitlines()[-len(said) :]
        assert [line.startswith(begin) for line, begin in zip(last, said, strict=True)] == (
            [True] * len(said)
        )


def test_user_and_group_exclude_each_other(logged_in: Stillroom, stub: StubServer) -> None:
    assert logged_in("access", "--user", "a", "--group", "b").status == 2
    assert stub.asked == []


def test_a_refusal_is_the_servers_sentence(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", PATH, message_reply("Not allowed: ask about yourself.", 403))
    result = logged_in("access")
    assert (result.status, result.out) == (1, "")
    assert result.err == "error: Not allowed: ask about yourself.\n"
