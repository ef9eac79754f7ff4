"""Real tools, a real server process, and an upstream on loopback; nothing leaves this machine."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.machine import Machine, VirtualEnvironment
from e2e.team import PASSWORD, MakeIndex
from functional.http_driver import HttpDriver
from stillroom_server.testing import LocalUpstream
from support.servers import ServerProcess


@pytest.fixture(scope="module")
def upstream() -> Iterator[LocalUpstream]:
    """The index that root/pypi mirrors."""
    with LocalUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    upstream: LocalUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server for all tests of a module."""
    folder = tmp_path_factory.mktemp("server")
    with ServerProcess(folder / "data", public_index=upstream.url) as running:
        yield running


@pytest.fixture(scope="module")
def root(server: ServerProcess) -> Iterator[HttpDriver]:
    """The administrator, at the HTTP API."""
    with closing(HttpDriver(server.url)) as person:
        assert person.login("root", server.root_password).done
        yield person


@pytest.fixture(scope="module")
def dev(server: ServerProcess, root: HttpDriver) -> Iterator[HttpDriver]:
    """The user dev, at the HTTP API."""
    assert root.create_user("dev", PASSWORD).done
    with closing(HttpDriver(server.url)) as person:
        assert person.login("dev", PASSWORD).done
        yield person


@pytest.fixture(scope="module")
def make_index(dev: HttpDriver) -> MakeIndex:
    """Makes indexes whose names no other test uses."""
    numbers = itertools.count(1)

    def made(**options: str) -> str:
        name = f"dev/index{next(numbers)}"
        created = dev.create_index(name, **options)
        assert created.done, created.message
        return name

    return made


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was configured yet."""
    return Machine(tmp_path / "home")


@pytest.fixture
def environment(machine: Machine) -> VirtualEnvironment:
    """An empty virtual environment."""
    return machine.venv()
