"""The adapters that must keep the contracts: the real ones, and the fakes of the unit tests."""

from collections.abc import Iterator

import pytest

from stillroom_server.services.ports import BlobStore, Database
from stillroom_server.storage.database import SqlDatabase
from support.fakes import FakeDatabase, MemoryBlobStore


@pytest.fixture(params=["fake", "sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "fake":
        yield FakeDatabase()
        return
    with request.getfixturevalue("fresh_database")(request.param) as url:
        opened = SqlDatabase(url)
        yield opened
        opened.close()


@pytest.fixture(params=["memory", "disk"])
def any_blob_store(request: pytest.FixtureRequest) -> BlobStore:
    if request.param == "memory":
        return MemoryBlobStore()
    return request.getfixturevalue("blob_store")
