import json
from typing import Any

import pytest

from support.command_line import Stillroom
from support.stub_server import StubServer, json_reply, message_reply, result_reply


def link(stub: StubServer, filename: str, **fields: Any) -> dict[str, Any]:
    href = f"{stub.url}/dev/sandbox/+f/demo/{'0' * 64}/{filename}"
    return {
        "rel": "releasefile",
        "href": href,
        "hashes": {"sha256": "0" * 64},
        "yanked": False,
        "index": "dev/sandbox",
        "size": 7,
        **fields,
    }


@pytest.fixture
def demo(stub: StubServer) -> None:
    versions = {
        "1.0": {"+links": [link(stub, "demo-1.0.tar.gz", yanked="it is broken")]},
        "1.10": {
            "+links": [
                link(stub, "demo-1.10-py3-none-any.whl", index="root/pypi"),
                {"rel": "doczip", "href": "x.zip"},
            ]
        },
        "1.9": {"+links": [link(stub, "demo-1.9.tar.gz", yanked=True)]},
        "final?": {},
    }
    stub.script("GET", "/dev/sandbox/demo", result_reply(versions, "projectconfig"))


def test_list_prints_the_projects_of_the_index(logged_in: Stillroom, stub: StubServer) -> None:
    options = {"type": "stage", "projects": ["demo", "six"]}
    stub.script("GET", "/dev/sandbox", result_reply(options, "indexconfig"))
    assert logged_in("list").out == "demo\nsix\n"
    assert json.loads(logged_in("list", "--json").out) == ["demo", "six"]


@pytest.mark.usefixtures("demo")
def test_list_of_a_project_prints_its_files_newest_first(logged_in: Stillroom) -> None:
    assert logged_in("list", "Demo").out.splitlines() == [
        "1.10  demo-1.10-py3-none-any.whl  root/pypi",
        "1.9   demo-1.9.tar.gz             dev/sandbox  yanked",
        "1.0   demo-1.0.tar.gz             dev/sandbox  yanked: it is broken",
    ]


@pytest.mark.usefixtures("demo")
def test_list_of_a_release_tells_programs_everything(
    logged_in: Stillroom, stub: StubServer
) -> None:
    (file,) = json.loads(logged_in("list", "demo==1.0.0", "--json").out)
    assert file["filename"] == "demo-1.0.tar.gz"
    assert file["yanked"] == "it is broken"
    assert (file["size"], file["index"]) == (7, "dev/sandbox")
    assert file["url"].startswith(stub.url)


@pytest.mark.usefixtures("demo")
def test_list_of_a_release_that_is_not_there(logged_in: Stillroom) -> None:
    result = logged_in("list", "demo==3.0")
    assert result.status == 1
    assert result.err == "error: dev/sandbox has no file of demo==3.0\n"


def test_list_of_another_index(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/root/pypi", result_reply({"projects": []}, "indexconfig"))
    assert logged_in("list", "--index", "root/pypi").status == 0


def test_a_project_without_an_index_in_use(stillroom: Stillroom, stub: StubServer) -> None:
    stillroom("use", stub.url)
    result = stillroom("list")
    assert result.status == 1
    assert "stillroom use USER/INDEX" in result.err


def test_an_unknown_project_is_the_servers_sentence(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/dev/sandbox/gone", message_reply("dev/sandbox has no project gone", 404))
    result = logged_in("list", "gone")
    assert (result.status, result.err) == (1, "error: dev/sandbox has no project gone\n")


def test_names_and_versions_are_checked_before_anything_is_asked(
    logged_in: Stillroom, stub: StubServer
) -> None:
    for text in ("-demo", "", "demo==", "demo==one", "demo>=1"):
        assert logged_in("list", text).status == 2, text
    for command in ("yank", "unyank"):
        assert logged_in(command, "demo").status == 2
    assert logged_in("push", "demo", "dev/release").status == 2
    assert stub.asked == []


def test_remove_of_a_release(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/dev/sandbox/my-demo/1.0", message_reply("deleted"))
    assert logged_in("remove", "My.Demo==1.0", "--yes").status == 0
    assert stub.last("DELETE", "/dev/sandbox/my-demo/1.0").query == {}


def test_remove_with_force_of_a_whole_project(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("DELETE", "/dev/release/demo", message_reply("deleted"))
    result = logged_in("remove", "demo", "--force", "-y", "--index", "dev/release")
    assert result.status == 0
    assert stub.last("DELETE", "/dev/release/demo").query == {"force": ""}
    assert "all releases of demo from dev/release" in result.err


def test_remove_asks_unless_told_not_to(logged_in: Stillroom, stub: StubServer) -> None:
    assert logged_in("remove", "demo").status == 2
    kept = logged_in("remove", "demo", is_terminal=True, typed="no\n")
    assert (kept.status, stub.asked) == (0, [])
    assert "Delete all releases of demo from dev/sandbox?" in kept.err


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["yank", "demo==1.0"], {"yanked": True}),
        (["yank", "demo==1.0", "--reason", "it burns"], {"yanked": "it burns"}),
        (["yank", "demo==1.0", "--file", "d.whl"], {"yanked": True, "filename": "d.whl"}),
        (["unyank", "demo==1.0"], {"yanked": False}),
        (["unyank", "demo==1.0", "--file", "d.whl"], {"yanked": False, "filename": "d.whl"}),
    ],
)
def test_yank_and_unyank(
    logged_in: Stillroom, stub: StubServer, arguments: list[str], body: dict[str, Any]
) -> None:
    stub.script("PATCH", "/dev/sandbox/demo/1.0", message_reply("done"))
    result = logged_in(*arguments)
    assert result.status == 0, result.err
    assert stub.last("PATCH", "/dev/sandbox/demo/1.0").json == body


PAGE = {"meta": {"api-version": "1.4"}, "name": "my-demo", "versions": [], "files": []}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, "active"),
        ({"project-status": {"status": "deprecated"}}, "deprecated"),
        (
            {"project-status": {"status": "archived", "reason": "it is done"}},
            "archived: it is done",
        ),
    ],
)
def test_the_status_of_a_project_is_what_its_page_says(
    logged_in: Stillroom, stub: StubServer, said: dict[str, Any], line: str
) -> None:
    stub.script("GET", "/dev/sandbox/simple/my-demo/", json_reply(PAGE | said))
    assert logged_in("status", "My.Demo").out == f"{line}\n"
    asked = stub.last("GET", "/dev/sandbox/simple/my-demo/").headers["accept"]
    assert asked == "application/vnd.pypi.simple.v1+json, application/json"
    shown = json.loads(logged_in("status", "my-demo", "--json").out)
    assert shown == said.get("project-status", {"status": "active"})


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (["archived"], {"status": "archived"}),
        (["active"], {"status": "active"}),
        (
            ["quarantined", "--reason", "it steals"],
            {"status": "quarantined", "reason": "it steals"},
        ),
    ],
)
def test_a_status_is_set(
    logged_in: Stillroom, stub: StubServer, arguments: list[str], body: dict[str, Any]
) -> None:
    stub.script("PATCH", "/dev/release/my-demo", result_reply(body, "projectstatus"))
    result = logged_in("status", "My.Demo", *arguments, "--index", "dev/release")
    assert (result.status, result.err) == (0, f"my-demo is {arguments[0]} on dev/release.\n")
    assert stub.last("PATCH", "/dev/release/my-demo").json == body


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "frozen"], "frozen"),
        (["demo==1.0", "archived"], "whole project"),
        (["demo", "--reason", "x"], "--reason"),
        ([], "PROJECT"),
    ],
)
def test_a_status_that_makes_no_sense_is_not_asked_for(
    logged_in: Stillroom, stub: StubServer, arguments: list[str], said: str
) -> None:
    result = logged_in("status", *arguments)
    assert result.status == 2
    assert said in result.err
    assert stub.asked == []


def test_the_status_of_what_is_not_there_is_the_servers_sentence(
    logged_in: Stillroom, stub: StubServer
) -> None:
    path = "/dev/sandbox/simple/gone/"
    stub.script("GET", path, message_reply("There is no project gone in dev/sandbox.", 404))
    result = logged_in("status", "gone")
    assert (result.status, result.err) == (1, "error: There is no project gone in dev/sandbox.\n")


def test_push_names_release_and_target(logged_in: Stillroom, stub: StubServer) -> None:
    rows = [[200, "register", "demo", "1.0", "->", "dev/release"], [200, "store_releasefile", "f"]]
    stub.script("POST", "/dev/sandbox", result_reply(rows, "actionlog"))
    result = logged_in("push", "demo==1.0", "release")
    assert result.status == 0
    expected = {"name": "demo", "version": "1.0", "targetindex": "dev/release"}
    assert stub.last("POST", "/dev/sandbox").json == expected
    lines = ["200 register demo 1.0 -> dev/release", "200 store_releasefile f"]
    assert result.out.splitlines() == lines
    assert json.loads(logged_in("push", "demo==1.0", "release", "--json").out) == rows


def test_a_push_that_failed_half_way_is_a_failure(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("POST", "/dev/sandbox", result_reply([[502, "upload", "f"]], "actionlog"))
    result = logged_in("push", "demo==1.0", "dev/release")
    assert result.status == 1
    assert "502 upload f" in result.out
