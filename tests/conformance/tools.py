"""Real clients: installers, and publishing tools with what each wants to be told."""

from collections.abc import Callable
from pathlib import Path

from packaging.utils import canonicalize_name

from conformance.index import Index
from e2e.machine import Machine, Ran
from stillroom_server.testing import Distribution
from support.distributions import import_name, source_tree

EPOCH = "1700000000"
"""For flit, which builds what it publishes: the same sources give the same bytes."""


class Tools(Machine):
    """A machine whose tools trust the authority of this run, and have nothing else configured.

    `clients` is the folder with the environments of those that share none with pytest.
    """

    def __init__(self, home: Path, authority: Path, clients: Path) -> None:
        super().__init__(
            home,
            SSL_CERT_FILE=str(authority),
            PIP_CERT=str(authority),
            REQUESTS_CA_BUNDLE=str(authority),
            TWINE_CERT=str(authority),
            SOURCE_DATE_EPOCH=EPOCH,
        )
        self.clients = clients

    def client(self, name: str, *arguments: object, **how: object) -> Ran:
        """Run a client that has an environment of its own."""
        return self.run(str(self.clients / name / "bin" / name), *arguments, **how)

    def publish(
        self,
        name: str,
        index: Index,
        *distributions: Distribution,
        skip_existing: bool = False,
        status: int | None = 0,
    ) -> Ran:
        """Publish with one of `PUBLISHERS`; flit builds a wheel and an sdist by itself."""
        return PUBLISHERS[name](self, index, distributions, skip_existing, status)

    def poetry_project(self, index: Index, requirement: str) -> Path:
        """The folder of a project for poetry that needs something of an index, with its login."""
        folder = self.home / "for-poetry"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "for-poetry"\nversion = "1.0"\nrequires-python = ">=3.11,<4"\n'
            f'dependencies = ["{requirement}"]\n'
            "[tool.poetry]\npackage-mode = false\n"
            f'[[tool.poetry.source]]\nname = "judged"\nurl = "{index.simple}"\n'
        )
        user, password = _login(index)
        self.environment |= {
            "POETRY_HTTP_BASIC_JUDGED_USERNAME": user,
            "POETRY_HTTP_BASIC_JUDGED_PASSWORD": password,
        }
        return folder

    def folder_with(self, distributions: tuple[Distribution, ...]) -> Path:
        """A folder named `dist` with these files and no others."""
        folder = self.home / f"project-{len(list(self.home.iterdir()))}" / "dist"
        folder.mkdir(parents=True)
        for distribution in distributions:
            distribution.write_to(folder)
        return folder


Publisher = Callable[[Tools, Index, tuple[Distribution, ...], bool, int | None], Ran]


def _login(index: Index) -> tuple[str, str]:
    assert index.login is not None
    return index.login.user, index.login.password


def _twine(
    tools: Tools, index: Index, files: tuple[Distribution, ...], _skip: bool, status: int | None
) -> Ran:
    user, password = _login(index)
    paths = sorted(tools.folder_with(files).iterdir())
    where = ("--non-interactive", "--repository-url", index.upload_url)
    login = ("--username", user, "--password", password)
    return tools.run("twine", "upload", *where, *login, *paths, status=status)


def _uv(
    tools: Tools, index: Index, files: tuple[Distribution, ...], skip: bool, status: int | None
) -> Ran:
    user, password = _login(index)
    paths = sorted(tools.folder_with(files).iterdir())
    where = ("--publish-url", index.upload_url, "--trusted-publishing", "never")
    check = ("--check-url", index.simple_with_login) if skip else ()
    login = ("--username", user, "--password", password)
    return tools.run("uv", "publish", *where, *check, *login, *paths, status=status)


def _poetry(
    tools: Tools, index: Index, files: tuple[Distribution, ...], skip: bool, status: int | None
) -> Ran:
    user, password = _login(index)
    folder = tools.folder_with(files).parent
    name, version = _project_of(files)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = ""\n'
    )
    tools.environment |= {
        "POETRY_REPOSITORIES_JUDGED_URL": index.upload_url,
        "POETRY_HTTP_BASIC_JUDGED_USERNAME": user,
        "POETRY_HTTP_BASIC_JUDGED_PASSWORD": password,
    }
    more = ("--skip-existing",) if skip else ()
    publish = ("publish", "--no-interaction", "--repository", "judged")
    return tools.client("poetry", *publish, *more, folder=folder, status=status)


def _pdm(
    tools: Tools, index: Index, files: tuple[Distribution, ...], skip: bool, status: int | None
) -> Ran:
    user, password = _login(index)
    folder = tools.folder_with(files).parent
    name, version = _project_of(files)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "{version}"\nrequires-python = ">=3.11"\n'
    )
    more = ("--skip-existing",) if skip else ()
    where = ("--no-build", "--repository", index.upload_url)
    login = ("--username", user, "--password", password)
    return tools.client("pdm", "publish", *where, *login, *more, folder=folder, status=status)


def _hatch(
    tools: Tools, index: Index, files: tuple[Distribution, ...], _skip: bool, status: int | None
) -> Ran:
    user, password = _login(index)
    folder = tools.folder_with(files)
    where = ("--no-prompt", "--repo", index.upload_url)
    login = ("--user", user, "--auth", password)
    paths = sorted(folder.iterdir())
    return tools.client(
        "hatch", "publish", *where, *login, *paths, folder=folder.parent, status=status
    )


def _flit(
    tools: Tools, index: Index, files: tuple[Distribution, ...], _skip: bool, status: int | None
) -> Ran:
    user, password = _login(index)
    name, version = _project_of(files)
    folder = tools.folder_with(()).parent
    module = import_name(name)
    (folder / f"{module}.py").write_bytes(source_tree(name, version, b"")[f"{module}.py"])
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\ndescription = "Built by flit"\n'
        f'[tool.flit.module]\nname = "{module}"\n'
    )
    tools.environment |= {
        "FLIT_INDEX_URL": index.upload_url,
        "FLIT_USERNAME": user,
        "FLIT_PASSWORD": password,
    }
    return tools.client("flit", "publish", "--no-use-vcs", folder=folder, status=status)


def _project_of(files: tuple[Distribution, ...]) -> tuple[str, str]:
    name, version = files[0].filename.removesuffix(".tar.gz").split("-")[:2]
    return canonicalize_name(name), version


PUBLISHERS: dict[str, Publisher] = {
    "twine": _twine,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "hatch": _hatch,
    "flit": _flit,
}
