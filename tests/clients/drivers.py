"""The clients, each driven as its own documentation says.

An installer installs projects from an index into a fresh environment; a publisher sends the files
of a release to an index. Each client needs an index and a login in its own way, and these classes
are the only ones that know it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from packaging.version import Version

from clients.home import Environment, Home, installed_version, libraries, program
from clients.world import Release, Source, make_legacy_sdist, write_release
from e2e.machine import Ran
from support.distributions import Distribution, make_sdist

PYTHONS = ">=3.11,<4"


@dataclass(frozen=True)
class Installed:
    """What an installation said, and where it was made."""

    ran: Ran
    environment: Environment

    def version(self, project: str) -> str | None:
        """The version of a project that is there now."""
        return self.environment.version(project)


@dataclass(frozen=True)
class Published:
    """What a publication said, and the files that it was to send, by their names."""

    ran: Ran
    files: Mapping[str, bytes]


class Client(ABC):
    """A client on somebody's machine.

    `name` is that of its environment in `.clients`, `distribution` that of its project, and
    `label` says it to people.
    """

    name: ClassVar[str]
    distribution: ClassVar[str]
    label: ClassVar[str]

    def __init_subclass__(cls, *, name: str = "", distribution: str = "", label: str = "") -> None:
        if name:
            cls.name = name
            cls.distribution = distribution or name
            cls.label = label or name

    def __init__(self, home: Home) -> None:
        self.home = home

    @classmethod
    def version(cls) -> str:
        """The version that is tested."""
        return installed_version(cls.name, cls.distribution)

    def run(self, *arguments: object, **how: Any) -> Ran:
        """Run the client; see `Home.run`."""
        return self.home.run(program(self.name, self.name), *arguments, **how)

    def application(self, text: str) -> Path:
        """A new folder with the project `application` in it; `text` ends its pyproject.toml."""
        folder = self.home.new_folder("application")
        (folder / "pyproject.toml").write_text(
            f"""\
[project]
name = "application"
version = "1.0"
description = "What the tests install for"
requires-python = "{PYTHONS}"
{text}"""
        )
        return folder


class Installer(Client):
    """A client that installs."""

    @abstractmethod
    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        """Install the newest releases of projects; pip and uv take options too."""

    def make_sdist(self, name: str, version: str, **facts: Any) -> Distribution:
        """An sdist that this client can build."""
        return make_sdist(name, version, **facts)


class Locker(Installer):
    """An installer of what a project locks; `lock_file` is the name of the lock."""

    lock_file: ClassVar[str]

    @abstractmethod
    def project(self, source: Source) -> Path:
        """A project without dependencies that knows the index; the client knows the login."""

    @abstractmethod
    def lock(self, folder: Path, *projects: str) -> None:
        """Add dependencies to a project and lock them, but install nothing."""

    @abstractmethod
    def install_lock(self, folder: Path) -> None:
        """Install what the lock of a project says."""


class Publisher(Client):
    """A client that publishes the wheel and the sdist in the folder of a project."""

    def publish(
        self, target: Source, release: Release, *extra: str, status: int | None = 0
    ) -> Published:
        """Publish a release; `extra` are further options of the client."""
        folder = self.prepare(release)
        ran = self.send(target, folder, *extra, status=status)
        files = {path.name: path.read_bytes() for path in (folder / "dist").iterdir()}
        return Published(ran, files)

    def prepare(self, release: Release) -> Path:
        """Make the folder of a project, with the files of the release in `dist`."""
        folder = self.home.new_folder(release.name)
        write_release(folder, release)
        return folder

    @abstractmethod
    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        """Publish from the folder of a project."""


class Pip(Installer, name="pip"):
    """The newest pip. The interpreter of an environment runs it, as pips of all ages allow."""

    def pip(self, environment: Environment, *arguments: object, status: int | None = 0) -> Ran:
        """Run pip for an environment."""
        return self.home.run(
            environment.python,
            *("-m", "pip", *arguments),
            status=status,
            PYTHONPATH=str(libraries(self.name)),
        )

    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        return self.install_without_login(source.page_with_login, *projects, status=status)

    def install_without_login(
        self, page: str, *projects: object, status: int | None = 0
    ) -> Installed:
        """Install from the URL of an index as it is."""
        environment = self.home.venv()
        ran = self.pip(environment, "install", "--index-url", page, *projects, status=status)
        return Installed(ran, environment)


class OldestPip(Pip, name="pip-oldest", distribution="pip", label="pip, the oldest"):
    """The oldest pip that installs on this Python."""

    def make_sdist(self, name: str, version: str, **facts: Any) -> Distribution:
        # From 20.0 on pip knows `backend-path` (PEP 517), which our other sdists need.
        knows_backend_path = Version(self.version()) >= Version("20.0")
        return (make_sdist if knows_backend_path else make_legacy_sdist)(name, version, **facts)


class Uv(Installer, Publisher, name="uv"):
    """uv, as `uv pip install` and `uv publish`."""

    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        return self.install_without_login(source.page_with_login, *projects, status=status)

    def install_without_login(
        self, page: str, *projects: object, status: int | None = 0
    ) -> Installed:
        """Install from the URL of an index as it is."""
        environment = self.home.venv()
        ran = self.run(
            *("pip", "install", "--python", environment.python),
            *("--default-index", page, *projects),
            status=status,
        )
        return Installed(ran, environment)

    def project(self, source: Source, *projects: str, more: str = "") -> Path:
        """A project that depends on others, from an index whose login is in the environment."""
        self.home.environment |= {
            "UV_INDEX_STILLROOM_USERNAME": source.user,
            "UV_INDEX_STILLROOM_PASSWORD": source.password,
        }
        return self.application(
            f"""\
dependencies = {list(projects)!r}

[[tool.uv.index]]
name = "stillroom"
url = "{source.page}"
default = true
{more}"""
        )

    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        login = ("--username", target.user, "--password", target.password)
        return self.run(
            *("publish", "--publish-url", target.uploads, *login, *extra),
            folder=folder,
            status=status,
        )


class Twine(Publisher, name="twine"):
    """twine, as `twine upload`."""

    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        return self.run(
            *("upload", "--non-interactive", "--repository-url", target.uploads),
            *("--username", target.user, "--password", target.password),
            *extra,
            *sorted((folder / "dist").iterdir()),
            status=status,
        )


class Poetry(Locker, Publisher, name="poetry"):
    """poetry, with a primary source, and a repository, that are called `stillroom`."""

    lock_file = "poetry.lock"

    def project(self, source: Source) -> Path:
        self.run("config", "http-basic.stillroom", source.user, source.password)
        return self.application(
            f"""\

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "stillroom"
url = "{source.page}"
priority = "primary"
"""
        )

    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        folder = self.project(source)
        ran = self.run("add", "--no-interaction", *projects, folder=folder, status=status)
        return Installed(ran, in_project(folder))

    def lock(self, folder: Path, *projects: str) -> None:
        self.run("add", "--lock", "--no-interaction", *projects, folder=folder)

    def install_lock(self, folder: Path) -> None:
        self.run("sync", "--no-interaction", folder=folder)

    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        self.run("config", "repositories.stillroom", target.uploads)
        login = ("--username", target.user, "--password", target.password)
        return self.run(
            *("publish", "--no-interaction", "--repository", "stillroom", *login, *extra),
            folder=folder,
            status=status,
        )


class Pdm(Locker, Publisher, name="pdm"):
    """pdm, with a source that is called `pypi` and so takes the place of the public index."""

    lock_file = "pdm.lock"

    def project(self, source: Source) -> Path:
        self.run("config", "pypi.username", source.user)
        self.run("config", "pypi.password", source.password)
        return self.application(
            f"""\

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "{source.page}"
"""
        )

    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        folder = self.project(source)
        ran = self.run("--non-interactive", "add", *projects, folder=folder, status=status)
        return Installed(ran, in_project(folder))

    def lock(self, folder: Path, *projects: str) -> None:
        self.run("--non-interactive", "add", "--no-sync", *projects, folder=folder)

    def install_lock(self, folder: Path) -> None:
        self.run("--non-interactive", "sync", folder=folder)

    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        login = ("--username", target.user, "--password", target.password)
        return self.run(
            *("publish", "--no-build", "--repository", target.uploads, *login, *extra),
            folder=folder,
            status=status,
        )


class Hatch(Installer, Publisher, name="hatch"):
    """hatch, whose environments are filled by pip or, with `installer = "uv"`, by uv."""

    installer = "pip"

    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        folder = self.application(
            f"""\

[tool.hatch.envs.default]
installer = "{self.installer}"
skip-install = true
dependencies = {list(projects)!r}
"""
        )
        variable = {"pip": "PIP_INDEX_URL", "uv": "UV_DEFAULT_INDEX"}[self.installer]
        ran = self.run(
            "env", "create", folder=folder, status=status, **{variable: source.page_with_login}
        )
        place = self.run("env", "find", folder=folder).out.strip()
        return Installed(ran, Environment(Path(place) / "bin" / "python"))

    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        login = ("--user", target.user, "--auth", target.password)
        return self.run(
            *("publish", "--no-prompt", "--repo", target.uploads, *login, *extra),
            folder=folder,
            status=status,
        )


class HatchWithUv(Hatch, name="hatch", label="hatch with uv"):
    """hatch, with `installer = "uv"`."""

    installer = "uv"


class Flit(Installer, Publisher, name="flit"):
    """flit, which installs with the pip of an environment and publishes what it builds itself."""

    def install(self, source: Source, *projects: object, status: int | None = 0) -> Installed:
        environment = self.home.venv(with_pip=True)
        folder = self.prepare(Release("application"), requirements=projects)
        ran = self.run(
            *("install", "--only-deps", "--python", environment.python),
            folder=folder,
            status=status,
            PIP_INDEX_URL=source.page_with_login,
        )
        return Installed(ran, environment)

    def prepare(self, release: Release, requirements: Sequence[object] = ()) -> Path:
        """Make the folder of a project; flit builds it into `dist`."""
        folder = self.home.new_folder(release.name)
        (folder / "dist").mkdir()
        (folder / f"{release.name}.py").write_text(f"VERSION = '{release.version}'\n")
        (folder / "pyproject.toml").write_text(
            f"""\
[build-system]
requires = ["flit_core>=4"]
build-backend = "flit_core.buildapi"

[project]
name = "{release.name}"
version = "{release.version}"
description = "{release.summary}"
dependencies = {list(requirements)!r}
"""
        )
        return folder

    def send(self, target: Source, folder: Path, *extra: str, status: int | None = 0) -> Ran:
        return self.run(
            *("publish", *extra),
            folder=folder,
            status=status,
            FLIT_INDEX_URL=target.uploads,
            FLIT_USERNAME=target.user,
            FLIT_PASSWORD=target.password,
        )


def in_project(folder: Path) -> Environment:
    """The environment in the folder of a project, where poetry, pdm and uv make it."""
    return Environment(folder / ".venv" / "bin" / "python")


CLIENTS = (Pip, OldestPip, Uv, Twine, Poetry, Pdm, Hatch, HatchWithUv, Flit)
"""All of them, in the order of the table."""

INSTALLERS = tuple(driver for driver in CLIENTS if issubclass(driver, Installer))
PUBLISHERS = (Uv, Twine, Poetry, Pdm, Hatch, Flit)


def for_clients(*drivers: type[Client]) -> pytest.MarkDecorator:
    """Run a test for each of these clients, which it gets as `client`."""
    labels = [driver.label for driver in drivers]
    return pytest.mark.parametrize("client", drivers, ids=labels, indirect=True)
