"""`plan` and `apply` against a real server: applied twice, a file changes nothing."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from e2e.machine import Machine, Ran
from functional.http_driver import HttpDriver
from stillroom_server.testing import LocalUpstream
from support.servers import ServerProcess
from support.values import INDEX_TYPES

Run = Callable[..., Ran]
Write = Callable[[str], Path]

TEAM = """
[users.ana]
email = "ana@example.com"
title = "Ana"

[users.team]

[groups.release]
description = "Those who release"
members = ["ana"]

[indexes."team/prod"]
bases = ["team/base"]
volatile = false
owned_projects = true
first_upload = "restricted"
acl_upload = [":release"]

[indexes."team/prod".owners]
Example = [":release"]

[indexes."team/base"]
bases = ["root/pypi"]
reserved = ["acme-*"]
"""

# Every option of both types, each as sloppily as the server takes it.
SLOPPY = """
[groups.robots]
members = ["sloppy", " sloppy "]

[users.sloppy]
description = ""

[indexes."sloppy/stage"]
type = "stage"
bases = ["/sloppy/mirror/", "root/pypi"]
volatile = "False"
acl_read = [":anonymous:", "sloppy", "sloppy"]
acl_upload = ":robots, sloppy"
acl_delete = "sloppy,"
acl_admin = []
owned_projects = "Yes"
first_upload = "APPROVAL"
mirror_whitelist = ["My_Project", "my.project", "*"]
shadow_mirrors = "0"
reserved = "Acme_*, acme-*"
title = ""
description = "two\\nlines"

[indexes."sloppy/stage".owners]
"My.Project" = ":robots, sloppy, :robots"
empty = []

[indexes."sloppy/mirror"]
type = "mirror"
mirror_url = "UPSTREAM//"
mirror_fallback_urls = "UPSTREAM, UPSTREAM/"
mirror_cache_expiry = "0060"
mirror_no_project_list = "true"
mirror_keep_delisted = "1"
mirror_use_external_urls = "no"
mirror_metadata_only = "FALSE"
mirror_size_budget = "1000000"
acl_read = ":Authenticated:, sloppy"
acl_delete = ["sloppy", ":robots"]
acl_admin = ":robots"
reserved = ["acme_x"]
title = " with blanks "
"""


@pytest.fixture
def run(machine: Machine, server: ServerProcess) -> Run:
    """Runs `stillroom` as root."""

    def ran(*words: object, status: int = 0) -> Ran:
        return machine.run("stillroom", *words, status=status)

    ran("use", server.url)
    password = f"{server.root_password}\n"
    machine.run("stillroom", "login", "root", "--password-stdin", typed=password)
    return ran


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file; its path."""

    def written(text: str) -> Path:
        file = tmp_path / "stillroom.toml"
        file.write_text(text)
        return file

    return written


def serial_of(server: ServerProcess) -> int:
    return httpx.get(f"{server.url}/+status").json()["result"]["serial"]


def test_a_team_is_set_up_changed_and_left_alone(
    run: Run, write: Write, root: HttpDriver, server: ServerProcess
) -> None:
    file = write(TEAM)
    planned = run("plan", file)
    assert planned.out.splitlines() == [
        "+ user ana: email: ana@example.com; title: Ana",
        "+ user team",
        "+ group release: description: Those who release; members: ana",
        "+ index team/base: type: stage; bases: root/pypi; reserved: acme-*",
        (
            "+ index team/prod: type: stage; bases: team/base; volatile: false; "
            "owned_projects: true; first_upload: restricted; acl_upload: :release"
        ),
        "+ owners of example in team/prod: :release",
    ]
    assert "Not in the file: indexes root/pypi" in planned.err
    serial = serial_of(server)
    assert run("apply", file, "--yes").out == planned.out
    assert serial_of(server) > serial

    for command in ("plan", "apply"):
        serial = serial_of(server)
        assert run(command, file).out == "= nothing to do\n"
        assert serial_of(server) == serial
    run("plan", file, "--check")

    file = write(TEAM.replace('acl_upload = [":release"]', 'acl_upload = ["team", ":release"]'))
    line = "~ index team/prod: acl_upload: :release → team, :release\n"
    assert run("plan", file, "--check", status=3).out == line
    assert run("apply", file, "--yes").out == line
    assert root.index("team/prod").data["acl_upload"] == ["team", ":release"]
    assert root.index("team/prod").data["first_upload"] == "restricted"


def test_what_the_server_says_in_other_words_is_no_difference(
    run: Run, write: Write, root: HttpDriver, server: ServerProcess, upstream: LocalUpstream
) -> None:
    file = write(SLOPPY.replace("UPSTREAM", upstream.url.rstrip("/")))
    run("apply", file, "--yes")
    for kind in INDEX_TYPES.values():
        options = tomllib.loads(SLOPPY)["indexes"][f"sloppy/{kind.name}"]
        assert {option.name for option in kind.options} == set(options) - {"type", "owners"}
        assert root.index(f"sloppy/{kind.name}").data["type"] == kind.name
    serial = serial_of(server)
    assert run("plan", file).out == "= nothing to do\n"
    assert run("apply", file).out == "= nothing to do\n"
    assert serial_of(server) == serial


def test_what_is_exported_makes_another_server_the_same(
    run: Run,
    write: Write,
    server: ServerProcess,
    upstream: LocalUpstream,
    tmp_path: Path,
) -> None:
    text = TEAM + SLOPPY.replace("UPSTREAM", upstream.url.rstrip("/"))
    run("apply", write(text), "--yes")
    exported, serial = tmp_path / "exported.toml", serial_of(server)
    run("export", exported)
    document = tomllib.loads(exported.read_text())
    assert document["users"]["ana"] == {"email": "ana@example.com", "title": "Ana"}
    assert document["indexes"]["team/prod"] == {
        "bases": ["team/base"],
        "volatile": False,
        "acl_read": [":AUTHENTICATED:"],
        "acl_upload": [":release"],
        "acl_delete": [],
        "acl_admin": [],
        "owned_projects": True,
        "first_upload": "restricted",
        "owners": {"example": [":release"]},
    }
    planned = run("plan", exported, "--check")
    assert (planned.out, planned.err) == ("= nothing to do\n", "")
    assert serial_of(server) == serial

    with ServerProcess(tmp_path / "other", public_index=upstream.url) as other:
        machine = Machine(tmp_path / "elsewhere")
        machine.run("stillroom", "use", other.url)
        typed = f"{other.root_password}\n"
        machine.run("stillroom", "login", "root", "--password-stdin", typed=typed)
        machine.run("stillroom", "apply", exported, "--yes")
        assert machine.run("stillroom", "export").out == exported.read_text()


def test_what_stopped_half_way_goes_on(
    run: Run, write: Write, root: HttpDriver, upstream: LocalUpstream
) -> None:
    text = """
    [users.half]
    [indexes."half/one"]
    [indexes."half/two"]
    type = "mirror"
    mirror_url = "http://10.0.0.1/simple/"
    [indexes."half/three"]
    bases = ["half/two"]
    [indexes."half/three".owners]
    example = ["half"]
    """
    stopped = run("apply", write(text), "--yes", status=1)
    assert stopped.out.splitlines() == ["+ user half", "+ index half/one: type: stage"]
    lines = stopped.err.splitlines()
    assert lines[0].startswith("error: mirror_url: ")
    assert [line for line in lines if line.startswith("done: ")] == [
        "done: + user half",
        "done: + index half/one: type: stage",
    ]
    assert [line.partition(":")[2].split()[:3] for line in lines if line.startswith("not")] == [
        ["+", "index", "half/two:"],
        ["+", "index", "half/three:"],
        ["+", "owners", "of"],
    ]
    assert root.index("half/one").done
    assert not root.index("half/two").done

    goes_on = run("apply", write(text.replace("http://10.0.0.1/simple/", upstream.url)), "--yes")
    assert [line.split()[2] for line in goes_on.out.splitlines()] == [
        "half/two:",
        "half/three:",
        "of",
    ]
    assert run("plan", write(text.replace("http://10.0.0.1/simple/", upstream.url))).out == (
        "= nothing to do\n"
    )
