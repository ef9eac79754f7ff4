"""Fixtures that several suites share."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.canary import Watch, canary
from support.databases import PostgresServer, SqliteTemplate

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Let the canary watch: no secret may come to light in any test."""
    config.pluginmanager.register(Watch(config))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One Postgres server for the session, or for each worker of it."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture
def fresh_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[str], AbstractContextManager[str]]:
    """Makes a fresh, migrated database of a kind and gives its URL."""

    @contextmanager
    def fresh(kind: str) -> Iterator[str]:
        if kind == "postgres":
            with request.getfixturevalue("postgres_server").database() as url:
                yield url
        else:
            template = request.getfixturevalue("sqlite_template")
            path = tmp_path / "stillroom.sqlite"
            yield template.copy_to(path)
            canary.look_in_database(path)

    return fresh


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(
    request: pytest.FixtureRequest, fresh_database: Callable[[str], AbstractContextManager[str]]
) -> Iterator[str]:
    """A fresh, migrated database of each kind."""
    with fresh_database(request.param) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[SqlDatabase]:
    """Units of work on a fresh database of each kind."""
    opened = SqlDatabase(database_url)
    yield opened
    opened.close()


@pytest.fixture
def blob_store(tmp_path: Path) -> DiskBlobStore:
    return DiskBlobStore.create(tmp_path / "blob-store")
