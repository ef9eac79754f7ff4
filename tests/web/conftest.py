"""The web suite: the application in this process, on a fresh SQLite database for each test."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from stillroom_server.testing import LocalUpstream
from support.canary import canary
from support.databases import SqliteTemplate
from support.issuer import Issuer
from support.permission_world import World, clients_of, populate
from support.site import Site, new_index, new_site
from support.trusted import add_issuer, add_publisher


@pytest.fixture
def database_url(fresh_database: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


@pytest.fixture
def make_site(database: SqlDatabase, blob_store: DiskBlobStore) -> Iterator[Callable[..., Site]]:
    """Makes the application with other settings or adapters than the usual ones."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(new_site(database, blob_store, **settings))


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """A site whose root/pypi has an upstream that refuses connections."""
    return make_site()


@pytest.fixture
def dev(site: Site) -> httpx.Client:
    """The user `dev` with the stage `dev/stage`."""
    return _with_dev(site)


def _with_dev(site: Site) -> httpx.Client:
    client = site.new_user("dev")
    new_index(client, "dev/stage")
    return client


@pytest.fixture(scope="module")
def shared_site(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site for all tests of a module that change nothing; it has `dev/stage` as well."""
    folder = tmp_path_factory.mktemp("shared")
    database = SqlDatabase(sqlite_template.copy_to(folder / "stillroom.sqlite"))
    with new_site(database, DiskBlobStore.create(folder / "blobs")) as site:
        _with_dev(site)
        yield site
    database.close()


class MovableClock:
    """The time now, and as much later as a test says."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovableClock:
    """The clock of the sites that are made after it."""
    movable = MovableClock()
    monkeypatch.setattr("stillroom_server.app.assembly.utc_now", movable)
    return movable


@pytest.fixture
def upstream() -> Iterator[LocalUpstream]:
    with LocalUpstream() as running:
        yield running


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """A CI on loopback that signs identity tokens."""
    with Issuer() as running:
        yield running


@pytest.fixture
def trusted(site: Site, dev: httpx.Client, issuer: Issuer) -> httpx.Client:
    """The user dev, whose index dev/stage trusts a job of the issuer with uploads of `app`."""
    add_issuer(site, issuer)
    add_publisher(dev, issuer, projects=["app"])
    return dev


@pytest.fixture(scope="module")
def fresh_world(
    sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], World]]:
    """Makes copies of the world of the permission table, which is populated once."""
    origin = tmp_path_factory.mktemp("origin")
    database = SqlDatabase(sqlite_template.copy_to(origin / "stillroom.sqlite"))
    with new_site(database, DiskBlobStore.create(origin / "blobs")) as site:
        secrets, token = populate(site)
    database.close()
    with ExitStack() as stack:

        def copy() -> World:
            folder = tmp_path_factory.mktemp("world") / "copy"
            shutil.copytree(origin, folder)
            opened = SqlDatabase(f"sqlite:///{folder / 'stillroom.sqlite'}")
            stack.callback(opened.close)
            stack.callback(canary.look_in_database, folder / "stillroom.sqlite")
            site = stack.enter_context(new_site(opened, DiskBlobStore(folder / "blobs")))
            return World(site, clients_of(site, secrets), token)

        yield copy


@pytest.fixture(scope="module")
def world(fresh_world: Callable[[], World]) -> World:
    """The world of the permission table, for requests that change nothing."""
    return fresh_world()
