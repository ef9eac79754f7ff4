"""`export`: what a server has, as the file in which `plan` finds nothing to do."""

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_client.declarative import toml
from stillroom_client.declarative.compare import compare
from stillroom_client.declarative.export import document_of
from stillroom_client.declarative.found import Found
from stillroom_client.declarative.read import Faults, read
from stillroom_client.output import printable
from stillroom_client.platform import Platform
from support.command_line import Stillroom
from support.stub_server import StubServer, message_reply, result_reply

# Writing TOML

texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.one_of(texts, st.booleans(), st.integers(0, 10**18), st.lists(texts, max_size=30))
plain = st.dictionaries(texts, scalars, max_size=3)
tables = st.dictionaries(
    texts, st.one_of(scalars, st.dictionaries(texts, scalars, max_size=2)), max_size=3
)


@given(st.dictionaries(st.sampled_from(["users", "ä b"]), st.dictionaries(texts, tables)))
def test_what_is_written_is_read_again(document: dict[str, dict[str, Any]]) -> None:
    lines = list(toml.lines(document))
    text = "\n".join(lines)
    # Nothing in it is replaced on its way to a terminal.
    assert printable(text) == text
    assert tomllib.loads(text) == {name: table for name, table in document.items() if table}


def test_a_long_list_has_a_line_for_each_entry() -> None:
    names = [f"user-{number}" for number in range(10)]
    short, long = ({"groups": {"g": {"members": listed}}} for listed in (names[:8], names))
    [_head, line] = toml.lines(short)
    assert len(line) <= 99
    [_head, wrapped] = toml.lines(long)
    assert wrapped.splitlines() == ["members = [", *(f'    "{name}",' for name in names), "]"]


# What stands in it

STAGE: dict[str, Any] = {
    "type": "stage",
    "volatile": True,
    "bases": [],
    "acl_read": [":AUTHENTICATED:"],
    "acl_upload": ["ana"],
    "acl_delete": [],
    "acl_admin": [],
    "owned_projects": False,
    "first_upload": "open",
    "mirror_whitelist": [],
    "shadow_mirrors": True,
    "reserved": [],
}
MIRROR: dict[str, Any] = {
    "type": "mirror",
    "volatile": True,
    "mirror_url": "https://upstream.example.com/simple/",
    "mirror_fallback_urls": [],
    "mirror_cache_expiry": 600,
    "acl_read": [":ANONYMOUS:"],
    "title": "",
}
SHELF = {"type": "shelf", "volatile": True, "height": 3, "acl_read": []}


def holding(**options: dict[str, Any]) -> Found:
    named = {f"ana/{name}": fields for name, fields in options.items()}
    return Found(
        users={
            "root": {"indexes": {}},
            "ci": {},
            "ana": {"email": "ana@example.com", "created": "x"},
        },
        groups={"release": {"description": "", "members": ["ci", "ana"]}},
        types={name: fields["type"] for name, fields in named.items()},
        bases={name: fields.get("bases", []) for name, fields in named.items()},
        options=named,
        owners={"ana/stage": {"zope-interface": ["ana", ":release"]}},
    )


def test_what_is_as_on_a_new_index_is_left_out_but_for_access_lists() -> None:
    document = document_of(holding(stage=STAGE, mirror=MIRROR, shelf=SHELF))
    lists = {key: value for key, value in STAGE.items() if key.startswith("acl_")}
    assert document == {
        "users": {"ana": {"email": "ana@example.com"}, "ci": {}},
        "groups": {"release": {"members": ["ana", "ci"]}},
        "indexes": {
            "ana/mirror": {
                "type": "mirror",
                "mirror_url": "https://upstream.example.com/simple/",
                "acl_read": [":ANONYMOUS:"],
            },
            "ana/shelf": {"type": "shelf", "height": 3, "acl_read": []},
            "ana/stage": {**lists, "owners": {"zope-interface": ["ana", ":release"]}},
        },
    }


OTHER: dict[str, Any] = {
    "volatile": False,
    "bases": ["ana/mirror", "ana/shelf"],
    "acl_delete": [":release", "zoe"],
    "owned_projects": True,
    "first_upload": "approval",
    "mirror_whitelist": ["*"],
    "shadow_mirrors": False,
    "reserved": ["acme-*"],
    "title": 'a "title"',
    "description": "two\nlines",
}


@pytest.mark.parametrize("key", [None, *OTHER])
def test_what_is_exported_says_what_is_there(key: str | None) -> None:
    stage = {**STAGE, **({key: OTHER[key]} if key else OTHER)}
    held = holding(stage=stage, mirror=MIRROR, shelf=SHELF)
    held = replace(held, users={**held.users, "root": {"title": "Root"}})
    document = tomllib.loads("\n".join(toml.lines(document_of(held))))
    noted = Faults("f")
    wanted = read(document, held.types, noted)
    plan = compare(wanted, held, noted)
    assert plan.steps == ()
    assert not any(plan.unnamed.values())
    for name in [key] if key else OTHER:
        assert document["indexes"]["ana/stage"][name] == OTHER[name]


# The command


@pytest.fixture
def server(stub: StubServer) -> StubServer:
    """A server with an index of each type."""
    indexes = {"stage": STAGE, "mirror": MIRROR}
    stub.script("GET", "/", result_reply({"dev": {"indexes": indexes}}, "list:userconfig"))
    stub.script("GET", "/+groups", result_reply({}, "list:groupconfig"))
    stub.script("GET", "/dev/+tokens/current", result_reply({"limits": None}, "token"))
    for name, options in indexes.items():
        stub.script("GET", f"/dev/{name}", result_reply(options, "indexconfig"))
    stub.script("GET", "/dev/stage/+owners", result_reply({"demo": ["ci"]}, "projectowners"))
    return stub


FILE = """\
[users.dev]

[indexes."dev/mirror"]
type = "mirror"
mirror_url = "https://upstream.example.com/simple/"
acl_read = [":ANONYMOUS:"]

[indexes."dev/stage"]
acl_admin = []
acl_delete = []
acl_read = [":AUTHENTICATED:"]
acl_upload = ["ana"]

[indexes."dev/stage".owners]
demo = ["ci"]
"""
HIDDEN = "E-mail addresses that are not shown to who is logged in are missing.\n"


def test_export_prints_a_file_or_json(logged_in: Stillroom, server: StubServer) -> None:
    result = logged_in("export")
    assert (result.status, result.out, result.err) == (0, FILE, HIDDEN)
    assert json.loads(logged_in("export", "--json").out) == {"groups": {}, **tomllib.loads(FILE)}
    # A mirror has no owners of projects, and would refuse to say some.
    assert "GET /dev/mirror/+owners" not in server.methods()
    assert all(line.startswith("GET ") for line in server.methods())


def test_export_replaces_a_file_only_if_it_may(
    logged_in: Stillroom, server: StubServer, platform: Platform
) -> None:
    file = platform.working / "team.toml"
    result = logged_in("export", str(file))
    assert (result.out, result.err) == ("", f"Wrote {file}.\n{HIDDEN}")
    assert file.read_text("utf-8") == FILE

    file.write_text("mine")
    server.asked.clear()
    assert logged_in("export", str(file)).status == 2
    refused = logged_in("export", str(file), is_terminal=True, typed="\n")
    assert (refused.status, refused.err) == (0, f"Replace {file}? [y/N] {file} is as it was.\n")
    assert (file.read_text(), server.asked) == ("mine", [])
    result = logged_in("export", str(file), "--yes", "--json")
    assert json.loads(result.out) == {"file": str(file)}
    assert file.read_text("utf-8") == FILE


def test_export_is_refused_rather_than_incomplete(
    logged_in: Stillroom, server: StubServer, platform: Platform
) -> None:
    server.script("GET", "/dev/mirror", message_reply("Not allowed: for a test.", 403))
    file = platform.working / "team.toml"
    result = logged_in("export", str(file))
    assert (result.status, result.out) == (1, "")
    assert "Not allowed: for a test." in result.err
    assert not file.exists()
