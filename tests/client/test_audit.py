import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.command_line import Stillroom
from support.stub_server import Asked, Reply, StubServer, json_reply, result_reply


def entry(**values: Any) -> dict[str, Any]:
    return {
        "serial": 7,
        "position": 0,
        "at": "2026-01-31T10:39:12.345678Z",
        "event": "file-added",
        "actor": "dev",
        "token": "0a1b2c",
        "address": "192.0.2.7",
        "request": "r1",
        "user": None,
        "index": "dev/sandbox",
        "project": "demo",
        "details": {"filename": "demo-1.0.tar.gz", "version": "1.0", "sha256": "0" * 64},
        **values,
    }


def fetch(**values: Any) -> dict[str, Any]:
    return {
        "minute": "2026-01-31T10:39:00.000000Z",
        "count": 3,
        "user": "ann",
        "token": None,
        "address": "192.0.2.7",
        "asked": "dev/sandbox",
        "held": "dev/sandbox",
        "project": "demo",
        "version": "1",
        "filename": "demo-1.0.tar.gz",
        "sha256": "0" * 64,
        **values,
    }


def offer_audit(stub: StubServer, path: str, *entries: dict[str, Any]) -> None:
    """Script an audit, a part at a time."""

    def answer(asked: Asked) -> Reply:
        start = int(asked.query.get("before", "0.0").partition(".")[0])
        stop = start + int(asked.query["limit"])
        following = f"{stop}.0" if stop < len(entries) else None
        return json_reply({"type": "list:audit", "result": entries[start:stop], "next": following})

    stub.script("GET", path, answer)


def offer_fetches(
    stub: StubServer, path: str, *fetches: dict[str, Any], more: bool = False
) -> None:
    reply = {"type": "list:fetches", "result": list(fetches), "more": more}
    stub.script("GET", path, json_reply(reply))


def test_audit_prints_who_did_what_from_where(logged_in: Stillroom, stub: StubServer) -> None:
    created = entry(event="user-created", index=None, project=None, user="ann", details={})
    by_nobody = entry(actor=None, token=None, address=None, details={"fields": ["title"]})
    offer_audit(stub, "/+audit", entry(), created | {"token": None}, by_nobody)
    result = logged_in("audit")
    time, added = "2026-01-31 10:39 UTC", "file-added filename=demo-1.0.tar.gz version=1.0"
    assert [re.split(" {2,}", line) for line in result.out.splitlines()] == [
        ["TIME", "WHO", "FROM", "WHERE", "WHAT"],
        [time, "dev (token 0a1b2c)", "192.0.2.7", "dev/sandbox demo", added],
        [time, "dev", "192.0.2.7", "ann", "user-created"],
        [time, "-", "-", "dev/sandbox demo", "file-added fields=title"],
    ]
    # What is long stands last, and makes no other line longer.
    assert all(line == line.rstrip() for line in result.out.splitlines())
    assert result.err == ""


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ({"options": {"acl_admin": {"added": ["ana", ":release"], "removed": ["bob"]}}},
         "acl_admin+=ana,:release acl_admin-=bob"),
        ({"options": {"acl_read": {"removed": ["bob"]}}}, "acl_read-=bob"),
        ({"options": {"title": {"from": None, "to": "My index"}, "volatile": {"from": True,
         "to": False}}}, "title=null -> My index volatile=true -> false"),
        ({"options": {"bases": {"from": ["a/b", "c/d"], "to": ["c/d", "a/b"]}}},
         "bases=a/b,c/d -> c/d,a/b"),
        ({"type": "stage", "options": {"bases": ["root/pypi"], "volatile": False}},
         "type=stage bases=root/pypi volatile=false"),
        ({"options": {}}, ""),
        ({"fields": ["title"], "changes": {"title": {"from": "a", "to": None}}},
         "fields=title title=a -> null"),
        ({"claims": {"sub": "x"}, "allow": ["read", "upload"]},
         'claims={"sub": "x"} allow=read,upload'),
    ],
)  # fmt: skip
def test_audit_prints_what_a_change_made_of_it(
    logged_in: Stillroom, stub: StubServer, details: dict[str, Any], told: str
) -> None:
    offer_audit(stub, "/+audit", entry(event="index-changed", details=details))
    row = logged_in("audit").out.splitlines()[1]
    assert re.split(" {2,}", row)[-1] == f"index-changed {told}".rstrip()


def test_audit_tells_programs_everything(logged_in: Stillroom, stub: StubServer) -> None:
    offer_audit(stub, "/+audit", entry())
    assert json.loads(logged_in("audit", "--json").out) == [entry()]


def test_audit_asks_for_what_is_wanted(logged_in: Stillroom, stub: StubServer) -> None:
    offer_audit(stub, "/dev/release/+audit")
    options = ["--user", "ann", "--project", "demo", "--since", "2026-01-31"]
    until = ["--until", "2026-01-31T10:39+02:00", "--limit", "7"]
    result = logged_in("audit", "--index", "dev/release", *options, *until)
    assert (result.status, result.out) == (0, "")
    assert result.err == "There are no such entries.\n"
    assert stub.last("GET", "/dev/release/+audit").query == {
        "user": "ann",
        "project": "demo",
        "since": "2026-01-31T00:00:00Z",
        "until": "2026-01-31T08:39:00Z",
        "limit": "7",
    }


def test_audit_of_more_than_an_answer_holds(logged_in: Stillroom, stub: StubServer) -> None:
    offer_audit(stub, "/+audit", *[entry(serial=number) for number in range(2_500)])
    result = logged_in("audit", "--limit", "2100", "--json")
    assert [each["serial"] for each in json.loads(result.out)] == list(range(2_100))
    limits = [asked.query["limit"] for asked in stub.asked if asked.path == "/+audit"]
    assert limits == ["1000", "1000", "100"]
    assert "more than these 2100" in result.err


def test_audit_of_all_says_nothing_of_more(logged_in: Stillroom, stub: StubServer) -> None:
    offer_audit(stub, "/+audit", *[entry()] * 100)
    assert logged_in("audit").err == ""


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("4w", timedelta(weeks=4)),
        ("999999w", timedelta(days=36_500)),
    ],
)
def test_a_time_may_be_said_as_so_long_ago(
    logged_in: Stillroom, stub: StubServer, text: str, ago: timedelta
) -> None:
    offer_audit(stub, "/+audit")
    assert logged_in("audit", "--since", text).status == 0
    since = datetime.fromisoformat(stub.last("GET", "/+audit").query["since"])
    assert abs(datetime.now(UTC) - ago - since) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["yesterday", "2x", "h", "2026-13-01", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_refused_before_anything_is_asked(
    logged_in: Stillroom, stub: StubServer, text: str
) -> None:
    for option in ("--since", "--until"):
        result = logged_in("who-got", "demo", option, text)
        assert result.status == 2
        assert option in result.err
    assert stub.asked == []


def test_no_line_can_be_forged(logged_in: Stillroom, stub: StubServer) -> None:
    evil = "x\n2026-01-31T10:39:12Z  root\x1b[2K\u202e\t"
    offer_audit(stub, "/+audit", entry(details={"reason": evil}, actor=evil, project=evil))
    result = logged_in("audit")
    assert len(result.out.splitlines()) == 2
    assert result.out.isascii()
    assert result.out.count(r"x\n2026-01-31T10:39:12Z  root\x1b[2K\u202e\t") == 3
    offer_fetches(stub, "/+fetches", fetch(filename=evil, user=evil, address=evil))
    result = logged_in("who-got", "demo")
    assert len(result.out.splitlines()) == 2
    assert "\x1b" not in result.out


def test_who_got_prints_who_fetched_what(logged_in: Stillroom, stub: StubServer) -> None:
    through = fetch(asked="dev/sandbox", held="root/pypi", token="0a1b2c", count=12)
    unknown = fetch(user=None, address=None)
    offer_fetches(stub, "/+fetches", fetch(), through, unknown)
    result = logged_in("who-got", "demo")
    first, through_us = "2026-01-31 10:39 UTC", "dev/sandbox (of root/pypi)"
    assert result.out.splitlines() == [
        "TIME                  TIMES  WHO                 FROM       FILE             INDEX",
        f"{first}  3x     ann                 192.0.2.7  demo-1.0.tar.gz  dev/sandbox",
        f"{first}  12x    ann (token 0a1b2c)  192.0.2.7  demo-1.0.tar.gz  {through_us}",
        f"{first}  3x     -                   -          demo-1.0.tar.gz  dev/sandbox",
    ]
    assert result.err == ""


def test_who_got_asks_for_what_is_wanted(logged_in: Stillroom, stub: StubServer) -> None:
    offer_fetches(stub, "/dev/release/+fetches", fetch(), more=True)
    result = logged_in(
        "who-got", "Demo==1.0", "--index", "dev/release", "--file", "demo-1.0.tar.gz",
        "--user", "ann", "--since", "2026-01-31T10:39", "--until", "2026-01-31T13:38",
        "--limit", "1", "--json",
    )  # fmt: skip
    assert json.loads(result.out) == [fetch()]
    assert "more than these 1" in result.err
    assert stub.last("GET", "/dev/release/+fetches").query == {
        "project": "demo",
        "version": "1.0",
        "file": "demo-1.0.tar.gz",
        "user": "ann",
        "since": "2026-01-31T10:39:00Z",
        "until": "2026-01-31T13:38:00Z",
        "limit": "1",
    }


def test_who_got_what_nobody_got(logged_in: Stillroom, stub: StubServer) -> None:
    offer_fetches(stub, "/+fetches")
    result = logged_in("who-got", "demo==1.0")
    assert (result.status, result.out) == (0, "")
    assert result.err == "No fetch of demo==1.0 is recorded.\n"
    assert json.loads(logged_in("who-got", "demo", "--json").out) == []


def test_an_answer_that_is_none_is_told(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+audit", result_reply({}, "list:audit"))
    result = logged_in("audit")
    assert result.status == 1
    assert "answers without a list" in result.err
