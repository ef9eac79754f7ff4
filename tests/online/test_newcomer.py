"""The newcomer's tour against the real public index, with a handful of projects."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.servers import BIN, ServerProcess, clean_environment

pytestmark = pytest.mark.online

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "stillroom-online-test"
version = "1.0"
dependencies = ["six"]

[tool.hatch.build.targets.wheel]
include = ["online_test.py"]
"""


class Terminal:
    """A shell of somebody who starts from nothing: a home, a virtual environment, a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / "venv"
        self.environment = clean_environment(folder / "home", VIRTUAL_ENV=str(self.venv))
        # The virtual environment's own pip.conf is what `use --pip` writes.
        del self.environment["PIP_CONFIG_FILE"]
        self.run(sys.executable, "-m", "venv", str(self.venv))

    def run(self, *command: str, stdin: str | None = None, cwd: Path | None = None) -> str:
        done = subprocess.run(
            command,
            input=stdin,
            cwd=cwd or self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def stillroom(self, *arguments: str, stdin: str | None = None, cwd: Path | None = None) -> str:
        return self.run(str(BIN / "stillroom"), *arguments, stdin=stdin, cwd=cwd)

    def pip(self, *arguments: str) -> str:
        return self.run(str(self.venv / "bin" / "python"), "-m", "pip", *arguments)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_the_tour_works_with_the_real_public_index(terminal: Terminal, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        mirror = f"{server.url}/root/pypi/simple/"
        terminal.pip("install", "--no-cache-dir", "--index-url", mirror, "six", "idna")
        terminal.stillroom("use", server.url)
        terminal.stillroom("login", "root", "--password-stdin", stdin=server.root_password)
        terminal.stillroom("user", "create", "dev", "--password-stdin", stdin="dev-password")
        terminal.stillroom("login", "dev", "--password-stdin", stdin="dev-password")
        terminal.stillroom("index", "create", "dev/base", "bases=root/pypi")
        terminal.stillroom("index", "create", "dev/sandbox", "bases=dev/base")
        terminal.stillroom("use", "dev/sandbox", "--pip", "--uv")
        project = tmp_path / "project"
        project.mkdir()
        (project / "pyproject.toml").write_text(PYPROJECT)
        (project / "online_test.py").write_text("import six\n")
        terminal.stillroom("upload", cwd=project)
        terminal.pip("uninstall", "--yes", "six")
        terminal.pip("install", "--no-cache-dir", "stillroom-online-test")
        terminal.run(str(terminal.venv / "bin" / "python"), "-c", "import online_test")
        login = server.url.replace("http://", "http://dev:dev-password@")
        terminal.run(
            str(BIN / "uv"), "pip", "install", "--no-cache", "--reinstall",
            "--index-url", f"{login}/dev/sandbox/simple/", "stillroom-online-test",
        )  # fmt: skip


def test_what_was_fetched_installs_without_the_public_index(
    terminal: Terminal, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path / "data")
    mirror = f"{server.url}/root/pypi/simple/"
    with server:
        terminal.pip("install", "--no-cache-dir", "--index-url", mirror, "six", "idna")
        terminal.pip("uninstall", "--yes", "six", "idna")
    # A proxy that nobody answers at: from now on every request to the outside fails.
    server.environment = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    with server:
        assert httpx.get(f"{mirror}boto3/").status_code == 502
        terminal.pip("install", "--no-cache-dir", "--index-url", mirror, "six", "idna")
