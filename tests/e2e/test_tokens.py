"""Tokens by the command line, used by pip, uv and twine at a real server."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from e2e.machine import Machine, Ran, page_url
from e2e.team import PASSWORD, MakeIndex
from functional.http_driver import HttpDriver
from functional.installer import Installer
from support.distributions import Distribution, make_sdist, make_wheel
from support.servers import ServerProcess

both_publishers = pytest.mark.parametrize("tool", ["twine", "uv"])
both_installers = pytest.mark.parametrize("tool", ["pip", "uv"])

Made = Callable[..., str]
"""`made("--allow", "read")`: the secret of a new token of dev's."""


@pytest.fixture
def made(machine: Machine, server: ServerProcess, dev: HttpDriver) -> Made:
    """Makes tokens on a machine where dev is logged in."""
    machine.run("stillroom", "use", server.url)
    machine.run("stillroom", "login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")

    def make(*options: str) -> str:
        ran = machine.run("stillroom", "token", "create", *options)
        assert ran.out.startswith("stillroom_")
        assert ran.out.count("\n") == 1
        return ran.out.strip()

    return make


def in_list(machine: Machine) -> list[dict[str, Any]]:
    listed = json.loads(machine.run("stillroom", "token", "list", "--json").out)
    return [token for token in listed if token["kind"] == "made"]


def publish(
    server: ServerProcess,
    folder: Path,
    tool: str,
    index: str,
    token: str,
    *files: Distribution,
    status: int | None = 0,
) -> Ran:
    """Publish as a CI job does: from variables alone, on a machine that knows nothing else."""
    written = [file.write_to(folder) for file in files]
    variables = {
        "twine": {"TWINE_USERNAME": "__token__", "TWINE_PASSWORD": token},
        "uv": {"UV_PUBLISH_TOKEN": token},
        "stillroom": {"STILLROOM_URL": f"{server.url}/{index}", "STILLROOM_TOKEN": token},
    }[tool]
    command: dict[str, tuple[str, ...]] = {
        "twine": ("upload", "--non-interactive", "--repository-url", f"{server.url}/{index}/"),
        "uv": ("publish", "--publish-url", f"{server.url}/{index}/"),
        "stillroom": ("upload",),
    }
    job = Machine(folder / f"job-{tool}", **variables)
    return job.run(tool, *command[tool], *written, status=status)


@pytest.mark.parametrize("tool", ["twine", "uv", "stillroom"])
def test_a_token_for_one_project_publishes_that_one(
    tool: str,
    made: Made,
    server: ServerProcess,
    make_index: MakeIndex,
    dev: HttpDriver,
    tmp_path: Path,
) -> None:
    index, other = make_index(), make_index()
    token = made("--allow", "upload", "--index", index, "--project", "Demo", "--expires", "1h")
    publish(server, tmp_path, tool, index, token, make_wheel("demo"), make_sdist("demo"))
    assert dev.projects(index).data == ["demo"]

    refused = publish(server, tmp_path, tool, index, token, make_wheel("example"), status=None)
    assert "limited to the project demo, and this is example" in refused.text
    refused = publish(server, tmp_path, tool, other, token, make_wheel("demo"), status=None)
    assert f"limited to {index}, and this is {other}" in refused.text
    assert (dev.projects(index).data, dev.projects(other).data) == (["demo"], [])


@both_publishers
def test_a_token_that_was_revoked_publishes_nothing_more(
    tool: str,
    made: Made,
    machine: Machine,
    server: ServerProcess,
    make_index: MakeIndex,
    dev: HttpDriver,
    tmp_path: Path,
) -> None:
    index = make_index()
    token = made("--allow", "upload", "--index", index, "--note", "CI")
    publish(server, tmp_path, tool, index, token, make_wheel("demo"))
    listed = next(t for t in in_list(machine) if t["limits"][0]["indexes"] == [index])
    assert listed["note"] == "CI"

    machine.run("stillroom", "token", "revoke", listed["id"])
    refused = publish(server, tmp_path, tool, index, token, make_wheel("late"), status=None)
    assert "401" in refused.text
    assert "the token has expired or was revoked" in refused.text
    assert dev.projects(index).data == ["demo"]


@both_installers
def test_a_token_that_only_reads_one_index_installs_from_it_and_from_no_other(
    tool: str,
    made: Made,
    machine: Machine,
    server: ServerProcess,
    make_index: MakeIndex,
    dev: HttpDriver,
) -> None:
    index, other = make_index(), make_index()
    for name in (index, other):
        assert dev.upload(name, make_wheel()).done
    token = made("--allow", "read", "--index", index)
    environment = machine.venv()
    login = ("__token__", token)
    environment.install(tool, "--index-url", page_url(server.url, index, login), "example")
    assert environment.version("example") == "1.0"

    environment = machine.venv()
    url = page_url(server.url, other, login)
    environment.install(tool, "--no-cache-dir", "--index-url", url, "example", status=None)
    assert environment.version("example") is None


def test_the_token_in_use_is_told(made: Made, machine: Machine) -> None:
    token = made("--allow", "read", "--note", "mine")
    job = Machine(
        machine.home / "job",
        STILLROOM_URL=json.loads(machine.run("stillroom", "whoami", "--json").out)["server"],
        STILLROOM_TOKEN=token,
    )
    shown = json.loads(job.run("stillroom", "token", "show", "--json").out)
    assert (shown["kind"], shown["note"]) == ("made", "mine")
    assert shown["limits"] == [{"allow": ["read"], "indexes": None, "projects": None}]
    whoami = job.run("stillroom", "whoami")
    assert whoami.out == "dev\n"
    assert "may: read in all indexes" in whoami.err
    refused = job.run("stillroom", "token", "create", status=1)
    assert "limited to the action read" in refused.text


def test_a_token_is_of_no_use_in_an_index_that_was_made_again(
    made: Made, server: ServerProcess, make_index: MakeIndex, dev: HttpDriver
) -> None:
    index = make_index()
    token = made("--index", index)
    with closing(Installer(server.url)) as installer:
        assert dev.upload(index, make_wheel()).done
        assert installer.page(index, "example", ("__token__", token)).status == 200
        assert dev.delete_index(index).done
        assert dev.create_index(index).done
        assert dev.upload(index, make_wheel()).done
        assert installer.page(index, "example", ("__token__", token)).status == 401
        assert installer.page(index, "example", ("dev", PASSWORD)).status == 200
