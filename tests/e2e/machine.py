"""Somebody's machine: a home folder, and real tools that find nothing but what is in there."""

import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from support.servers import BIN, clean_environment

SECONDS = 120


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it said, without the line breaks that tools put into long messages."""
        return " ".join((self.out + self.err).split())


class Machine:
    """Runs commands with a home and caches of its own; `environment` is added to its own.

    Every command must end with the exit status that is expected; None stands for any but 0.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.environment = clean_environment(
            home,
            DEVPI_CLIENTDIR=str(home / "devpi"),
            STILLROOM_CLIENT_DIR=str(home / "stillroom"),
            UV_PYTHON_DOWNLOADS="never",
            COLUMNS="200",
            **environment,
        )
        self._environments = 0

    def venv(self, *, with_pip: bool = False) -> "VirtualEnvironment":
        """A new virtual environment; only one with pip takes long to make."""
        self._environments += 1
        folder = self.home / f"venv-{self._environments}"
        venv.create(folder, symlinks=True, with_pip=with_pip)
        return VirtualEnvironment(folder, self)

    def activate(self, environment: "VirtualEnvironment") -> None:
        """Work in a virtual environment from now on; pip reads what is configured for it."""
        self.environment["VIRTUAL_ENV"] = str(environment.folder)
        del self.environment["PIP_CONFIG_FILE"]

    def run(
        self,
        command: str,
        *arguments: object,
        folder: Path | None = None,
        typed: str = "",
        status: int | None = 0,
    ) -> Ran:
        """Run one of the tools that the project installs."""
        done = subprocess.run(
            [BIN / command, *map(str, arguments)],
            cwd=folder or self.home,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        is_expected = ran.status != 0 if status is None else ran.status == status
        told = f"{command} {arguments} ended with {ran.status}:\n{ran.out}\n{ran.err}"
        assert is_expected, told
        assert "Traceback" not in told, told
        return ran


@dataclass(frozen=True)
class VirtualEnvironment:
    """A virtual environment on a machine, into which pip and uv install."""

    folder: Path
    machine: Machine

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def pip(self, *arguments: object, **how: object) -> Ran:
        """Run pip for this environment."""
        return self.machine.run("pip", "--python", self.folder, *arguments, **how)

    def uv(self, *arguments: object, **how: object) -> Ran:
        """Run `uv pip` for this environment."""
        command, *rest = arguments
        return self.machine.run("uv", "pip", command, "--python", self.python, *rest, **how)

    def install(self, tool: str, *arguments: object, **how: object) -> Ran:
        """Install with pip or uv."""
        return getattr(self, tool)("install", *arguments, **how)

    def version(self, project: str) -> str | None:
        """The version of what is installed, as the module says that was built for the tests."""
        program = f"import {project}; print({project}.VERSION)"
        # Without -B it would leave bytecode behind that looks good to the next version as well.
        done = subprocess.run(
            [self.python, "-I", "-B", "-c", program], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None


def page_url(server: str, index: str, login: tuple[str, str] | None = None) -> str:
    """What installers are given as the URL of an index, with a login in it or not."""
    url = f"{server}/{index}/simple/"
    if login is None:
        return url
    user, secret = (quote(part, safe="") for part in login)
    return url.replace("://", f"://{user}:{secret}@", 1)
