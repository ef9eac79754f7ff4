"""Where a client runs: a home folder and an environment in which it finds nothing else.

Each client is installed in an environment of its own, `.clients/<name>`, which
`make test-clients` makes from `requirements/<name>.txt`.
"""

import itertools
import os
import subprocess
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from e2e.machine import Ran
from support.servers import clean_environment

CLIENTS = Path(__file__).parents[2] / ".clients"
SECONDS = 120
ANY = -1
"""Not an exit status: it stands for all of them."""
NOWHERE = "http://127.0.0.1:9"
"""The proxy for all that is not on loopback: what tries to leave this machine fails."""

FOREIGN = ("POETRY_", "PDM_", "HATCH_", "FLIT_", "http_", "https_", "no_proxy", "ALL_PROXY")
"""What could change these clients, beside that which no tool of the tests may find."""


def program(client: str, command: str) -> Path:
    """A command in the environment of a client."""
    return CLIENTS / client / "bin" / command


def libraries(client: str) -> Path:
    """The folder in which a client's modules are. Raises AssertionError if it is not there."""
    found = list((CLIENTS / client / "lib").glob("python3*/site-packages"))
    assert len(found) == 1, f"{client} is not installed: `make test-clients` does that"
    return found[0]


def installed_version(client: str, distribution: str) -> str:
    """The version of a client."""
    (found,) = metadata.Distribution.discover(name=distribution, path=[str(libraries(client))])
    return found.version


@dataclass(frozen=True)
class Environment:
    """A virtual environment, by its interpreter, that need not be there."""

    python: Path

    def version(self, project: str) -> str | None:
        """The version that is installed, as the module says that was built for the tests."""
        if not self.python.exists():
            return None
        # -B: bytecode would look good to the next version of the module as well.
        done = subprocess.run(
            [self.python, "-I", "-B", "-c", f"import {project}; print({project}.VERSION)"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else None


class Home:
    """Runs commands with a home, caches and configuration of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.environment = {
            key: value
            for key, value in clean_environment(folder).items()
            if not key.startswith(FOREIGN)
        } | {
            "COLUMNS": "300",
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "localhost,127.0.0.1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PDM_CHECK_UPDATE": "0",  # it asks the public index, and passes by the proxy
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "FLIT_ROOT_INSTALL": "1",  # in containers the tests are run by root
            "SOURCE_DATE_EPOCH": "1700000000",  # so that flit builds the same bytes twice
        }
        self._numbers = itertools.count(1)

    def trust(self, authority: Path) -> None:
        """Let every client trust the certificates of an authority, by its PEM file."""
        # By OpenSSL and uv, by pip before 24.2, and by requests.
        for variable in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
            self.environment[variable] = str(authority)

    def new_folder(self, stem: str) -> Path:
        """An empty folder."""
        made = self.folder / f"{stem}-{next(self._numbers)}"
        made.mkdir()
        return made

    def venv(self, *, with_pip: bool = False) -> Environment:
        """A new virtual environment; one with pip takes long to make."""
        folder = self.new_folder("venv")
        venv.create(folder, symlinks=True, with_pip=with_pip)
        return Environment(folder / "bin" / "python")

    def run(
        self,
        *command: object,
        folder: Path | None = None,
        status: int | None = 0,
        **environment: str,
    ) -> Ran:
        """Run a command, which must end with that exit status.

        None stands for any but 0, and ANY for all.
        """
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        is_expected = ran.status != 0 if status is None else status in {ran.status, ANY}
        assert is_expected, f"{command} ended with {ran.status}:\n{ran.out}\n{ran.err}"
        return ran


def bin_folders() -> str:
    """The value of PATH with which every client is found."""
    folders = [str(path / "bin") for path in sorted(CLIENTS.iterdir()) if path.is_dir()]
    return os.pathsep.join([os.environ["PATH"], *folders])
