"""The application in this process, on SQLite, asking a hostile upstream over real sockets."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from faults.asking import finish_fetching
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from stillroom_server.testing import LocalUpstream
from support.site import Site, new_site


@pytest.fixture
def database_url(fresh_database: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


@pytest.fixture
def make_site(database: SqlDatabase, blob_store: DiskBlobStore) -> Iterator[Callable[..., Site]]:
    """Makes the application with other settings or adapters than the usual ones."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(new_site(database, blob_store, **settings))
        finish_fetching()


@pytest.fixture
def upstream() -> Iterator[LocalUpstream]:
    with LocalUpstream() as running:
        yield running


@pytest.fixture
def site(make_site: Callable[..., Site], upstream: LocalUpstream) -> Site:
    """A site whose root/pypi mirrors `upstream`; its pages expire at once."""
    made = make_site(upstream_url=upstream.url)
    answer = made.root.patch("/root/pypi", json=["mirror_cache_expiry=0"])
    assert answer.status_code == 200, answer.text
    return made
