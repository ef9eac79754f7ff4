"""A private index on a mirror, and the clients at it; and the table of what they did.

A test is for each client that `for_clients` names, and the first line of its docstring stands in
the table: `{…}` in it is a parameter of the test.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clients.drivers import CLIENTS, Client
from clients.home import Home
from clients.table import (
    WORKS,
    Report,
    Row,
    Say,
    Seen,
    render,
    render_statuses,
)
from clients.world import Source, World, set_up
from functional.http_driver import HttpDriver
from functional.installer import Installer
from stillroom_server.testing import LocalUpstream
from support.front import Front
from support.servers import ServerProcess

# The table


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("clients", "the matrix of real clients")
    group.addoption("--table", type=Path, metavar="FILE", help="write the table there")
    group.addoption("--statuses", type=Path, metavar="FILE", help="and that of statuses there")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--table") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(config.getoption("--table")))
    if config.getoption("--statuses") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(StatusTable(config.getoption("--statuses")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = [client.label for client in CLIENTS]
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    for number, item in enumerate(ours):
        driver = item.callspec.params["client"]
        item.user_properties += [
            ("place", order.index(driver.label) * len(ours) + number),
            ("client", driver.label),
            ("done", inspect.getdoc(item.function).format_map(item.callspec.params)),
        ]


class Table:
    """Collects what the tests say, from all workers, and writes it if all of them passed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: set[Row] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = dict(report.user_properties)
        if report.when == "call" and "status" not in said:
            self._rows.add(
                Row(
                    said["place"],
                    said["client"],
                    said["version"],
                    said["done"],
                    said.get("result", WORKS),
                )
            )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0:
            self._path.write_text(render(self._rows), "utf-8")


class StatusTable:
    """The same for what clients make of statuses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[Seen] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = dict(report.user_properties)
        if report.when == "call" and "status" in said:
            client = f"{said['client']} {said['version']}"
            if said["does"] == "uploads" and said["client"] == "uv":
                client = f"uv publish {said['version']}"
            self._seen.add(
                Seen(said["does"], said["status"], said["column"], client, said["result"])
            )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0:
            self._path.write_text(render_statuses(self._seen), "utf-8")


@pytest.fixture
def report(
    record_property: Callable[[str, object], None], request: pytest.FixtureRequest
) -> Report:
    """Says what a client makes of a status."""

    def told(does: str, status: int, result: object) -> None:
        record_property("does", does)
        record_property("status", status)
        record_property("column", CLIENTS.index(request.getfixturevalue("client").__class__))
        record_property("result", str(result))

    return told


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """Says what a client shows."""
    return lambda result: record_property("result", result)


# The world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for all tests of a process; they do not see each other's projects."""
    folder = tmp_path_factory.mktemp("world")
    with (
        LocalUpstream() as upstream,
        ServerProcess(folder / "data", public_index=upstream.url) as server,
        closing(HttpDriver(server.url)) as root,
        closing(HttpDriver(server.url)) as dev,
        closing(Installer(server.url)) as reader,
    ):
        set_up(server, root, dev)
        yield World(server, upstream, root, dev, reader)


@pytest.fixture
def sandbox(world: World) -> Source:
    """dev/sandbox with dev's login."""
    return world.source()


@pytest.fixture
def elsewhere() -> Iterator[LocalUpstream]:
    """Another index, which everyone may read; anybody may have published there."""
    with LocalUpstream() as running:
        yield running


@pytest.fixture
def front(world: World) -> Iterator[Front]:
    """A proxy before the server, which writes down what is asked and can hang up."""
    with Front(world.server.url) as running:
        yield running


@pytest.fixture
def watched(front: Front) -> Source:
    """dev/sandbox by way of the proxy."""
    return Source(front.url)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home in which nothing was configured yet."""
    return Home(tmp_path / "home")


@pytest.fixture
def client(
    request: pytest.FixtureRequest,
    home: Home,
    record_property: Callable[[str, object], None],
) -> Client:
    """The client that the test is for."""
    driver: type[Client] = request.param
    record_property("version", driver.version())
    return driver(home)
