"""The ingress suite: one server process for each module, and clients that mean no good."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.raw_http import Wire, memory_of
from support.servers import ServerProcess

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """The settings of the module's server; modules have their own."""
    return {}


@pytest.fixture(scope="module")
def max_growth() -> int:
    """By how many bytes all the requests of a module may let its server grow."""
    return 96 * MEGABYTE


@pytest.fixture(scope="module")
def upstream() -> Iterator[LocalUpstream]:
    with LocalUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    upstream: LocalUpstream,
    settings: dict[str, str],
    max_growth: int,
) -> Iterator[ServerProcess]:
    """A server that must stay small, and have nothing to complain about, whatever is sent."""
    folder = tmp_path_factory.mktemp("ingress") / "data"
    process = ServerProcess(folder, public_index=upstream.url, **settings)
    process.environment["TMPDIR"] = str(tmp_path_factory.mktemp("spool"))
    with process as running:
        before = memory_of(running.pid)
        yield running
        assert memory_of(running.pid) - before < max_growth
    log = process.log.read_text()
    assert "Traceback" not in log, log
    assert "ERROR" not in log, log


@pytest.fixture(scope="module")
def root(server: ServerProcess) -> Iterator[httpx.Client]:
    """The administrator, with the stage `root/stage`."""
    with closing(server.login()) as client:
        assert client.put("/root/stage", json={}).status_code == 200
        yield client


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Callable[..., Wire]]:
    """Makes connections to the server, which are closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(Wire(server.url, **how))
