"""Who acts in the functional suite, and where: each driver on each database.

The servers are real processes and serve the whole session. Every test has indexes and projects
of its own, whose names no other test uses; those that change users have users of their own too
(making one and logging in takes two slow hashes).
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import keyring
import keyring.backends.fail
import pytest

from functional.installer import Installer
from functional.site import MakeIndex, Site
from functional.vocabulary import Person
from stillroom_server.testing import LocalUpstream
from support.servers import ServerProcess


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A running server on each database."""
    folder = tmp_path_factory.mktemp(f"site-{request.param}")
    with ExitStack() as stack:
        upstream = stack.enter_context(LocalUpstream())
        settings = {"public_index": upstream.url}
        if request.param == "postgres":
            postgres = request.getfixturevalue("postgres_server")
            settings["database"] = stack.enter_context(postgres.database())
        server = stack.enter_context(ServerProcess(folder / "data", **settings))
        yield Site(server, upstream, folder, stack.enter_context(ExitStack()))


@pytest.fixture(params=["http", "command-line"])
def driver(request: pytest.FixtureRequest) -> Iterator[str]:
    """How people do what they do; the command line finds no keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield request.param
    keyring.set_keyring(before)


@pytest.fixture
def somebody(site: Site, driver: str) -> Person:
    """Somebody who is not logged in."""
    return site.newcomer(driver)


@pytest.fixture
def root(site: Site, driver: str) -> Person:
    """The administrator."""
    return site.root(driver)


@pytest.fixture
def dev(site: Site, driver: str) -> Person:
    """A user without special rights."""
    return site.colleague(driver, "dev")


@pytest.fixture
def other(site: Site, driver: str) -> Person:
    """Another user without special rights."""
    return site.colleague(driver, "other")


@pytest.fixture
def make_index(site: Site) -> MakeIndex:
    """Makes indexes whose names nobody else has."""

    def made(owner: Person, **options: str) -> str:
        name = f"{owner.name}/{site.unique('index')}"
        created = owner.create_index(name, **options)
        assert created.done, created.message
        return name

    return made


@pytest.fixture
def sandbox(dev: Person, make_index: MakeIndex) -> str:
    """An index of dev's that inherits from the mirror."""
    return make_index(dev, bases="root/pypi")


@pytest.fixture
def installer(site: Site) -> Iterator[Installer]:
    """Somebody's pip or uv."""
    with closing(Installer(site.server.url)) as reader:
        yield reader


@pytest.fixture
def upstream(site: Site) -> LocalUpstream:
    """The index that root/pypi mirrors."""
    return site.upstream
