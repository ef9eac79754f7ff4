"""The options of the suite, and what its tests ask for.

A fixture that is named like an ability of `adapter.Abilities` is that ability. Those that a server
does not have, or that need an option that is not given, take the tests that use them out of the
run.
"""

import itertools
import secrets
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from conformance.adapter import ABILITIES, Adapter, Login, adapter_class
from conformance.http2 import Http2Front
from conformance.index import Index, OpenIndex, Place
from conformance.shelf import Shelf
from conformance.tools import Tools
from stillroom_server.testing import LocalUpstream
from support.front import Front
from support.issuer import Issuer

PREFIX = "/behind/a-proxy"

NEEDS_OPTION = {
    "new_mirror": "loopback_mirrors",
    "secure_front": "trusted_front",
    "server_pid": "server_pid",
    "max_file_size": "max_file_size",
    "trust": "administrator",
}
"""Fixtures that are there only with an option."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "the index server that is judged")
    group.addoption("--server", metavar="URL", help="where it is")
    group.addoption("--user", help="who may upload to the index")
    group.addoption("--password", help="that user's password")
    group.addoption("--index", help="an index that takes uploads and may be filled")
    group.addoption(
        "--adapter",
        metavar="MODULE",
        default="conformance.stillroom",
        help="what knows its addresses and how it is managed (default: %(default)s)",
    )
    group.addoption(
        "--loopback-mirrors",
        action="store_true",
        help="the server may mirror an upstream on this machine's loopback",
    )
    group.addoption(
        "--trusted-front",
        action="store_true",
        help="the server believes the X-Forwarded-* headers of a proxy on this machine",
    )
    group.addoption(
        "--administrator",
        metavar="USER:PASSWORD",
        help="who may have the server believe issuers of identity tokens on this loopback",
    )
    group.addoption(
        "--server-pid", type=int, metavar="PID", help="its process, whose memory is watched"
    )
    group.addoption(
        "--max-file-size", type=int, metavar="BYTES", help="the largest file that it takes"
    )
    group.addoption(
        "--clients",
        metavar="FOLDER",
        type=Path,
        default=Path(".clients"),
        help="where poetry, pdm, hatch and flit are, an environment each (default: %(default)s)",
    )


def pytest_configure(config: pytest.Config) -> None:
    missing = [
        name for name in ("server", "user", "password", "index") if not _given(config, name)
    ]
    if missing:
        said = ", ".join(f"--{name}" for name in missing)
        raise pytest.UsageError(f"tests/conformance judges the server that you name: give {said}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = adapter_class(config.getoption("adapter"))
    missing = {name for name in ABILITIES if not hasattr(known, name)}
    missing |= {name for name, option in NEEDS_OPTION.items() if not _given(config, option)}
    out = [item for item in items if missing.intersection(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def _given(config: pytest.Config, option: str) -> bool:
    return bool(config.getoption(option))


# The server


@pytest.fixture(scope="session")
def adapter(pytestconfig: pytest.Config) -> Iterator[Adapter]:
    """Where things are on the server."""
    login = Login(pytestconfig.getoption("user"), pytestconfig.getoption("password"))
    made = adapter_class(pytestconfig.getoption("adapter"))(
        pytestconfig.getoption("server"), login
    )
    yield made
    made.close()


@pytest.fixture(scope="session")
def open_index(adapter: Adapter, authority: trustme.CA) -> Iterator[OpenIndex]:
    """Opens indexes of the server, directly or through a front."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    opened: list[Index] = []

    def open_one(
        name: str, *, login: Login | None = adapter.login, front: Front | None = None
    ) -> Index:
        place = Place(adapter, front.url if front else adapter.url, trusting)
        opened.append(Index(place, name, login))
        return opened[-1]

    yield open_one
    for index in opened:
        index.close()


@pytest.fixture(scope="session")
def index(open_index: OpenIndex, pytestconfig: pytest.Config) -> Index:
    """The index that the suite was given."""
    return open_index(pytestconfig.getoption("index"))


_run = secrets.token_hex(4)
_numbers = itertools.count(1)


@pytest.fixture
def new_name() -> Callable[[], str]:
    """Makes names of projects that no other test and no other run has."""
    return lambda: f"conf-{_run}-{next(_numbers)}"


@pytest.fixture
def project(new_name: Callable[[], str]) -> str:
    """A name for the project of this test, normalised."""
    return new_name()


@pytest.fixture(scope="session")
def shelf(index: Index) -> Shelf:
    """A project with files of all kinds, for tests that change nothing."""
    made = Shelf(f"conf-{_run}-shelf")
    index.upload(*made.files)
    return made


@pytest.fixture(scope="session")
def quiet(adapter: Adapter, index: Index, open_index: OpenIndex, shelf: Shelf) -> Index:
    """An index with the shelf that no other worker of the run changes.

    On a server where the suite makes no indexes it is the one that was given: there one worker
    has to do.
    """
    if not hasattr(adapter, "new_index"):
        return index
    made = open_index(adapter.new_index())
    made.upload(*shelf.files)
    return made


# In front of it


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority of this run."""
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate, for tools that are given a file."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def front(adapter: Adapter) -> Iterator[Front]:
    """A proxy that writes down what tools ask for."""
    with Front(adapter.url) as running:
        yield running


@pytest.fixture
def secure_front(adapter: Adapter, authority: trustme.CA) -> Iterator[Front]:
    """The same with TLS and a path prefix, which the server has to believe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with Front(adapter.url, prefix=PREFIX, tls=context) as running:
        yield running


@pytest.fixture
def root_front(adapter: Adapter, authority: trustme.CA) -> Iterator[Front]:
    """The same with TLS and without a prefix: the root of its host is that of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with Front(adapter.url, tls=context) as running:
        yield running


@pytest.fixture
def administrator(pytestconfig: pytest.Config) -> Login:
    """Who may have the server believe an issuer."""
    user, _, password = pytestconfig.getoption("administrator").partition(":")
    return Login(user, password)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A CI on loopback that gives its jobs identity tokens."""
    with Issuer() as running:
        yield running


@pytest.fixture
def http2_front(
    adapter: Adapter, authority: trustme.CA, tmp_path: Path, pytestconfig: pytest.Config
) -> Iterator[Http2Front]:
    """A proxy that speaks HTTP/2."""
    folder = pytestconfig.getoption("clients").absolute() / "http2-front"
    with Http2Front(adapter.url, folder, authority, tmp_path) as running:
        yield running


@pytest.fixture
def upstream(new_mirror: object) -> Iterator[LocalUpstream]:
    """An index on loopback that can be mirrored."""
    with LocalUpstream() as running:
        yield running


@pytest.fixture
def mirror(upstream: LocalUpstream, new_mirror, open_index: OpenIndex) -> Index:
    """An index that mirrors the upstream."""
    return open_index(new_mirror(upstream.url))


@pytest.fixture
def server_pid(pytestconfig: pytest.Config) -> int:
    """The process of the server."""
    return pytestconfig.getoption("server_pid")


@pytest.fixture
def max_file_size(pytestconfig: pytest.Config) -> int:
    """The largest file that the server takes, in bytes."""
    return pytestconfig.getoption("max_file_size")


# Clients


@pytest.fixture
def tools(tmp_path: Path, authority_file: Path, pytestconfig: pytest.Config) -> Tools:
    """Real clients on a machine where nothing is configured."""
    clients = pytestconfig.getoption("clients").absolute()
    return Tools(tmp_path / "home", authority_file, clients)


# Abilities


def _ability(name: str):
    def ability(adapter: Adapter):
        return getattr(adapter, name)

    return pytest.fixture(scope="session", name=name)(ability)


new_index = _ability("new_index")
new_mirror = _ability("new_mirror")
yank = _ability("yank")
set_status = _ability("set_status")
delete_file = _ability("delete_file")
new_token = _ability("new_token")
revoke = _ability("revoke")
token_logins = _ability("token_logins")
legacy_json_path = _ability("legacy_json_path")
trust = _ability("trust")
