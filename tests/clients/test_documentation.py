"""The guides' examples for the clients that tests/docs does not have are typed here."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from clients.drivers import Client, Flit, Hatch, Pdm, Poetry, for_clients
from clients.home import bin_folders
from docs.examples import Command, blocks
from docs.given import GIVEN
from docs.machine import Machine
from stillroom_server.testing import LocalUpstream

INSTALLING = "docs/users/installing.md"
PUBLISHING = "docs/users/publishing.md"

PROJECT = """\
mkdir project
cd project
cat > pyproject.toml <<'EOF'
[build-system]
requires = ["flit_core>=4"]
build-backend = "flit_core.buildapi"

[project]
name = "{name}"
version = "1.0"
description = "An example"
requires-python = ">=3.11,<4"
dependencies = {dependencies}

{configured}EOF
"""
APPLICATION = "[tool.poetry]\npackage-mode = false\n[tool.pdm]\ndistribution = false\n"
"""What poetry and pdm are told of a project that is not to be installed itself."""

CONFIGURED = "export PIP_INDEX_URL=http://__token__:$TOKEN@localhost:3141/dev/sandbox/simple/\n"
"""What the page says of pip, and means where another client runs pip."""

MADE = "python3 -m venv .venv\ntouch application.py\n"
"""What `flit install` needs."""

BUILT = """\
uv build ../myproject --out-dir dist
rm dist/.gitignore  # pdm would try to publish it
cp ../myproject/myproject.py .
"""

IMPORTED: Mapping[type[Client], str] = {
    Poetry: "poetry run python -c 'import myproject'\n",
    Pdm: "pdm run python -c 'import myproject'\n",
    Hatch: "hatch run tools:python -c 'import myproject'\n",
    Flit: ".venv/bin/python -c 'import myproject'\n",
}


def typed_into(client: Client, page: str) -> str:
    """The commands of a page that are for a client. Raises AssertionError if there are none."""
    lines = [
        line
        for block in blocks(page)
        if block.language == "sh"
        for line in block.text.splitlines(keepends=True)
        if re.search(rf"\b{client.name}\b", line)
    ]
    assert lines, f"{page} does not say how {client.name} is used"
    return "".join(lines)


def configured_for(client: Client, page: str) -> str:
    """What a page puts into pyproject.toml for a client."""
    found = [block.text for block in blocks(page) if block.language == "toml"]
    return "".join(text for text in found if f"[tool.{client.name}." in text)


def typed(page: str, folder: Path, *commands: str) -> list[str]:
    """The output of commands that are typed in a new folder of a machine as the page has it."""
    folder.mkdir()
    with ExitStack() as stack:
        upstream = stack.enter_context(LocalUpstream())
        machine = Machine(folder, upstream, GIVEN[page], "", stack)
        return machine.type([Command(command, ()) for command in commands])


@pytest.fixture(autouse=True)
def clients_in_path(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever types has all clients, and what `Home` sets for them."""
    for variable in ("FLIT_ROOT_INSTALL", "PDM_CHECK_UPDATE", "POETRY_VIRTUALENVS_IN_PROJECT"):
        monkeypatch.setenv(variable, client.home.environment[variable])
    monkeypatch.setenv("PATH", bin_folders())


@for_clients(Poetry, Pdm, Hatch, Flit)
def test_the_guide_to_installing(client: Client, tmp_path: Path) -> None:
    """Installs by the commands of the guide."""
    project = PROJECT.format(
        name="application",
        dependencies=["myproject"] if isinstance(client, Flit) else [],
        configured=APPLICATION + configured_for(client, INSTALLING),
    )
    example = typed_into(client, INSTALLING)
    imported = IMPORTED[type(client)]
    typed(INSTALLING, tmp_path / "guide", CONFIGURED, project, MADE, example, imported)


@for_clients(Poetry, Pdm, Hatch, Flit)
def test_the_guide_to_publishing(client: Client, tmp_path: Path) -> None:
    """Publishes by the commands of the guide."""
    project = PROJECT.format(name="myproject", dependencies=[], configured="")
    example = typed_into(client, PUBLISHING)
    listed = "stillroom list myproject\n"
    outputs = typed(PUBLISHING, tmp_path / "guide", project, BUILT, example, listed)
    assert "myproject-1.0.tar.gz" in outputs[-1]
    assert ".whl" in outputs[-1]
