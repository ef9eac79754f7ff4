"""The newcomer's tour, line by line, against a local upstream in the place of the public index."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.machine import Machine, VirtualEnvironment, page_url
from e2e.team import PASSWORD
from stillroom_server.testing import LocalUpstream
from support.distributions import make_metadata, make_sdist, make_wheel, source_tree
from support.servers import ServerProcess

PRIVATE = 0o600
TOOLS = ("pip", "uv")


@pytest.fixture
def public() -> Iterator[LocalUpstream]:
    """The public index, as far as the tour needs it."""
    with LocalUpstream() as upstream:
        for name in ("six", "idna"):
            upstream.add(make_wheel(name, "1.0"))
            upstream.add(make_sdist(name, "1.0"))
        yield upstream


@pytest.fixture
def server(tmp_path: Path, public: LocalUpstream) -> Iterator[ServerProcess]:
    """A server on a fresh data folder."""
    with ServerProcess(tmp_path / "data", public_index=public.url) as running:
        yield running


@pytest.fixture
def project(machine: Machine) -> Path:
    """A project that needs nothing to be built, and six to run."""
    folder = machine.home / "myproject"
    folder.mkdir()
    metadata = make_metadata("myproject", "1.0", requires_dist=["six"], metadata_version="2.2")
    for path, content in source_tree("myproject", "1.0", metadata).items():
        (folder / path).write_bytes(content)
    return folder


def test_the_tour(
    server: ServerProcess, public: LocalUpstream, tmp_path: Path, project: Path, machine: Machine
) -> None:
    environment = machine.venv()
    machine.activate(environment)
    install_through_the_mirror(server, environment)
    administer(server, machine)
    configure(server, environment, project)
    upload_and_install(environment, project)
    publish_with_other_tools(server, project, machine)
    install_without_upstream(server, public, tmp_path)


def install_through_the_mirror(server: ServerProcess, environment: VirtualEnvironment) -> None:
    url = page_url(server.url, "root/pypi")
    environment.pip("install", "--index-url", url, "six", "idna")
    assert environment.version("six") == "1.0"
    assert environment.version("idna") == "1.0"


def administer(server: ServerProcess, machine: Machine) -> None:
    password_file = server.data / "initial-root-password"
    assert stat.S_IMODE(password_file.stat().st_mode) == PRIVATE
    root_password = password_file.read_text().strip()
    assert root_password in server.log.read_text()

    machine.run("stillroom", "use", server.url)
    machine.run("stillroom", "login", "root", "--password-stdin", typed=f"{root_password}\n")
    machine.run("stillroom", "user", "create", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    machine.run("stillroom", "login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    machine.run("stillroom", "index", "create", "dev/base", "bases=root/pypi")
    machine.run("stillroom", "index", "create", "dev/sandbox", "bases=dev/base")


def configure(server: ServerProcess, environment: VirtualEnvironment, project: Path) -> None:
    used = environment.machine.run(
        "stillroom", "use", "dev/sandbox", "--pip", "--uv", folder=project
    )
    assert f"will set the index in {environment.folder / 'pip.conf'}" in used.text
    written = [environment.folder / "pip.conf", project / "uv.toml"]
    for path in written:
        assert str(path) in used.text
        assert stat.S_IMODE(path.stat().st_mode) == PRIVATE
        assert f"@localhost:{server.port}/dev/sandbox/" in path.read_text()
        assert PASSWORD not in path.read_text()


def upload_and_install(environment: VirtualEnvironment, project: Path) -> None:
    machine = environment.machine
    uploaded = machine.run("stillroom", "upload", folder=project)
    assert "myproject-1.0.tar.gz" in uploaded.out
    assert "myproject-1.0-py3-none-any.whl" in uploaded.out
    environment.pip("install", "myproject")
    assert environment.version("myproject") == "1.0"

    with_uv = machine.venv()
    with_uv.uv("install", "myproject", folder=project)
    assert with_uv.version("myproject") == "1.0"
    assert with_uv.version("six") == "1.0"


def publish_with_other_tools(server: ServerProcess, project: Path, machine: Machine) -> None:
    files = [
        distribution.write_to(project)
        for distribution in (make_wheel("tool", "2.0"), make_sdist("tool", "2.0"))
    ]
    url = f"{server.url}/dev/sandbox/"
    machine.run("twine", "upload", "--repository-url", url, "-u", "dev", "-p", PASSWORD, *files)
    machine.run("uv", "publish", "--publish-url", url, "-u", "dev", "-p", PASSWORD, *files)
    url = page_url(server.url, "dev/sandbox", ("dev", PASSWORD))
    environment = machine.venv()
    environment.uv("install", "--index-url", url, "myproject", "tool")
    assert environment.version("tool") == "2.0"
    assert environment.version("myproject") == "1.0"
    assert environment.version("six") == "1.0"


def install_without_upstream(server: ServerProcess, public: LocalUpstream, tmp_path: Path) -> None:
    with closing(server.login()) as root:
        # Or the pages would count as fresh for a while, and nobody would ask.
        changed = root.patch("/root/pypi", json={"mirror_cache_expiry": 0})
        assert changed.status_code == 200
    assert server.stop() == 0
    public.stop()
    server.start()
    url = page_url(server.url, "dev/sandbox", ("dev", PASSWORD))
    for tool in TOOLS:
        environment = Machine(tmp_path / f"new-{tool}").venv()
        environment.install(tool, "--index-url", url, "myproject", "idna")
        for name in ("myproject", "idna", "six"):
            assert environment.version(name) == "1.0"
