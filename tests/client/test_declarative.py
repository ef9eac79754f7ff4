"""`plan` and `apply`: what is compared and sent."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_client.declarative.compare import Kind, Plan
from stillroom_client.declarative.compare import compare as compare_with
from stillroom_client.declarative.found import Found
from stillroom_client.declarative.read import Faults, Wanted, WantedIndex, read
from stillroom_client.errors import WrongUsage
from stillroom_client.platform import Platform
from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply

Write = Callable[[str], Path]

FILE = """
[users.ana]
email = "ana@example.com"
[users.ci]
[groups.release]
description = "Those who release"
members = ["ana"]
[indexes."ana/base"]
bases = ["root/pypi"]
[indexes."ana/prod"]
bases = ["ana/base"]
acl_upload = ["ci", ":release"]
volatile = false
[indexes."ana/prod".owners]
Demo = ["ci", ":release"]
"""

MIRROR = '[indexes."root/pypi"]\nmirror_cache_expiry = 60\nreserved = ["acme-*"]'

ALL_STEPS = [
    "+ user ana: email: ana@example.com",
    "+ user ci",
    "+ group release: description: Those who release; members: ana",
    "+ index ana/base: type: stage; bases: root/pypi",
    "+ index ana/prod: type: stage; bases: ana/base; acl_upload: ci, :release; volatile: false",
    "+ owners of demo in ana/prod: ci, :release",
]


@pytest.fixture
def write(platform: Platform) -> Write:
    """Writes the file; its path."""

    def written(text: str) -> Path:
        file = platform.working / "stillroom.toml"
        file.write_text(text, "utf-8")
        return file

    return written


# Comparing


def compare(wanted: Wanted, held: Found, path: str) -> Plan:
    return compare_with(wanted, held, Faults(path))


def found(**values: Any) -> Found:
    kinds = ("groups", "types", "bases", "options", "owners")
    return Found(**{"users": {"root": {}}, **{kind: {} for kind in kinds}, **values})


def indexes(**bases: list[str]) -> Wanted:
    """Indexes of root's that are to inherit so."""
    named = {
        f"root/{name}": WantedIndex("stage", {"bases": [f"root/{b}" for b in listed]}, {})
        for name, listed in bases.items()
    }
    return Wanted({}, {}, named)


def holding(**bases: list[str]) -> Found:
    """A server with indexes of root's that inherit so."""
    options = {
        f"root/{name}": {"type": "stage", "bases": [f"root/{b}" for b in listed]}
        for name, listed in bases.items()
    }
    return found(
        types=dict.fromkeys(options, "stage"),
        bases={name: one["bases"] for name, one in options.items()},
        options=options,
    )


def steps(wanted: Wanted, held: Found) -> list[str]:
    return [step.name.removeprefix("root/") for step in compare(wanted, held, "f").steps]


def test_indexes_come_after_all_from_which_they_inherit() -> None:
    wanted = indexes(top=["middle", "side"], middle=["base"], side=["base"], base=["old"])
    order = steps(wanted, holding(old=[]))
    assert order[0] == "base"
    assert set(order[1:3]) == {"middle", "side"}
    assert order[3] == "top"


def test_bases_that_change_places_are_changed_without_a_circle_on_the_way() -> None:
    # Now a inherits from b; changed in the other order, b would inherit from itself.
    assert steps(indexes(b=["a"], a=[]), holding(a=["b"], b=[])) == ["a", "b"]


@pytest.mark.parametrize(
    "wanted",
    [
        indexes(a=["b"], b=["a"]),
        indexes(a=["c"]),
        indexes(new=["c"], a=["new"]),
        # The file says nothing of the bases of c: they are what they are.
        Wanted({}, {}, {**indexes(a=["c"]).indexes, "root/c": WantedIndex("stage", {}, {})}),
    ],
)
def test_a_circle_is_refused(wanted: Wanted) -> None:
    with pytest.raises(WrongUsage, match=r"inherit from themselves: look at .*root/a"):
        compare(wanted, holding(a=[], b=[], c=["a"]), "f")


@given(
    st.dictionaries(
        st.sampled_from("abcde"),
        st.lists(st.sampled_from("abcde"), unique=True, max_size=3),
    ),
    st.dictionaries(st.sampled_from("abcde"), st.lists(st.sampled_from("abcde"), unique=True)),
)
def test_no_order_of_steps_ever_makes_a_circle(
    before: dict[str, list[str]], after: dict[str, list[str]]
) -> None:
    now = {
        name: [b for b in listed if b < name and b in before] for name, listed in before.items()
    }
    wanted = {name: [b for b in listed if b != name] for name, listed in after.items()}
    try:
        order = steps(indexes(**wanted), holding(**now))
    except WrongUsage:
        return
    for name in order:
        # What it inherits from is there when its turn comes.
        assert set(wanted[name]) <= now.keys()
        now[name] = wanted[name]
        assert not _inherits_from_itself(now)
    assert {name: now[name] for name in wanted} == wanted


def _inherits_from_itself(bases: dict[str, list[str]]) -> bool:
    left = dict(bases)
    while ready := [name for name, listed in left.items() if not set(listed) & left.keys()]:
        for name in ready:
            del left[name]
    return bool(left)


@pytest.mark.parametrize(
    "text",
    [
        'users = { ana = 1 }\n[indexes."ana/prod"]',
        'users = { ana = {} }\n[indexes]\n"ana/x" = 1\n"ana/prod" = { bases = ["ana/x"] }',
        '[users.ana]\n[indexes."ana/prod"]\nbases = ["ana/x"]\n[indexes."ana/x"]\ntype = 1',
    ],
)
def test_what_is_wrong_itself_is_no_fault_of_those_who_name_it(text: str) -> None:
    noted = Faults("f")
    wanted = read(tomllib.loads(text), {}, noted)
    with pytest.raises(WrongUsage) as wrong:
        compare_with(wanted, found(), noted)
    assert len(str(wrong.value).splitlines()) == 1


def test_references_to_nothing_are_told_all_at_once() -> None:
    wanted = Wanted(
        {"ana": {}},
        {"release": {"members": ["ana", "zoe"]}},
        {
            "nobody/prod": WantedIndex("stage", {"bases": ["ana/base", "root/old"]}, {}),
            "root/old": WantedIndex("mirror", {}, {}),
        },
    )
    with pytest.raises(WrongUsage) as wrong:
        compare(wanted, holding(old=[]), "f.toml")
    assert [line.partition(";")[0] for line in str(wrong.value).splitlines()] == [
        "f.toml: groups.release.members: there is no user zoe",
        'f.toml: indexes."nobody/prod": there is no user nobody',
        'f.toml: indexes."nobody/prod".bases: there is no index ana/base',
        'f.toml: indexes."root/old".type: it is mirror here and stage on the server',
    ]


def test_what_the_file_does_not_name_is_left_alone_and_told() -> None:
    held = found(
        users={"root": {}, "ana": {"title": "Ana", "description": "x"}, "zoe": {}},
        groups={"old": {}},
        types={"root/pypi": "mirror"},
        bases={"root/pypi": ()},
    )
    plan = compare(Wanted({"ana": {"title": "Ana"}}, {}, {}), held, "f")
    assert plan.steps == ()
    assert plan.unnamed == {"users": ["zoe"], "groups": ["old"], "indexes": ["root/pypi"]}


def test_owners_are_exact_for_the_projects_that_the_file_names() -> None:
    owners = {"demo": ["ci"], "same": [":team", "ci"], "gone": [], "never": [], "new": ["ci"]}
    wanted = Wanted({}, {}, {"root/a": WantedIndex("stage", {}, owners)})
    held = replace(
        holding(a=[]),
        owners={
            "root/a": {"demo": ["ana"], "same": ["ci", ":team"], "gone": ["ana"], "other": ["x"]}
        },
    )
    assert [str(step) for step in compare(wanted, held, "f").steps] == [
        "~ owners of demo in root/a: ana → ci",
        "~ owners of gone in root/a: ana → nothing",
        "+ owners of new in root/a: ci",
    ]


def test_an_empty_text_is_no_difference_from_none() -> None:
    held = found(users={"root": {}, "ana": {}})
    assert compare(Wanted({"ana": {"title": ""}}, {}, {}), held, "f").steps == ()
    held = found(users={"root": {}, "ana": {"title": "Ana"}})
    [step] = compare(Wanted({"ana": {"title": ""}}, {}, {}), held, "f").steps
    assert str(step) == "~ user ana: title: Ana → nothing"


def test_an_address_that_is_not_shown_is_not_compared() -> None:
    wanted = Wanted({"ana": {"email": "ana@example.com"}, "zoe": {"email": "z"}}, {}, {})
    users = {"root": {}, "ana": {}, "zoe": {"email": "z"}}
    plan = compare(wanted, found(users=users, emails_of=frozenset({"zoe"})), "f")
    assert (plan.steps, plan.hidden) == ((), ("ana",))
    [step] = compare(wanted, found(users=users), "f").steps
    assert (step.kind, step.name, step.is_new) == (Kind.USER, "ana", False)


# The commands


@pytest.fixture
def server(stub: StubServer) -> StubServer:
    """A server that has nothing but root/pypi, and does whatever it is asked to."""
    pypi = {"type": "mirror", "volatile": True}
    users = {"root": {"indexes": {"pypi": pypi}}, "dev": {"indexes": {}}}
    stub.script("GET", "/", result_reply(users, "list:userconfig"))
    stub.script("GET", "/+groups", result_reply({}, "list:groupconfig"))
    stub.script("GET", "/dev/+tokens/current", result_reply({"limits": None}, "token"))
    for path in ("/ana", "/ci"):
        stub.script("PUT", path, result_reply({}, "userconfig", 201))
    stub.script("PUT", "/+groups/release", result_reply({}, "groupconfig", 201))
    for path in ("/ana/base", "/ana/prod"):
        stub.script("PUT", path, result_reply({}, "indexconfig"))
    owners = {"project": "demo", "owners": ["ci"]}
    stub.script("PATCH", "/ana/prod/+owners/demo", result_reply(owners, "projectowners"))
    return stub


def changes(stub: StubServer) -> list[str]:
    return [line for line in stub.methods() if not line.startswith("GET ")]


def test_plan_prints_every_step_and_sends_none(
    logged_in: Stillroom, server: StubServer, write: Write
) -> None:
    result = logged_in("plan", str(write(FILE)))
    assert result.status == 0
    assert result.out.splitlines() == ALL_STEPS
    assert result.err.splitlines() == [
        "Not in the file: users dev.",
        "Not in the file: indexes root/pypi.",
    ]
    assert changes(server) == []


def test_plan_as_json(logged_in: Stillroom, server: StubServer, write: Write) -> None:
    value = json.loads(logged_in("plan", str(write(FILE)), "--json").out)
    assert value["not_in_file"] == {"users": ["dev"], "groups": [], "indexes": ["root/pypi"]}
    assert [step["kind"] for step in value["steps"]] == [
        "user",
        "user",
        "group",
        "index",
        "index",
        "owners",
    ]
    assert value["steps"][-1] == {
        "action": "create",
        "kind": "owners",
        "name": "ana/prod",
        "project": "demo",
        "changes": {"owners": {"from": None, "to": ["ci", ":release"]}},
    }


@pytest.mark.parametrize(
    ("user", "limits", "is_shown"),
    [
        ("ana", None, False),
        ("dev", None, True),
        ("dev", [{"actions": ["account"]}], False),
    ],
)
def test_plan_tells_whose_address_is_not_shown(
    logged_in: Stillroom,
    server: StubServer,
    write: Write,
    user: str,
    limits: object,
    is_shown: bool,
) -> None:
    users = {name: {"indexes": {}} for name in ("root", "dev", "ana")}
    server.script("GET", "/", result_reply(users, "list:userconfig"))
    server.script("GET", "/dev/+tokens/current", result_reply({"limits": limits}, "token"))
    result = logged_in("plan", str(write(f'[users.{user}]\nemail = "x@example.com"')))
    told = f"The e-mail address of {user} is not shown to who is logged in: it was not compared."
    assert (told in result.err) is not is_shown
    change = f"~ user {user}: email: x@example.com"
    assert result.out.splitlines() == [change if is_shown else "= nothing to do"]


def test_check_ends_with_a_status_of_its_own_where_there_is_a_difference(
    logged_in: Stillroom, server: StubServer, write: Write
) -> None:
    file = str(write(FILE))
    result = logged_in("plan", file, "--check")
    assert result.status == 3
    assert result.out.splitlines() == ALL_STEPS
    assert result.err.splitlines()[-1] == f"error: the server is not as {file} says: see above"
    result = logged_in("plan", str(write("[users.dev]")), "--check")
    assert (result.status, result.out) == (0, "= nothing to do\n")
    # What cannot be found out is no difference.
    server.script("GET", "/+groups", message_reply("Not allowed: for a test.", 403))
    assert logged_in("plan", str(write(FILE)), "--check").status == 1


def test_apply_does_every_step_in_its_order(
    logged_in: Stillroom, server: StubServer, write: Write
) -> None:
    result = logged_in("apply", str(write(FILE)), "--yes")
    assert result.status == 0, result.err
    assert result.out.splitlines() == ALL_STEPS
    assert changes(server) == [
        "PUT /ana",
        "PUT /ci",
        "PUT /+groups/release",
        "PUT /ana/base",
        "PUT /ana/prod",
        "PATCH /ana/prod/+owners/demo",
    ]
    assert server.last("PUT", "/ana").json == {"email": "ana@example.com", "password": None}
    assert server.last("PUT", "/ana/prod").json == {
        "type": "stage",
        "bases": ["ana/base"],
        "acl_upload": ["ci", ":release"],
        "volatile": False,
    }
    assert server.last("PATCH", "/ana/prod/+owners/demo").json == {"owners": ["ci", ":release"]}


def test_apply_asks_first(logged_in: Stillroom, server: StubServer, write: Write) -> None:
    file = str(write("[users.ci]"))
    assert logged_in("apply", file).status == 2
    refused = logged_in("apply", file, is_terminal=True, typed="\n")
    assert refused.err.splitlines()[0] == "+ user ci"
    assert "Nothing was changed." in refused.err
    assert changes(server) == []
    assert logged_in("apply", file, is_terminal=True, typed="y\n").out == "+ user ci\n"


def test_apply_without_a_difference_asks_nothing(
    logged_in: Stillroom, server: StubServer, write: Write
) -> None:
    result = logged_in("apply", str(write("[users.dev]")))
    assert (result.status, result.out) == (0, "= nothing to do\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failure_on_the_way_says_what_was_done_and_what_was_not(
    logged_in: Stillroom, server: StubServer, write: Write, as_json: bool
) -> None:
    server.script("PUT", "/ana/base", message_reply("Not allowed: for a test.", 403))
    words = ["--json"] if as_json else []
    result = logged_in("apply", str(write(FILE)), "--yes", *words)
    assert result.status == 1
    assert result.err.splitlines() == [
        "error: Not allowed: for a test.",
        *(f"done: {step}" for step in ALL_STEPS[:3]),
        *(f"not done: {step}" for step in ALL_STEPS[3:]),
        "the same command goes on from there",
    ]
    if as_json:
        told = json.loads(result.out)
        assert [step["name"] for step in told["steps"]] == ["ana", "ci", "release"]
        left = [(step["kind"], step["name"]) for step in told["not_done"]]
        assert left == [("index", "ana/base"), ("index", "ana/prod"), ("owners", "ana/prod")]
        assert told["error"] == "Not allowed: for a test."
    else:
        assert result.out.splitlines() == ALL_STEPS[:3]


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_file_that_is_wrong_is_told_as_a_whole_and_nothing_is_done(
    logged_in: Stillroom, server: StubServer, write: Write, command: str
) -> None:
    text = '[users.ana]\nemial = 1\n[indexes."zoe/prod"]\n[indexes."dev/a"]\nbases = ["dev/b"]'
    circle = '[indexes."dev/c"]\nbases = ["dev/d"]\n[indexes."dev/d"]\nbases = ["dev/c"]'
    file = write(f"{text}\n{circle}")
    result = logged_in(command, str(file))
    assert result.status == 2
    assert [line.split(f"{file}: ")[1].split(";")[0] for line in result.err.splitlines()] == [
        "users.ana.emial: unknown",
        'indexes."zoe/prod": there is no user zoe',
        'indexes."dev/a".bases: there is no index dev/b',
        "indexes: some would inherit from themselves: look at dev/c, dev/d",
    ]
    assert changes(server) == []
    # A circle is no news where the bases are wrong already.
    result = logged_in(command, str(write('[indexes."dev/a"]\nbases = ["dev/a"]')))
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_file_that_is_wrong_is_told_without_a_server(
    stillroom: Stillroom, write: Write, command: str
) -> None:
    result = stillroom(command, str(write("[users.ana]\nemial = 1")))
    assert (result.status, "users.ana.emial: unknown" in result.err) == (2, True)
    result = stillroom(command, str(write(MIRROR)))
    assert (result.status, "no server is in use" in result.err) == (1, True)


def test_a_mirror_that_is_there_needs_no_type(
    logged_in: Stillroom, server: StubServer, write: Write
) -> None:
    held = {"type": "mirror", "mirror_cache_expiry": 600}
    server.script("GET", "/root/pypi", result_reply(held, "indexconfig"))
    result = logged_in("plan", str(write(MIRROR)))
    assert result.status == 0, result.err
    assert result.out.splitlines() == [
        "~ index root/pypi: mirror_cache_expiry: 600 → 60; reserved: acme-*"
    ]


def test_names_that_nobody_has_are_told_and_taken(
    logged_in: Stillroom, server: StubServer, write: Write
) -> None:
    text = """
    [groups.release]
    [indexes."dev/prod"]
    acl_read = [":anonymous:", "release", "dev"]
    acl_upload = [":dev", ":release", ":people"]
    title = "zoe"
    [indexes."dev/prod".owners]
    demo = ["zoe", ":AUTHENTICATED"]
    """
    server.script("PUT", "/dev/prod", result_reply({}, "indexconfig"))
    server.script("PATCH", "/dev/prod/+owners/demo", result_reply({"owners": []}, "owners"))
    place = 'indexes."dev/prod"'
    told = [
        f"{place}.acl_read: There is no user release; did you mean :release?",
        f"{place}.acl_upload: There is no group :dev; did you mean dev?",
        f"{place}.acl_upload: There is no group :people.",
        f"{place}.owners.demo: There is no user zoe.",
        f"{place}.owners.demo: There is no group :AUTHENTICATED.",
    ]
    for words in (["plan"], ["apply", "--yes"]):
        result = logged_in(*words, str(write(text)))
        assert result.status == 0, result.err
        assert result.err.splitlines()[: len(told)] == [f"warning: {line}" for line in told]
    assert json.loads(logged_in("plan", str(write(text)), "--json").out)["warnings"] == told
    assert "warning" not in logged_in("plan", str(write(FILE))).err
